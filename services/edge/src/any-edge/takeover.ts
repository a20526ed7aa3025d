// SPDX-License-Identifier: MIT
//
// What an edge that is gone leaves behind [DESIGN §4]: calls in set-up that no message will come for, because their callee rings, or
// because the next attempt was about to leave. The edges that remain share them out by rendezvous hashing, and take over what
// another one left lying.
//
// An edge is gone when a list of members does not name it any more: it left, a newer incarnation has joined, or its lease ended while the
// store was up. Bounds: MAX_GONE edges at once, PAGE calls in PAUSE_MS, MAX_LOOKS looks at each.
// Race: a message of such a call may come first, or another edge: the compare-and-set lets one of them have it.

import type { EdgeCore } from '../core.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import type { Claims } from './claims.ts'

interface Gone {
  readonly edgeId: string
  readonly sinceMs: number
  looks: number
  /** This edge has taken its share. */
  isShared: boolean
  dueMs: number
}

const PAGE = 64
const PAUSE_MS = 100
/** Between the look for one's own share and that for what others have left. */
const SECOND_LOOK_MS = 1_000
const MAX_GONE = 64
const MAX_LOOKS = 200

export class Takeover {
  private readonly core: EdgeCore
  private readonly claims: Claims
  private readonly gone = new Map<string, Gone>()
  private isAsking = false
  private underWay = 0

  constructor(core: EdgeCore, claims: Claims) {
    this.core = core
    this.claims = claims
  }

  /** A list of members names it no more. */
  onGone(edgeId: string): void {
    if (edgeId === this.core.edgeId || this.gone.size >= MAX_GONE) return
    this.gone.set(edgeId, { edgeId, sinceMs: this.core.now(), looks: 0, isShared: false, dueMs: 0 })
  }

  tick(nowMs: number): void {
    if (this.gone.size === 0 || this.isAsking || this.underWay > 0) return
    for (const gone of this.gone.values()) {
      if (gone.dueMs <= nowMs) return this.look(gone)
    }
  }

  private look(gone: Gone): void {
    const { core } = this
    this.isAsking = true
    const request = { owner: gone.edgeId, limit: PAGE * Math.max(1, core.membership.size) }
    core.location.call('listOwned', request, core.config.rpc.timeoutMs, (result) => {
      this.isAsking = false
      gone.looks += 1
      if (result.outcome !== 'done') return this.lookAgain(gone, SECOND_LOOK_MS)
      this.onListed(
        gone,
        result.value.calls.map((call) => call.transactionKey),
      )
    })
  }

  private onListed(gone: Gone, keys: readonly string[]): void {
    if (keys.length === 0) return void this.gone.delete(gone.edgeId)
    const mine = gone.isShared ? keys : keys.filter((key) => this.isMine(key, gone))
    const page = mine.slice(0, PAGE)
    this.core.counts.takeovers += page.length
    this.underWay += page.length
    for (const key of page) this.claims.takeOver(key, gone.edgeId, gone.sinceMs, () => (this.underWay -= 1))
    const isAll = mine.length === page.length
    gone.isShared ||= isAll
    this.lookAgain(gone, isAll ? SECOND_LOOK_MS : PAUSE_MS)
  }

  private lookAgain(gone: Gone, pauseMs: number): void {
    if (gone.looks >= MAX_LOOKS) this.gone.delete(gone.edgeId)
    else gone.dueMs = this.core.now() + pauseMs
  }

  /**
   * [rendezvous hashing] The edge whose hash with the key is the highest has it; but for the one that was started in the place of the
   * one that is gone, which has never known it. Edges that drain leave it to the others, while there are any.
   */
  private isMine(key: string, gone: Gone): boolean {
    const { membership, edgeId, edgeHash } = this.core
    const own = weightOf(key, edgeId)
    const isDraining = membership.find(edgeHash)?.draining === true
    const name = gone.edgeId.slice(0, gone.edgeId.lastIndexOf('.'))
    for (const edge of membership.edges()) {
      if (edge.name === name || edge.id === edgeId) continue
      if (edge.draining === isDraining ? weightOf(key, edge.id) > own : isDraining) return false
    }
    return true
  }
}

/** Rendezvous hashing: the edge with the highest has the key. */
export function weightOf(key: string, edgeId: string): number {
  let hash = edgeHashOf(edgeId)
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
