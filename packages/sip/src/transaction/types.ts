// SPDX-License-Identifier: MIT
// What the transaction layer and its surroundings owe each other: below it the transport (Peer, TransactionIo),
// above it the transaction user of RFC 3261 §17 (TransactionUser), and the bounds of its tables.
import type { Buffer } from 'node:buffer'
import type { SipMessage } from '../message/index.ts'
import type { ClientTransaction } from './client-transaction.ts'
import type { ServerTransaction } from './server-transaction.ts'
import type { TimerValues } from './timers.ts'

/** Where a transaction's messages go; opaque here except for the one property that the timers depend on. */
export interface Peer {
  /** true for TCP, TLS, WS and WSS: Timers A, E and G never start, D, I, J and K last zero. */
  readonly reliable: boolean
}

export interface TransactionIo {
  /**
   * Sends `buf[start, end)` to `peer`. The bytes are valid during the call only. A failure is reported by
   * `TransactionLayer.transportError`, or by returning false; from inside `send` it takes effect at the next tick.
   */
  send(buf: Buffer, start: number, end: number, peer: Peer): boolean | undefined
}

/** The core above the transactions. Each of its methods may call back into the layer. */
export interface TransactionUser {
  /** Every response that the machine passes up: provisional, the final one, and each 2xx of an INVITE. */
  onResponse(tx: ClientTransaction, msg: SipMessage): void
  /** Timer B or F fired. `onClientTerminated` follows. */
  onClientTimeout(tx: ClientTransaction): void
  /** The request or its ACK could not be sent. `onClientTerminated` follows. */
  onClientTransportError(tx: ClientTransaction): void
  onClientTerminated(tx: ClientTransaction): void
  /** An ACK that reached an INVITE transaction in the Accepted state: it belongs to the 2xx and is to be forwarded. */
  onAck(tx: ServerTransaction, msg: SipMessage): void
  /** A response could not be sent. The transaction stays as it is (RFC 6026 §8.8). */
  onServerTransportError(tx: ServerTransaction): void
  /** `ackMissing`: Timer H fired, nobody acknowledged the final response. */
  onServerTerminated(tx: ServerTransaction, ackMissing: boolean): void
}

export interface TransactionLimits {
  /** Server transactions alive at once, lingering ones included. Beyond it `createServer` gives undefined. */
  readonly maxServers: number
  /** Client transactions alive at once, lingering ones included. Beyond it `createClient` gives undefined. */
  readonly maxClients: number
  /** Bytes of copied messages alive at once. Beyond it no new transaction begins; running ones go on. */
  readonly maxKeptBytes: number
}

export const DEFAULT_TRANSACTION_LIMITS: TransactionLimits = {
  maxServers: 400_000,
  maxClients: 400_000,
  maxKeptBytes: 512 * 1024 * 1024,
}

export interface TransactionLayerOptions {
  readonly io: TransactionIo
  readonly user: TransactionUser
  readonly timers?: Partial<TimerValues>
  readonly limits?: Partial<TransactionLimits>
}
