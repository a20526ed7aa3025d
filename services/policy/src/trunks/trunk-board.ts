// SPDX-License-Identifier: MIT
//
// What this node knows of all trunks, from the store: breakers, places, quality. It looks at a trunk at once when any node has told that a breaker
// changed (polled each POLL_MS), and at every trunk in a slower round, so that nothing depends on one message. The same look has this
// node check places whose lease is over: of a call that is gone, or that another trunk answered, they are freed.
// What it knows may be a round old. Bounds are not kept by this: they are kept in the store, when an attempt begins.
import type { LiveCall, Stored, TrunkQuality, TrunkView } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import type { TrunkTerms } from './trunk-terms.ts'

const POLL_MS = 500
/** Polls of one round over all trunks. */
const ROUND_POLLS = 10
/** A place is looked at this often: what a lost release costs at most. */
export const PLACE_LEASE_MS = 60_000
/** Places of one look. */
const DUE_LIMIT = 256
const MAX_LOOKS = 16
/** What is known of places holds this long. */
const FRESH_MS = 1_000
/** Below so many attempts there are no ratios. */
const MIN_ATTEMPTS = 10

/** For plans. */
export interface TrunkFacts {
  /** None of its hosts may be tried. */
  readonly open: boolean
  readonly openHosts: ReadonlySet<string>
  /** Of these one call may try each: the leg asks before it does. */
  readonly trialHosts: ReadonlySet<string>
  /** It has as many calls as it may, as far as is known. */
  readonly full: boolean
  /** 0 to 1; undefined: too few attempts to say. */
  readonly asr: number | undefined
  readonly ner: number | undefined
  readonly acdMs: number | undefined
  readonly pddMs: number | undefined
}

interface Known {
  readonly view: TrunkView
  facts: TrunkFacts
  calls: number
  callsMs: number
}

const ratio = (part: number, of: number): number | undefined => (of < MIN_ATTEMPTS ? undefined : part / of)
const mean = (sum: number, of: number): number | undefined => (of === 0 ? undefined : Math.round(sum / of))

export function ratiosOf({ seized, answered, effective, ended, talkMs, rang, pddMs }: TrunkQuality) {
  return {
    asr: ratio(answered, seized),
    ner: ratio(effective, seized),
    acdMs: mean(talkMs, ended),
    pddMs: mean(pddMs, rang),
  }
}

function factsOf(terms: TrunkTerms, { hosts, quality }: TrunkView): TrunkFacts {
  const openHosts = new Set<string>()
  const trialHosts = new Set<string>()
  for (const { host, state } of hosts) {
    // A probe closes what probes look at.
    if (state === 'open' || (state === 'half' && terms.probe !== undefined)) openHosts.add(host)
    else if (state === 'half') trialHosts.add(host)
  }
  const open = terms.hosts.every(({ key }) => openHosts.has(key))
  return { open, openHosts, trialHosts, full: false, ...ratiosOf(quality) }
}

export class TrunkBoard {
  readonly #context: PolicyContext
  readonly #terms: () => ReadonlyMap<string, TrunkTerms>
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  #revision = 0
  #round: string[] = []
  #polling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #onBug: (error: unknown) => void

  /** @param now monotonic milliseconds */
  constructor(
    context: PolicyContext,
    terms: () => ReadonlyMap<string, TrunkTerms>,
    { now, onBug }: { now: () => number; onBug: (error: unknown) => void },
  ) {
    this.#context = context
    this.#terms = terms
    this.#now = now
    this.#onBug = onBug
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.poll().catch(this.#onBug), POLL_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#polling?.catch(() => undefined)
  }

  /** Looks at what is news, and at a part of all. A slow store delays it; polls never pile up. */
  poll(): Promise<void> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined
    })
    return this.#polling
  }

  /** undefined: no trunk has this name, or nothing is known of it yet. */
  facts(trunk: string): TrunkFacts | undefined {
    const known = this.#known.get(trunk)
    if (known === undefined) return undefined
    const full = this.#isFull(trunk, known)
    return full === known.facts.full ? known.facts : { ...known.facts, full }
  }

  view(trunk: string): TrunkView | undefined {
    return this.#known.get(trunk)?.view
  }

  /** As the store has just said. */
  noteCalls(trunk: string, calls: number): void {
    const known = this.#known.get(trunk)
    if (known === undefined) return
    known.calls = calls
    known.callsMs = this.#now()
  }

  /** All nodes look at it, this one at once. */
  async changed(trunk: string): Promise<void> {
    this.#context.health.see(await this.#context.trunkStore.tell(trunk))
    await this.look(trunk)
  }

  async look(trunk: string): Promise<void> {
    for (let i = 0; i < MAX_LOOKS; i++) {
      const terms = this.#terms().get(trunk)
      const { trunkStore, settings, health } = this.#context
      const looked = await trunkStore.lookAt(trunk, settings.trunks.qualityWindowMs, PLACE_LEASE_MS, DUE_LIMIT)
      if (!health.see(looked)) return
      const { value: view } = looked
      if (terms !== undefined) this.#take(trunk, terms, view)
      for (const ref of view.due) await this.#check(trunk, ref)
      if (view.due.length < DUE_LIMIT) return
    }
  }

  #take(trunk: string, terms: TrunkTerms, view: TrunkView): void {
    const before = this.#known.get(trunk)
    const facts = factsOf(terms, view)
    this.#known.set(trunk, { view, facts, calls: view.calls, callsMs: this.#now() })
    if (before !== undefined && before.facts.open !== facts.open) {
      const { logger } = this.#context
      logger.info(
        { trunk, event: facts.open ? 'trunk_open' : 'trunk_closed' },
        facts.open ? 'a trunk is left alone' : 'a trunk is used again',
      )
    }
  }

  #isFull(trunk: string, { calls, callsMs }: Known): boolean {
    const most = this.#terms().get(trunk)?.maxCalls
    return most !== undefined && calls >= most && this.#now() - callsMs <= FRESH_MS
  }

  /** The lease of this call's place is over: is it still there? */
  async #check(trunk: string, ref: string): Promise<void> {
    const { store, trunkStore, settings, health, counts } = this.#context
    const live = await store.readLive(ref)
    if (!health.see(live) || isAt(live, trunk)) return
    const freed = await trunkStore.endCall(trunk, ref, undefined, settings.trunks.qualityWindowMs)
    if (health.see(freed)) counts.trunkPlacesFreed++
  }

  async #poll(): Promise<void> {
    const news = await this.#context.trunkStore.readNews(this.#revision)
    if (!this.#context.health.see(news)) return
    this.#revision = news.value.revision
    const part = this.#nextPart()
    for (const trunk of new Set([...news.value.trunks, ...part])) await this.look(trunk)
  }

  /** In the first poll all. */
  #nextPart(): string[] {
    const all = this.#terms()
    for (const trunk of this.#known.keys()) if (!all.has(trunk)) this.#known.delete(trunk)
    if (this.#round.length === 0) this.#round = [...all.keys()]
    const count = this.#known.size < all.size ? all.size : Math.ceil(all.size / ROUND_POLLS)
    return this.#round.splice(0, count)
  }
}

/** In set-up, or answered by this trunk as far as anybody knows. */
function isAt({ value }: Extract<Stored<LiveCall | undefined>, { state: 'stored' }>, trunk: string): boolean {
  if (value === undefined) return false
  if (value.state === 'setup') return true
  const { attempts } = value.call
  const answered = attempts.filter(({ status }) => status >= 200 && status < 300)
  return answered.length === 0 || answered.some((attempt) => attempt.trunk === trunk)
}
