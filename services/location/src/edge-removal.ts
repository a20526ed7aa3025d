// SPDX-License-Identifier: MIT
//
// Removes the bindings behind connections of edges that are gone for good: a newer incarnation has leased, or nobody heard of them for a
// minute while the store was up [DESIGN §4, §3.9]. The store says which, and keeps an index of what each edge holds, so that nothing is scanned.
// One node claims an edge, for a time that it renews; one that is killed in the middle is followed by another, which does what is left.
// While it goes on, the edge can't lease, and REGISTERs through it are refused (register.ts), so that nothing new is removed with the old.
import { type LocationStore, SHARDS } from '@tandem/store'
import type { LocationCounts } from './counts.ts'
import type { LocationServiceOptions } from './options.ts'

/** Bindings of one call to the store, at most: keeps a script within a few milliseconds. */
const PER_CALL = 50
const CLAIM_MS = 10_000
/** A claim this old is renewed before more is removed: less than it lasts by more than any write takes. */
const RENEW_MS = 3_000

export interface EdgeRemovalOptions {
  readonly store: LocationStore
  readonly node: string
  readonly counts: LocationCounts
  readonly logger: Pick<LocationServiceOptions['logger'], 'info'>
  /** Whether any edge is gone, as this node knows it. */
  readonly isNeeded: () => boolean
  /** Bindings of this shard have changed, and somebody watches them. */
  readonly onWatched: (shard: number) => void
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class EdgeRemoval {
  readonly #options: EdgeRemovalOptions
  #round: Promise<void> | undefined
  #isStopped = false

  constructor(options: EdgeRemovalOptions) {
    this.#options = options
  }

  /** All edges whose time has come; a round that is under way is shared. Never rejects. */
  round(): Promise<void> {
    if (this.#round === undefined && (this.#isStopped || !this.#options.isNeeded())) return Promise.resolve()
    this.#round ??= this.#removeAll().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#round
  }

  async #removeAll(): Promise<void> {
    const { store, node } = this.#options
    while (!this.#isStopped) {
      const claim = await store.claimGone(node, CLAIM_MS)
      if (claim.state !== 'stored' || claim.value === undefined) return
      if (!(await this.#remove(claim.value))) return
    }
  }

  /** False: not done; somebody goes on when the claim is over. */
  async #remove(edgeId: string): Promise<boolean> {
    const { store, node, counts, logger, now } = this.#options
    let claimedAt = now()
    const isClaimed = async (): Promise<boolean> => {
      if (now() - claimedAt < RENEW_MS) return true
      const asked = now()
      const claim = await store.claimGone(node, CLAIM_MS, edgeId)
      claimedAt = asked
      return claim.state === 'stored' && claim.value === edgeId
    }
    let removed = 0
    for (let shard = 0; shard < SHARDS; shard++) {
      for (let more = true; more; ) {
        if (this.#isStopped || !(await isClaimed())) return false
        const began = now()
        const result = await store.removeEdgeBindings(shard, edgeId, PER_CALL)
        if (result.state !== 'stored') return false
        removed += result.value.removed
        counts.disconnected += result.value.removed
        more = result.value.more
        if (result.value.watched) this.#options.onWatched(shard)
        if (result.value.removed > 0) await rest(now() - began)
      }
    }
    const settled = await store.settleGone(node, edgeId)
    if (removed > 0)
      logger.info({ edge: edgeId, removed }, 'removed the bindings behind connections of an edge that is gone')
    return settled.state === 'stored'
  }
}

/** As long as the last call took: half of the store at most is for this. */
function rest(tookMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(tookMs, 100)))
}
