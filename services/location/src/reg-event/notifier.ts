// SPDX-License-Identifier: MIT
//
// Finds the watches that are due and pushes their NOTIFYs to edges. What is due stands in the store, set in the same step as
// the change of a binding: a node that dies after a REGISTER loses nothing, another one finds it in its next round.
// Several nodes may do this at once: a claim is a lease, and who writes the state first sends.
import type { location, PushHub } from '@tandem/rpc'
import { SHARDS, shardOf } from '@tandem/store'
import type { Membership } from '../membership.ts'
import { changeWatch } from './change-watch.ts'
import type { WatchDeps } from './deps.ts'
import { type Due, EDGE_CHECK_MS, type Edges, takeDue } from './schedule.ts'
import type { Subscription } from './state.ts'

/** A claimed watch that nobody writes is due again after this. */
const CLAIM_LEASE_MS = 5_000
/** Watches of one claim: what is pushed in one turn of the event loop stays far below what an edge's stream takes unread. */
const PER_CLAIM = 16
/** Claims for one shard in one visit. */
const CLAIMS_PER_VISIT = 60

export interface NotifierOptions {
  readonly deps: Omit<WatchDeps, 'wakeIn'>
  readonly membership: Membership
  readonly pushes: PushHub<location.Push>
  /** Between rounds over all shards. */
  readonly intervalMs: number
}

export class Notifier {
  readonly deps: WatchDeps
  readonly #options: NotifierOptions
  readonly #edges: Edges
  /** Shards under way; true: visit again when done. */
  readonly #visits = new Map<number, boolean>()
  readonly #timers = new Map<number, { readonly timer: NodeJS.Timeout; readonly atMs: number }>()
  #rounds: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined

  constructor(options: NotifierOptions) {
    this.#options = options
    this.deps = { ...options.deps, wakeIn: (aor, inMs) => this.#wakeIn(shardOf(aor), inMs) }
    this.#edges = {
      pick: (subscription) => this.#pick(subscription),
      isGone: (edgeId, ageMs) => this.#isGone(edgeId, ageMs),
    }
  }

  start(): void {
    this.#rounds ??= setInterval(() => void this.round(), this.#options.intervalMs)
    this.#rounds.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#rounds)
    this.#rounds = undefined
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    await this.#round
  }

  /** One visit to every shard; a round that is under way is shared. Never rejects. */
  round(): Promise<void> {
    this.#round ??= this.#visitAll().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  /** A binding of this AoR has changed, and it is watched. */
  changed(aor: string): void {
    this.changedShard(shardOf(aor))
  }

  changedShard(shard: number): void {
    void this.#visit(shard)
  }

  async #visitAll(): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) if (!(await this.#visit(shard))) return
  }

  /** False: the store does not answer. */
  async #visit(shard: number): Promise<boolean> {
    if (this.#visits.has(shard)) {
      this.#visits.set(shard, true)
      return true
    }
    this.#visits.set(shard, false)
    try {
      for (;;) {
        if (!(await this.#claimAll(shard))) return false
        if (this.#visits.get(shard) !== true) return true
        this.#visits.set(shard, false)
      }
    } finally {
      this.#visits.delete(shard)
    }
  }

  async #claimAll(shard: number): Promise<boolean> {
    for (let claim = 0; claim < CLAIMS_PER_VISIT; claim++) {
      const result = await this.#options.deps.store.claimWatches(shard, CLAIM_LEASE_MS, PER_CLAIM)
      if (result.state !== 'stored') return false
      const { aors, more, nextInMs } = result.value
      for (const aor of aors) await this.#notify(aor)
      if (more) {
        await new Promise(setImmediate)
        continue
      }
      if (nextInMs !== undefined) this.#wakeIn(shard, nextInMs)
      return true
    }
    this.#wakeIn(shard, 0)
    return true
  }

  async #notify(aor: string): Promise<void> {
    const { counts, watchBounds } = this.deps
    const changed = await changeWatch(this.deps, aor, (state, { nowMs }) => {
      if (state.subscriptions.length === 0) return { value: [], dueInMs: undefined }
      const { due, dueInMs } = takeDue(aor, state, nowMs, watchBounds.notifyIntervalMs, this.#edges)
      return { value: due, dueInMs }
    })
    if (changed.state !== 'stored') return // the claim ends, and it is due again
    counts.notifications += changed.value.length
    for (const due of changed.value) this.#push(due)
  }

  /** One that reaches nobody is found again, as any other without a report. */
  #push({ edgeId, notification }: Due): void {
    const peer = this.#peerOf(edgeId)
    if (peer !== '') this.#options.pushes.sendTo(peer, { event: { $case: 'notify', value: notification } })
  }

  /** The holder of the flow, or who took the SUBSCRIBE, while it can be told; else any member. */
  #pick({ flow, edgeId, callId }: Subscription): string {
    const { membership } = this.#options
    const first = flow !== undefined && flow.edgeId !== '' ? flow.edgeId : edgeId
    if (this.#peerOf(first) !== '' && membership.stateOf(first) !== 'gone') return first
    const others = (membership.edges?.edges ?? []).filter((edge) => !edge.draining && this.#peerOf(edge.id) !== '')
    return others[shardOf(callId) % others.length]?.id ?? ''
  }

  /** An edge that the list does not name has joined a moment ago, or is a former incarnation: the list is read each second. */
  #isGone(edgeId: string, ageMs: number): boolean {
    const { membership } = this.#options
    const state = membership.stateOf(edgeId)
    return state === 'gone' || (state === 'unknown' && ageMs >= EDGE_CHECK_MS && membership.edges !== undefined)
  }

  /** The name under which an edge has a stream here: its id, or its name alone; '' without one. */
  #peerOf(edgeId: string): string {
    const { pushes } = this.#options
    if (pushes.has(edgeId)) return edgeId
    const name = edgeId.slice(0, Math.max(0, edgeId.lastIndexOf('.')))
    return pushes.has(name) ? name : ''
  }

  /** Only between start and stop, and not for what a round finds as early. */
  #wakeIn(shard: number, inMs: number): void {
    if (this.#rounds === undefined || inMs > this.#options.intervalMs) return
    const atMs = performance.now() + inMs
    const known = this.#timers.get(shard)
    if (known !== undefined && known.atMs <= atMs) return
    clearTimeout(known?.timer)
    const timer = setTimeout(() => {
      this.#timers.delete(shard)
      void this.#visit(shard)
    }, inMs)
    timer.unref()
    this.#timers.set(shard, { timer, atMs })
  }
}
