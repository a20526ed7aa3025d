// SPDX-License-Identifier: MIT
//
// From what a node holds to the messages of the service of resources. Nothing here has a secret: texts are masked.
import { fieldChanges, type Held, type Proposal, type ResourceProblem } from '@tandem/resources'
import type { resources } from '@tandem/rpc'
import type { ResourceRevision } from '@tandem/store'
import type { Written } from './resource-writer.ts'
import { noteOfText } from './revision-note.ts'

const MAX_CHANGES = 1_000
const MAX_KEY_LIST = 100

export function wireRevision({ revision, hash, unixMs, note }: ResourceRevision): resources.Revision {
  const { author, comment, manager, added, changed, removed, keys } = noteOfText(note)
  const list = keys.slice(0, MAX_KEY_LIST)
  const unixTime = BigInt(Math.round(unixMs))
  return {
    revision: BigInt(revision),
    hash,
    unixMs: unixTime,
    author,
    comment,
    manager,
    added,
    changed,
    removed,
    keys: list,
  }
}

/** A head of which the log has nothing any more. */
export const bareRevision = ({ revision, hash, unixMs }: Pick<ResourceRevision, 'revision' | 'hash' | 'unixMs'>) =>
  wireRevision({ revision, hash, unixMs, stage: '', chunks: 0, writes: 0, note: '{}' })

const wireProblem = ({
  file,
  document,
  line,
  column = 0,
  code,
  path,
  expected,
}: ResourceProblem): resources.Problem => ({
  file,
  document,
  line,
  column,
  code,
  path,
  expected,
})

function wireChanges({ put, removed }: Proposal, before: Written['before']): resources.Change[] {
  const changes: resources.Change[] = []
  for (const held of put.slice(0, MAX_CHANGES)) {
    const then = before.get(held.key)
    const fields = then === undefined ? [] : fieldChanges(then, held)
    changes.push({ key: held.key, action: then === undefined ? 'added' : 'changed', fields })
  }
  for (const { key } of removed.slice(0, MAX_CHANGES - changes.length))
    changes.push({ key, action: 'removed', fields: [] })
  return changes
}

export function wireWritten({ applied, proposal, before }: Written, head: resources.Revision): resources.ApplyResponse {
  const { put, removed, unchanged, problems, warnings } = proposal
  return {
    applied,
    head,
    problems: problems.map(wireProblem),
    added: put.length - before.size,
    changed: before.size,
    removed: removed.length,
    unchanged,
    changes: wireChanges(proposal, before),
    warnings: [...warnings],
  }
}

export function wireResource({ key, manager, revision, text, resource }: Held): resources.Resource {
  const { kind, metadata } = resource
  return {
    key,
    kind,
    domain: 'domain' in metadata ? metadata.domain : '',
    name: metadata.name,
    labels: { ...metadata.labels },
    manager,
    revision: BigInt(revision),
    json: text,
  }
}
