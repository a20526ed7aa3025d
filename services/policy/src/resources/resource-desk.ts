// SPDX-License-Identifier: MIT
//
// The service of resources on a policy node (proto/tandem/resources/v1), and the cluster's own files as one of its writers.
import {
  type CheckOptions,
  checkChanges,
  type Held,
  type LoadOptions,
  type Proposal,
  propose,
  proposeDocuments,
  type ResourceSet,
  SecretBox,
  yamlOf,
} from '@tandem/resources'
import { done, type ResourceHandlers, type Result, refused, type resources } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { ResourceHead, ResourceStore } from '@tandem/store'
import type { PolicyState, StateOptions } from '../state.ts'
import { HeldList } from './held-list.ts'
import { storedValue } from './read-store.ts'
import { reseal } from './reseal.ts'
import { ResourceNode } from './resource-node.ts'
import { bareRevision, wireResource, wireRevision, wireWritten } from './resource-wire.ts'
import { ResourceWriter, type WriteTerms, type Written } from './resource-writer.ts'

/** What the cluster brings by itself: the set, and its documents as they were written. */
export interface FileResources {
  readonly set: ResourceSet
  readonly documents: readonly unknown[]
}

export interface ResourceDeskOptions {
  readonly store: ResourceStore
  readonly keyRing: readonly { readonly id: number; readonly secret: string }[]
  readonly load: LoadOptions
  readonly state: StateOptions
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly use: (state: PolicyState, set: ResourceSet) => void
  readonly files: FileResources
  /** Location does not read this store: static contacts would never reach it. */
  readonly isApart?: boolean
  /** Longest pause before secrets are sealed anew. */
  readonly resealSpreadMs?: number
}

const FILES = 'files'
const API = 'api'
const MAX_DELETED = 10_000
const MAX_REFERRERS = 100
const EXPORT_PAGE = 500
const FIRST_LOOK_MS = 5_000
const FILE_TRIES = 5
/** The head is looked at several times a second. */
const SILENCE_MS = 5_000

const badRequest = (sentence: string) => refused('bad_request', 400, sentence)
const isManager = (name: string): boolean => /^[a-z0-9-]{1,64}$/.test(name)

interface Asked {
  readonly expectedRevision: bigint
  readonly dryRun: boolean
  readonly author: string
  readonly comment: string
}

/** undefined: out of bounds. */
function termsOf({ expectedRevision, dryRun, author, comment }: Asked, manager: string): WriteTerms | undefined {
  if (author.length > 200 || comment.length > 1_000 || !isManager(manager) || manager === FILES) return undefined
  return { expectedRevision: Number(expectedRevision), dryRun, author, comment, manager }
}

const BAD_TERMS = badRequest(
  'expected an author of at most 200 characters, a comment of at most 1,000, and a manager of lower-case letters, digits and dashes that is not "files"',
)

interface Selection {
  readonly kind: string
  readonly domain: string
  readonly manager: string
}

function isSelected({ manager, resource }: Held, wanted: Selection): boolean {
  const { metadata, kind } = resource
  if (wanted.kind !== '' && kind !== wanted.kind) return false
  if (wanted.manager !== '' && manager !== wanted.manager) return false
  return wanted.domain === '' || ('domain' in metadata && metadata.domain === wanted.domain.toLowerCase())
}

const NO_REACH =
  'expected no contacts: with an embedded store and a process for each service only contacts of the files reach location; use Redis, --processes single, or the files'

function contactsOf(held: Held | undefined): string {
  const { resource } = held ?? {}
  return resource?.kind === 'Subscriber' ? JSON.stringify(resource.spec.contacts ?? []) : '[]'
}

const hasNewContacts = (one: Held, held: ReadonlyMap<string, Held>): boolean =>
  contactsOf(one) !== contactsOf(held.get(one.key))

export class ResourceDesk {
  readonly node: ResourceNode
  readonly handlers: ResourceHandlers
  readonly #options: ResourceDeskOptions
  readonly #writer: ResourceWriter
  readonly #box: SecretBox
  readonly #list = new HeldList()
  #filesTrouble = ''
  #isStopped = false

  constructor(options: ResourceDeskOptions) {
    const { store, load, logger } = options
    this.#options = options
    this.#box = new SecretBox(options.keyRing)
    this.node = new ResourceNode({ ...options, box: this.#box })
    this.#writer = new ResourceWriter({ store, node: this.node, box: this.#box, load, logger })
    this.handlers = this.#createHandlers()
  }

  /** Why this node does not use what it should; '' where it does. */
  get trouble(): string {
    return this.node.trouble || this.#filesTrouble
  }

  /** The store has told what there is, once. */
  get isFollowing(): boolean {
    return this.node.at !== undefined
  }

  /** What is not as it should be, a line each. An older revision that is in use keeps nobody from working. */
  missing(): string[] {
    const { at, head, ageMs } = this.node
    const lines: string[] = []
    if (at === undefined) lines.push('resources: the store has not said yet what there is')
    else if (head.revision > at.revision)
      lines.push(`resources: revision ${at.revision} is in use, the newest is ${head.revision}`)
    if (this.trouble !== '') lines.push(`resources: ${this.trouble}`)
    if (at !== undefined && ageMs > SILENCE_MS)
      lines.push(`resources: not heard of for ${Math.floor(ageMs / 1_000)} s; revision ${at.revision} stays in use`)
    return lines
  }

  /** Follows the store. Waits a few seconds for its first answer, so that nobody is turned away for what is there. */
  async start(): Promise<void> {
    this.node.start()
    const first = this.node.catchUp().then(() => this.applyFiles())
    void first.then(() => this.#reseal()).catch(() => undefined)
    await Promise.race([first, new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS).unref())])
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.node.stop()
  }

  /** Makes the cluster's files what the store says, unless they were it already. Tried again while the store is away. */
  async applyFiles(): Promise<void> {
    const { files, logger } = this.#options
    const mark = this.#box.mark(files.set.revision)
    for (let tries = 0; !this.#isStopped; tries++) {
      const result = await this.#applyFilesOnce(mark)
      if (result === undefined) return
      if (result.outcome === 'done') {
        this.#judgeFiles(result.value)
        return
      }
      if (tries === FILE_TRIES)
        logger.warn({ trouble: detailOf(result) }, 'the resources of the files are not in the store yet; trying again')
      await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** tries, 5_000)).unref())
    }
  }

  /** undefined: nothing is to be done. */
  async #applyFilesOnce(mark: string): Promise<Result<Written> | undefined> {
    const { store, files } = this.#options
    const head = await store.head()
    if (head.state !== 'stored') return { outcome: 'unknown', detail: head.detail }
    const isNothing = files.documents.length === 0 && head.value.files === ''
    if (isNothing || head.value.files === mark) return undefined
    const comment = 'the cluster started with other files'
    const terms = { expectedRevision: 0, dryRun: false, author: FILES, comment, manager: FILES, files: mark }
    const documents = files.documents.map((value, n) => ({
      origin: { file: FILES, document: n + 1, line: 0 },
      // They are changed in place, and wanted again where somebody was quicker.
      value: structuredClone(value),
      problems: [],
    }))
    return this.#writer.write(terms, (revision) =>
      proposeDocuments(this.node.held, documents, { ...this.#checks(), manager: FILES, replace: true, revision }),
    )
  }

  #judgeFiles({ proposal }: Written): void {
    const [problem] = proposal.problems
    this.#filesTrouble = ''
    if (problem === undefined) return
    this.#filesTrouble = `the files do not fit to what is applied: ${problem.path}: ${problem.expected}`
    const { problems } = proposal
    this.#options.logger.error(
      { problems: problems.slice(0, 10) },
      'the resources of the files are not used: they do not fit to what is applied',
    )
  }

  /** Others seal and open from now on; what older keys have sealed is sealed again. Comes back when that is over. */
  async useKeyRing(ring: ResourceDeskOptions['keyRing']): Promise<void> {
    this.#box.useKeyRing(ring)
    await this.node.catchUp().catch(() => undefined)
    await this.#reseal()
  }

  /** Once for each key. */
  async #reseal(): Promise<void> {
    const key = this.#box.sealingKey
    const goesOn = (): boolean => !this.#isStopped && this.#box.sealingKey === key
    const { logger, resealSpreadMs } = this.#options
    const spread = resealSpreadMs === undefined ? {} : { spreadMs: resealSpreadMs }
    await reseal({ node: this.node, writer: this.#writer, logger, goesOn, ...spread }, key)
  }

  #createHandlers(): ResourceHandlers {
    return {
      apply: ({ options, sources }) => this.#apply(options, sources),
      get: (request) => this.#get(request),
      list: (request) => this.#page(request),
      delete: (request) => this.#delete(request),
      export: (request) => this.#export(request),
      listHistory: (request) => this.#history(request),
      rollback: (request) => this.#rollback(request),
      getHead: () => this.#head(),
    }
  }

  async #apply(options: resources.ApplyOptions, sources: Parameters<typeof propose>[1]) {
    const terms = termsOf(options, options.manager || API)
    if (terms === undefined) return BAD_TERMS
    const { manager } = terms
    return this.#write(terms, (revision) =>
      propose(this.node.held, sources, { ...this.#checks(), manager, replace: options.replace, revision }),
    )
  }

  async #delete(request: resources.DeleteRequest): Promise<Result<resources.ApplyResponse>> {
    const terms = termsOf(request, request.manager || API)
    if (terms === undefined) return BAD_TERMS
    const keys = [...new Set(request.keys)]
    if (keys.length === 0 || keys.length > MAX_DELETED) return badRequest(`expected 1 to ${MAX_DELETED} keys`)
    const missing = keys.find((key) => !this.node.held.has(key))
    if (missing !== undefined) return refused('unknown_resource', 404, `there is no ${missing}`)
    return this.#write(terms, () => this.#proposeDelete(keys, terms.manager))
  }

  async #proposeDelete(keys: readonly string[], manager: string): Promise<Proposal> {
    const removed = keys.flatMap((key) => this.node.held.get(key) ?? [])
    const others = removed.filter((one) => one.manager !== manager)
    const problems = others.map((one) => ({
      file: one.key,
      document: 0,
      line: 0,
      code: 'managed' as const,
      path: '',
      expected: `expected a resource of ${manager}; it belongs to ${one.manager}`,
    }))
    const changes = { put: [], removed }
    if (problems.length === 0) problems.push(...((await this.#referrers(changes)) as typeof problems))
    return { ...changes, unchanged: 0, problems: problems.slice(0, MAX_REFERRERS), warnings: [] }
  }

  /** Of what is held now. */
  #checks(): CheckOptions {
    return { ...this.#options.load, names: this.node.names }
  }

  #referrers(changes: { put: readonly Held[]; removed: readonly Held[] }) {
    return checkChanges(this.node.held, changes, this.#checks())
  }

  async #rollback(request: resources.RollbackRequest): Promise<Result<resources.ApplyResponse>> {
    const terms = termsOf(request, API)
    if (terms === undefined) return BAD_TERMS
    const revision = Number(request.revision)
    const comment = terms.comment || `back to revision ${revision}`
    return this.#write({ ...terms, comment }, (next) => this.#writer.proposeRollback(revision, next))
  }

  async #write(terms: WriteTerms, proposing: (revision: number) => Promise<Proposal>) {
    const result = await this.#writer.write(terms, async (next) => this.#withinReach(await proposing(next)))
    if (result.outcome !== 'done') return result
    return done(wireWritten(result.value, await this.#revisionOf(result.value.head)))
  }

  #withinReach(proposal: Proposal): Proposal {
    const { held } = this.node
    const stuck = this.#options.isApart !== true ? undefined : proposal.put.find((one) => hasNewContacts(one, held))
    if (stuck === undefined) return proposal
    const problem = {
      file: stuck.key,
      document: 0,
      line: 0,
      code: 'invalid',
      path: 'spec.contacts',
      expected: NO_REACH,
    } as const
    return { ...proposal, problems: [...proposal.problems, problem] }
  }

  async #revisionOf(head: ResourceHead): Promise<resources.Revision> {
    const found = await this.#options.store.history(head.revision + 1, 1)
    const [newest] = found.state === 'stored' ? found.value : []
    return newest?.revision === head.revision ? wireRevision(newest) : bareRevision(head)
  }

  async #get({ kind, domain, name }: resources.GetRequest): Promise<Result<resources.GetResponse>> {
    const key = domain === '' ? `${kind}/${name}` : `${kind}/${domain.toLowerCase()}/${name}`
    const held = this.node.held.get(key)
    if (held === undefined) return refused('unknown_resource', 404, `there is no ${key}`)
    const problems = await this.#referrers({ put: [], removed: [held] })
    const referredBy = [...new Set(problems.map(({ file }) => file))].slice(0, MAX_REFERRERS)
    return done({ resource: wireResource(held), referredBy, revision: this.#revision() })
  }

  async #page(request: resources.ListRequest): Promise<Result<resources.ListResponse>> {
    const labels = Object.entries(request.labels)
    const isWanted = (one: Held): boolean =>
      isSelected(one, request) &&
      one.resource.metadata.name.startsWith(request.namePrefix) &&
      labels.every(([label, value]) => one.resource.metadata.labels[label] === value)
    const limit = Math.min(request.pageSize || 100, 1_000)
    const { found, total, next } = await this.#list.page(
      this.node.held,
      this.#hash(),
      isWanted,
      request.pageToken,
      limit,
    )
    return done({ resources: found.map(wireResource), nextPageToken: next, total, revision: this.#revision() })
  }

  async #export(request: resources.ExportRequest): Promise<Result<resources.ExportResponse>> {
    const isWanted = (one: Held): boolean => isSelected(one, request)
    const { found, next } = await this.#list.page(
      this.node.held,
      this.#hash(),
      isWanted,
      request.pageToken,
      EXPORT_PAGE,
    )
    return done({ yaml: yamlOf(found), nextPageToken: next, revision: this.#revision() })
  }

  async #history({ before, limit }: resources.ListHistoryRequest): Promise<Result<resources.ListHistoryResponse>> {
    const found = await this.#options.store.history(Number(before), Math.min(limit || 20, 100))
    if (found.state !== 'stored') return refused('store_away', 503, found.detail, { retryAfterS: 1 })
    return done({ revisions: found.value.map(wireRevision) })
  }

  async #head(): Promise<Result<resources.GetHeadResponse>> {
    const head = await storedValue(this.#options.store.head()).catch(() => undefined)
    if (head === undefined) return refused('store_away', 503, 'the store does not answer', { retryAfterS: 1 })
    const inUse = this.#revision()
    return done({ head: await this.#revisionOf(head), inUse, trouble: this.trouble, resources: this.node.held.size })
  }

  #revision(): bigint {
    return BigInt(this.node.at?.revision ?? 0)
  }

  #hash(): string {
    return this.node.at?.hash ?? ''
  }
}

function detailOf(result: Exclude<Result<Written>, { outcome: 'done' }>): string {
  return result.outcome === 'refused' ? result.refusal.detail : result.detail
}
