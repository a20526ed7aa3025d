// SPDX-License-Identifier: MIT
// What the client and the server half of the layer share: their surroundings, the account of kept bytes, and
// sending, which notes when it is under way so that an error reported from inside it can wait.
import type { Buffer } from 'node:buffer'
import type { TransactionCounts } from './counts.ts'
import type { Slab } from './slab.ts'
import type { TimerValues } from './timers.ts'
import type { SipTraffic } from './traffic.ts'
import type { Peer, TransactionIo, TransactionLimits, TransactionUser } from './types.ts'

export interface Shared {
  readonly io: TransactionIo
  readonly user: TransactionUser
  readonly timers: TimerValues
  readonly limits: TransactionLimits
  readonly counts: TransactionCounts
  readonly traffic: SipTraffic
  /** Bytes that transactions point to. */
  keptBytes: number
  /** How many `io.send` calls are under way. */
  sending: number
}

export interface Keeper {
  kept: Buffer | undefined
  keptStart: number
  keptEnd: number
}

/** Copies a message for this transaction, instead of what it kept before. */
export const keep = (shared: Shared, slab: Slab, tx: Keeper, buf: Buffer, start: number, end: number): void => {
  slab.copy(buf, start, end)
  shared.keptBytes += end - start - (tx.keptEnd - tx.keptStart)
  tx.kept = slab.buf
  tx.keptStart = slab.start
  tx.keptEnd = slab.start + end - start
}

export const forget = (shared: Shared, tx: Keeper): void => {
  shared.keptBytes -= tx.keptEnd - tx.keptStart
  tx.kept = undefined
  tx.keptStart = 0
  tx.keptEnd = 0
}

/** False: the bytes were not taken, a transport error that is to be told at the next tick. [RFC3261-18.4] */
export const send = (shared: Shared, buf: Buffer, start: number, end: number, peer: Peer): boolean => {
  shared.sending++
  try {
    return shared.io.send(buf, start, end, peer) !== false
  } finally {
    shared.sending--
  }
}

/** Sends what the transaction keeps once more. [RFC3261-17.1.1.2] */
/** [RFC3263-4a] To the peer that has the message already. */
export const resend = (shared: Shared, tx: Keeper, peer: Peer): boolean => {
  if (tx.kept === undefined) return true
  shared.counts.resent++
  return send(shared, tx.kept, tx.keptStart, tx.keptEnd, peer)
}
