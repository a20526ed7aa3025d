// SPDX-License-Identifier: MIT
//
// What a set of documents would change in what is held, and what is wrong with it: the same checks as files have, on the set as it would be.
// Bounded: documents by limits.ts, problems by MAX_PROBLEMS. In slices.
import type { Origin, ResourceProblem } from '../errors.ts'
import { hashPasswords, realmsOf } from '../ha1.ts'
import { eachOf, inTurns } from '../lay-out/slices.ts'
import { MAX_PROBLEMS } from '../limits.ts'
import { parseDocument } from '../parse-document.ts'
import { placeProblems, type SourceDocument, type YamlSource } from '../yaml-source.ts'
import { type Changes, type CheckOptions, checkChanges, type Holdings } from './check-changes.ts'
import { type Held, holdDocument, isSameHeld, secretTexts } from './held.ts'
import { keepSecrets } from './masking.ts'
import { readSource, type SourceText } from './source-text.ts'

export interface Proposal extends Changes {
  readonly unchanged: number
  /** Any: nothing may be written. */
  readonly problems: readonly ResourceProblem[]
  /** A sentence each. */
  readonly warnings: readonly string[]
}

export interface ProposalOptions {
  /** Whose the resources are. */
  readonly manager: string
  /** The manager's resources become exactly these. */
  readonly replace: boolean
  /** The revision that it would be. */
  readonly revision: number
}

interface Proposing extends ProposalOptions {
  readonly held: Holdings
  readonly put: Map<string, { readonly next: Held; readonly origin: Origin }>
  readonly same: Map<string, Origin>
  readonly problems: ResourceProblem[]
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** The key of a document that may be anything. */
function keyOfDocument(document: unknown): string {
  if (!isObject(document) || !isObject(document.metadata)) return ''
  const { name, domain } = document.metadata
  return typeof domain === 'string'
    ? `${String(document.kind)}/${domain.toLowerCase()}/${String(name)}`
    : `${String(document.kind)}/${String(name)}`
}

function realmsWith(held: Holdings, documents: readonly SourceDocument[]): Map<string, string> {
  const realms = new Map<string, string>()
  for (const { resource } of held.values()) {
    if (resource.kind === 'Domain') realms.set(resource.metadata.name, resource.spec.realm ?? resource.metadata.name)
  }
  for (const [domain, realm] of realmsOf(documents.map(({ value }) => value))) realms.set(domain, realm)
  return realms
}

function read({ value, origin, problems }: SourceDocument, into: Proposing): void {
  into.problems.push(...problems)
  if (problems.length > 0) return
  const before = into.held.get(keyOfDocument(value))
  for (const path of keepSecrets(value, before && secretTexts(before))) {
    const expected = 'expected a secret; none is held here that could be kept'
    into.problems.push({ ...origin, code: 'secret', path, expected })
  }
  const parsed = parseDocument(value, origin)
  if (!('resource' in parsed)) {
    into.problems.push(...parsed.problems)
    return
  }
  take(holdDocument(value, parsed.resource, into.manager, into.revision), origin, into)
}

function take(next: Held, origin: Origin, into: Proposing): void {
  const { key } = next
  const before = into.held.get(key)
  const problem = (code: ResourceProblem['code'], path: string, expected: string): void =>
    void into.problems.push({ ...origin, code, path, expected })
  if (into.put.has(key) || into.same.has(key)) problem('duplicate', 'metadata.name', `expected ${key} once`)
  else if (before !== undefined && before.manager !== into.manager)
    problem('managed', 'metadata.name', `expected a resource of ${into.manager}; ${key} belongs to ${before.manager}`)
  else if (before !== undefined && isSameHeld(before, next)) into.same.set(key, origin)
  else into.put.set(key, { next, origin })
}

/** Hashes of passwords hold for one realm. */
function warningsOf(held: Holdings, { put }: Changes): string[] {
  const warnings: string[] = []
  for (const { key, resource } of put) {
    const before = held.get(key)?.resource
    if (resource.kind !== 'Domain' || before?.kind !== 'Domain' || before.spec.realm === resource.spec.realm) continue
    warnings.push(
      `${key} gets another realm: subscribers whose passwords are held as hashes can't log in until they are applied again`,
    )
  }
  return warnings
}

/** Checks documents against what is held. Never throws for what they contain; their values are changed in place. */
export async function propose(
  held: Holdings,
  texts: readonly SourceText[],
  options: ProposalOptions & CheckOptions,
): Promise<Proposal> {
  const sources = new Map<string, YamlSource>()
  const documents: SourceDocument[] = []
  for (const text of texts) documents.push(...(await inTurns(readSource(text, sources))))
  const proposal = await proposeDocuments(held, documents, options)
  return { ...proposal, problems: placeProblems(proposal.problems, sources) }
}

/** The same for documents that are parsed. */
export async function proposeDocuments(
  held: Holdings,
  documents: readonly SourceDocument[],
  options: ProposalOptions & CheckOptions,
): Promise<Proposal> {
  const into: Proposing = { ...options, held, put: new Map(), same: new Map(), problems: [] }
  const realms = realmsWith(held, documents)
  await inTurns(
    eachOf(documents, (document) => {
      hashPasswords([document.value], realms)
      read(document, into)
    }),
  )
  const put = [...into.put.values()].map(({ next }) => next)
  const isSent = (key: string): boolean => into.put.has(key) || into.same.has(key)
  const removed = options.replace
    ? [...held.values()].filter(({ key, manager }) => manager === options.manager && !isSent(key))
    : []
  const changes = { put, removed }
  // References of a set that is only half there would report what is merely unread.
  if (into.problems.length === 0) {
    const origins = new Map(into.same)
    for (const [key, { origin }] of into.put) origins.set(key, origin)
    into.problems.push(...(await checkChanges(held, changes, options, origins)))
  }
  const problems = into.problems.slice(0, MAX_PROBLEMS)
  return { ...changes, unchanged: into.same.size, problems, warnings: warningsOf(held, changes) }
}
