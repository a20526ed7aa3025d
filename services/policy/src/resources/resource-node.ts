// SPDX-License-Identifier: MIT
//
// The resources of the store as this node uses them: follows the head, reads what changed, lays it out beside what is in use, and takes it
// into use at once. What can't be read or laid out leaves the old revision in use: that is logged, counted, told by GetHead, and tried again.
// Invariant: `held` and the state in use are of one revision; both change in one turn of the event loop.
// Race: a head that comes while a revision is laid out is looked at right after.
import {
  eachOf,
  type Held,
  type HeldNames,
  type Holdings,
  heldOf,
  inTurns,
  type Kind,
  type LayOutChanges,
  type LoadOptions,
  type NamedContent,
  type Resource,
  type ResourceSet,
  readNamed,
  type SecretBox,
  type Sliced,
} from '@tandem/resources'
import type { Logger } from '@tandem/service-kit'
import { NO_HEAD, type ResourceFollowing, type ResourceHead, type ResourceStore } from '@tandem/store'
import { buildState, type PolicyState, type StateOptions } from '../state.ts'
import { type At, type ReadRevision, readRevision, StoreSilent } from './read-store.ts'

export interface ResourceNodeOptions {
  readonly store: ResourceStore
  readonly box: SecretBox
  readonly load: LoadOptions
  readonly state: StateOptions
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Takes a revision into use. */
  readonly use: (state: PolicyState, set: ResourceSet) => void
}

/** After a failure. */
const RETRY_MS = 2_000

interface InUse {
  readonly state: PolicyState
  readonly set: ResourceSet
}

interface Delta {
  readonly put: ReadonlyMap<string, Held>
  readonly gone: readonly Held[]
}

function* heldTexts(texts: ReadonlyMap<string, string>, box: SecretBox): Sliced<Map<string, Held>> {
  const found = new Map<string, Held>()
  yield* eachOf(texts, ([key, text]) => {
    if (text !== '') found.set(key, heldOf(key, text, box))
  })
  return found
}

const isSubscriber = (resource: Resource): resource is Extract<Resource, { kind: 'Subscriber' }> =>
  resource.kind === 'Subscriber'

const userKey = ({ index }: PolicyState, name: string, domain: string): string | undefined => {
  const entry = index.homes.get(domain)?.entry
  return (entry?.users.get(name) ?? entry?.numbers.get(name))?.key
}

const loginKey =
  ({ credentials }: PolicyState): HeldNames['loginOf'] =>
  (username, realm) => {
    const holder = credentials.find(realm, username)?.holder
    return holder !== undefined && 'key' in holder ? holder.key : undefined
  }

export class ResourceNode {
  readonly #options: ResourceNodeOptions
  readonly #held = new Map<string, Held>()
  #at: At | undefined
  #inUse: InUse | undefined
  #head: ResourceHead = NO_HEAD
  #running: Promise<void> | undefined
  #following: ResourceFollowing | undefined
  #retry: NodeJS.Timeout | undefined
  #trouble = ''
  #isStopped = false
  readonly counts = { applied: 0, failed: 0, lastMs: 0, longestMs: 0 }

  constructor(options: ResourceNodeOptions) {
    this.#options = options
  }

  get held(): Holdings {
    return this.#held
  }

  /** Who has which name, of what is held. */
  get names(): HeldNames | undefined {
    const state = this.#inUse?.state
    return state && { userOf: (name, domain) => userKey(state, name, domain), loginOf: loginKey(state) }
  }

  /** The revision in use; undefined: none of the store's yet. */
  get at(): At | undefined {
    return this.#at
  }

  get head(): ResourceHead {
    return this.#head
  }

  /** Why an older revision is in use; '' where none is. */
  get trouble(): string {
    return this.#trouble
  }

  /** Since the head was last seen, milliseconds. */
  get ageMs(): number {
    return performance.now() - (this.#following?.seenMs ?? Number.NEGATIVE_INFINITY)
  }

  start(): void {
    this.#following = this.#options.store.follow((head) => {
      this.#head = head
      void this.catchUp()
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#following?.stop()
    clearTimeout(this.#retry)
    await this.#running
  }

  /** Takes the newest revision into use, if it can. */
  async catchUp(): Promise<void> {
    // Who is on the way may have looked before the head that the caller means.
    if (this.#running !== undefined) await this.#running
    if (this.#isStopped) return
    this.#running ??= this.#update().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async #update(): Promise<void> {
    clearTimeout(this.#retry)
    const began = performance.now()
    try {
      const read = await readRevision(this.#options.store, this.#at)
      if (read.revision === this.#at?.revision && read.hash === this.#at.hash) return this.#settled()
      if (read.revision === 0) return this.#nothingThere(read)
      await this.#take(read)
      const { counts } = this
      counts.applied++
      counts.lastMs = performance.now() - began
      counts.longestMs = Math.max(counts.longestMs, counts.lastMs)
      this.#settled()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Before anything was applied, what the node began with stays in use; a store that has lost everything changes nothing. */
  #nothingThere({ revision, hash }: ReadRevision): void {
    if (this.#at !== undefined) throw new Error('the store has lost all resources')
    this.#at = { revision, hash }
    this.#settled()
  }

  #settled(): void {
    if (this.#trouble !== '')
      this.#options.logger.info({ revision: this.#at?.revision }, 'resources are up to date again')
    this.#trouble = ''
  }

  #failed(error: unknown): void {
    const sentence = error instanceof Error ? error.message : String(error)
    if (!(error instanceof StoreSilent)) {
      this.counts.failed++
      const about = { inUse: this.#at?.revision ?? 0, head: this.#head.revision, trouble: sentence }
      if (this.#trouble !== sentence)
        this.#options.logger.error(about, 'resources of the store can not be used: the revision before stays in use')
      this.#trouble = sentence
    }
    if (this.#isStopped) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.catchUp(), RETRY_MS)
    this.#retry.unref()
  }

  async #take(read: ReadRevision): Promise<void> {
    const delta = await this.#deltaOf(read)
    const resources = await inTurns(this.#resourcesWith(delta))
    const changes = this.#changesOf(delta)
    const named = await this.#namedOf(resources, changes)
    const set: ResourceSet = { ...named, resources, revision: read.hash }
    const from = this.#inUse && { state: this.#inUse.state, changes }
    const state = await inTurns(buildState(set, this.#options.state, from))
    for (const { key } of delta.gone) this.#held.delete(key)
    for (const [key, held] of delta.put) this.#held.set(key, held)
    this.#at = { revision: read.revision, hash: read.hash }
    this.#inUse = { state, set }
    this.#options.use(state, set)
  }

  async #deltaOf({ texts, isWhole }: ReadRevision): Promise<Delta> {
    const put = await inTurns(heldTexts(texts, this.#options.box))
    const gone: Held[] = []
    const keys = isWhole ? this.#held.keys() : texts.keys()
    await inTurns(
      eachOf(keys, (key) => {
        const held = this.#held.get(key)
        if (held !== undefined && !put.has(key)) gone.push(held)
      }),
    )
    return { put, gone }
  }

  *#resourcesWith({ put, gone }: Delta): Sliced<Resource[]> {
    const without = new Set(gone.map(({ key }) => key))
    const resources: Resource[] = []
    yield* eachOf(this.#held.values(), ({ key, resource }) => {
      if (!without.has(key) && !put.has(key)) resources.push(resource)
    })
    yield* eachOf(put.values(), ({ resource }) => resources.push(resource))
    return resources
  }

  #changesOf({ put, gone }: Delta): LayOutChanges {
    const now = [...put.values()].map(({ resource }) => resource)
    const before = [...gone, ...[...put.keys()].flatMap((key) => this.#held.get(key) ?? [])].map((one) => one.resource)
    const without = new Set(gone.map(({ key }) => key))
    return {
      kinds: new Set<Kind>([...now, ...before].map(({ kind }) => kind)),
      put: now.filter(isSubscriber),
      gone: before.filter(isSubscriber),
      find: (key) => put.get(key)?.resource ?? (without.has(key) ? undefined : this.#held.get(key)?.resource),
    }
  }

  /** What changed kinds name is read again; secrets of subscribers one by one. */
  async #namedOf(resources: readonly Resource[], changes: LayOutChanges): Promise<NamedContent> {
    const { kinds, put, gone } = changes
    const known = this.#inUse?.set
    const wanted = resources.filter(
      (one) => one.kind === 'Domain' || (one.kind !== 'Subscriber' && kinds.has(one.kind)),
    )
    const all = known === undefined ? resources : [...wanted, ...put]
    const located = all.map((resource) => ({ resource, origin: { file: 'store', document: 0, line: 0 } }))
    const { problems, hashes: _, ...named } = await readNamed(located, this.#options.load)
    const [problem] = problems
    if (problem !== undefined) throw new Error(`${problem.path}: ${problem.expected}`)
    if (known === undefined) return named
    const secrets = new Map(known.secrets)
    for (const { metadata } of gone) secrets.delete(`Subscriber/${metadata.domain}/${metadata.name}`)
    for (const [key, secret] of named.secrets) secrets.set(key, secret)
    const { resources: _resources, revision: _revision, ...before } = known
    return { ...before, ...named, ...unchanged(before, kinds), secrets }
  }
}

/** Parts whose kinds did not change, as they were. */
function unchanged(before: NamedContent, kinds: ReadonlySet<Kind>): Partial<NamedContent> {
  return {
    ...(!kinds.has('RatePlan') && before.decks && { decks: before.decks }),
    ...(!kinds.has('NumberList') && before.lists && { lists: before.lists }),
    ...(!kinds.has('Trunk') && before.trunkSecrets && { trunkSecrets: before.trunkSecrets }),
  }
}
