// SPDX-License-Identifier: MIT
// Resources in Redis, in a slot of their own (scripts/resources.ts). The head is looked at several times a second by each node that
// follows: one small read, the same on a single server and on a Cluster.

import { chunkObjection, decodeChunk, encodeChunk } from '../resource-rules.ts'
import {
  RESOURCE_BOUNDS,
  type ResourceBasePage,
  type ResourceCommit,
  type ResourceCommitted,
  type ResourceFollowing,
  type ResourceHead,
  type ResourceLog,
  type ResourceRevision,
  type ResourceStore,
  type ResourceWrite,
} from '../resource-store.ts'
import { mapStored, type Stored } from '../result.ts'
import type { Reply } from './batcher.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { READ_VALUE } from './scripts/plain.ts'
import {
  ABANDON_RESOURCES,
  COMMIT_RESOURCES,
  FOLD_RESOURCES,
  READ_BASE_TEXTS,
  READ_RESOURCE_BASE,
  READ_RESOURCE_LOG,
  RESOURCE_HEAD,
  RESOURCE_HISTORY,
  STAGE_RESOURCES,
} from './scripts/resources.ts'

const TAG = 'res'
const HEAD = '{res}:head'
const LOG = '{res}:log'
const DOCS = '{res}:docs'
const chunkKey = (stage: string, chunk: number): string => `{res}:chunk:${stage}:${chunk}`

/** Between two looks at the head. */
const LOOK_MS = 150
/** Revisions of the log in one answer; a log has fewer but for a moment. */
const LOG_LIMIT = 1_000
const OUTCOMES = ['conflict', 'committed', 'torn'] as const

export class RedisResources implements ResourceStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  head(): Promise<Stored<ResourceHead>> {
    return this.#runner.run(RESOURCE_HEAD, TAG, [HEAD], [], headOf)
  }

  async stage(stage: string, chunk: number, writes: readonly ResourceWrite[]): Promise<Stored<void>> {
    const objection = chunkObjection(stage, writes)
    if (objection !== undefined) return objection
    const args = [encodeChunk(writes), RESOURCE_BOUNDS.stageKeepMs]
    return mapStored(
      await this.#runner.run(STAGE_RESOURCES, TAG, [chunkKey(stage, chunk)], args, numberOf),
      () => undefined,
    )
  }

  commit(commit: ResourceCommit): Promise<Stored<ResourceCommitted>> {
    const { stage, chunks, writes, expected, hash, note, files } = commit
    const place = [stage, chunks, writes, expected.revision, expected.hash, hash]
    const args = [...place, note, files === undefined ? '0' : '1', files ?? '']
    return this.#runner.run(COMMIT_RESOURCES, TAG, [HEAD, LOG], args, (reply) => {
      const [outcome, head] = listOf(reply)
      return { outcome: OUTCOMES[numberOf(outcome)] ?? 'conflict', head: headOf(head) }
    })
  }

  async abandon(stage: string, chunks: number): Promise<Stored<void>> {
    return mapStored(await this.#runner.run(ABANDON_RESOURCES, TAG, [HEAD], [stage, chunks], numberOf), () => undefined)
  }

  readBase(cursor: string): Promise<Stored<ResourceBasePage>> {
    return this.#runner.run(READ_RESOURCE_BASE, TAG, [HEAD, DOCS], [cursor === '' ? '0' : cursor], (reply) => {
      const [base, baseHash, next, flat] = listOf(reply)
      const after = textOf(next)
      return {
        base: numberOf(base),
        baseHash: textOf(baseHash),
        documents: pairsOf(listOf(flat)),
        next: after === '0' ? '' : after,
      }
    })
  }

  readBaseTexts(keys: readonly string[]): Promise<Stored<string[]>> {
    return this.#runner.run(READ_BASE_TEXTS, TAG, [DOCS], keys, (reply) => listOf(reply).map(textOf))
  }

  readLog(after: Pick<ResourceHead, 'revision' | 'hash'> | undefined): Promise<Stored<ResourceLog>> {
    const args = [after?.revision ?? '', after?.hash ?? '', LOG_LIMIT]
    return this.#runner.run(READ_RESOURCE_LOG, TAG, [HEAD, LOG], args, (reply): ResourceLog => {
      const [isThere, firstChunk, lines] = listOf(reply)
      if (numberOf(isThere) === 0) return { outcome: 'gap' }
      const revisions = listOf(lines).map((line) => revisionOf(textOf(line)))
      return { outcome: 'revisions', revisions, firstChunk: numberOf(firstChunk) }
    })
  }

  readChunk(stage: string, chunk: number): Promise<Stored<readonly ResourceWrite[] | undefined>> {
    return this.#runner.run(READ_VALUE, TAG, [chunkKey(stage, chunk)], [], (reply) =>
      reply === null ? undefined : decodeChunk(textOf(reply)),
    )
  }

  history(before: number, limit: number): Promise<Stored<ResourceRevision[]>> {
    return this.#runner.run(RESOURCE_HISTORY, TAG, [HEAD, LOG], [before, limit], (reply) =>
      listOf(reply).map((line) => revisionOf(textOf(line))),
    )
  }

  fold(): Promise<Stored<boolean>> {
    const { historyRevisions, historyWrites } = RESOURCE_BOUNDS
    const bounds = [historyRevisions, historyWrites]
    return this.#runner.run(FOLD_RESOURCES, TAG, [HEAD, LOG, DOCS], bounds, (reply) => numberOf(reply) === 1)
  }

  follow(onHead: (head: ResourceHead) => void): ResourceFollowing {
    return new Polling(this, onHead)
  }
}

class Polling implements ResourceFollowing {
  seenMs = Number.NEGATIVE_INFINITY
  readonly #store: RedisResources
  readonly #onHead: (head: ResourceHead) => void
  #timer: NodeJS.Timeout | undefined
  #isOn = true
  #told: ResourceHead | undefined

  constructor(store: RedisResources, onHead: (head: ResourceHead) => void) {
    this.#store = store
    this.#onHead = onHead
    void this.#look()
  }

  stop(): void {
    this.#isOn = false
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const askedMs = performance.now()
    const head = await this.#store.head()
    if (!this.#isOn) return
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS)
    this.#timer.unref()
    if (head.state !== 'stored') return
    this.seenMs = askedMs
    if (head.value.hash === this.#told?.hash && head.value.revision === this.#told.revision) return
    this.#told = head.value
    this.#onHead(head.value)
  }
}

function headOf(reply: Reply | undefined): ResourceHead {
  const [revision, hash, unixMs, files, base] = listOf(reply)
  return {
    revision: numberOf(revision),
    hash: textOf(hash),
    unixMs: numberOf(unixMs),
    files: textOf(files),
    base: numberOf(base),
  }
}

/** "revision stage ms hash chunks writes files note" */
function revisionOf(line: string): ResourceRevision {
  const found = /^(\d+) (\S+) (\d+) (\S+) (\d+) (\d+) \S+ (.*)$/s.exec(line)
  if (found === null) throw new TypeError('expected a revision')
  const [, revision, stage = '', unixMs, hash = '', chunks, writes, note = ''] = found
  return {
    revision: Number(revision),
    stage,
    unixMs: Number(unixMs),
    hash,
    chunks: Number(chunks),
    writes: Number(writes),
    note,
  }
}

function pairsOf(flat: Reply[]): ResourceWrite[] {
  const pairs: ResourceWrite[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([textOf(flat[i]), textOf(flat[i + 1])])
  return pairs
}
