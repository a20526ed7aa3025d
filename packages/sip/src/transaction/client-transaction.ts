// SPDX-License-Identifier: MIT
// One client transaction (RFC 3261 §17.1), INVITE or not: a small object of one shape. Small integers share the
// field `bits`; timers live outside in TimerLists under `id`; message bytes live in a shared slab.
// Invariant: after Terminated, `id` belongs to somebody else and only the readable fields may be used.
import type { Buffer } from 'node:buffer'
import { BITS, stateOf } from './transaction-bits.ts'
import type { Peer } from './types.ts'

export class ClientTransaction {
  /** Index of this transaction's timers. */
  id: number
  bits: number
  /** The branch; for an extension method followed by a space and the method. */
  readonly key: string
  readonly peer: Peer
  /** The transaction user's own object. Whatever it holds lives as long as the transaction lingers. */
  context: unknown
  /** The request, later the ACK of a failure; undefined once neither can be needed again. */
  kept: Buffer | undefined
  keptStart: number
  keptEnd: number

  constructor(id: number, bits: number, key: string, peer: Peer, context: unknown) {
    this.id = id
    this.bits = bits
    this.key = key
    this.peer = peer
    this.context = context
    this.kept = undefined
    this.keptStart = 0
    this.keptEnd = 0
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

  get branch(): string {
    const space = this.key.indexOf(' ')
    return space < 0 ? this.key : this.key.slice(0, space)
  }
}
