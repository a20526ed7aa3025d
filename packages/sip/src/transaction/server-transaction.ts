// SPDX-License-Identifier: MIT
// One server transaction (RFC 3261 §17.2), INVITE or not: a small object of one shape. Small integers share the
// field `bits`; timers live outside in TimerLists under `id`; the last response lives in a shared slab.
// Invariant: after Terminated, `id` belongs to somebody else and only the readable fields may be used.
import type { Buffer } from 'node:buffer'
import { BITS, stateOf } from './transaction-bits.ts'
import type { Peer } from './types.ts'

/** What RFC 3261 §17.2.3 compares, for RFC 2543 senders, beyond the key. */
export interface LegacyMatch {
  /** To tag of the request, '' without one. */
  readonly requestToTag: string
  /** To tag of the last response, which the ACK must carry. */
  responseToTag: string
  /** The next transaction with the same key but another To tag. */
  next: ServerTransaction | undefined
}

export class ServerTransaction {
  /** Index of this transaction's timers. */
  id: number
  bits: number
  /** What `serverKey` gave for the request. */
  readonly key: string
  readonly peer: Peer
  /** The transaction user's own object. Whatever it holds lives as long as the transaction lingers. */
  context: unknown
  /** The last response, while a retransmitted request may ask for it. */
  kept: Buffer | undefined
  keptStart: number
  keptEnd: number
  /** For senders without the magic cookie only. */
  legacy: LegacyMatch | undefined

  constructor(id: number, bits: number, key: string, peer: Peer, context: unknown) {
    this.id = id
    this.bits = bits
    this.key = key
    this.peer = peer
    this.context = context
    this.kept = undefined
    this.keptStart = 0
    this.keptEnd = 0
    this.legacy = undefined
  }

  /** One of STATE. */
  get state(): number {
    return stateOf(this.bits)
  }

  /** One of METHOD. */
  get method(): number {
    return (this.bits >>> BITS.METHOD_SHIFT) & BITS.METHOD_MASK
  }

  get isInvite(): boolean {
    return (this.bits & BITS.INVITE) !== 0
  }

  /** Status of the last response given, 0 before the first. */
  get lastStatus(): number {
    return (this.bits >>> BITS.STATUS_SHIFT) & BITS.STATUS_MASK
  }
}
