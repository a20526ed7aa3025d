// SPDX-License-Identifier: MIT
// The transaction layer of RFC 3261 §17 with RFC 6026: matches messages to transactions, runs the four machines,
// keeps and resends what they need. Pure: bytes, events and the time come in, bytes and events go out.
// Leaves out: Timer C, CANCEL decisions and 100 (Trying), which are the core's; transport failover (RFC 3263).
// Order: within one event the state changes first, then bytes are sent, timers set, and the user told last, so the
// user may call back into the layer (respond, create, abort) from every callback.
// Races: a transport error reported from inside `io.send` waits for the next tick; an event for a transaction that
// has ended is ignored.
import type { Buffer } from 'node:buffer'
import { METHOD, type SipMessage } from '../message/index.ts'
import type { ClientTransaction } from './client-transaction.ts'
import { ClientTransactions } from './client-transactions.ts'
import { createCounts, type TransactionCounts } from './counts.ts'
import { cancelledKey, serverKey } from './matching.ts'
import { ServerTransaction } from './server-transaction.ts'
import { ServerTransactions } from './server-transactions.ts'
import type { Shared } from './shared.ts'
import type { StateCount } from './state-counts.ts'
import { DEFAULT_TIMERS } from './timers.ts'
import { SipTraffic } from './traffic.ts'
import { DEFAULT_TRANSACTION_LIMITS, type Peer, type TransactionLayerOptions } from './types.ts'

export class TransactionLayer {
  readonly counts: TransactionCounts = createCounts()
  /** What the layer has sent, and what others note here that they received or sent. */
  readonly traffic = new SipTraffic()
  readonly #shared: Shared
  readonly #servers: ServerTransactions
  readonly #clients: ClientTransactions

  constructor({ io, user, timers, limits }: TransactionLayerOptions) {
    const shared: Shared = {
      io,
      user,
      timers: { ...DEFAULT_TIMERS, ...timers },
      limits: { ...DEFAULT_TRANSACTION_LIMITS, ...limits },
      counts: this.counts,
      traffic: this.traffic,
      keptBytes: 0,
      sending: 0,
    }
    this.#shared = shared
    this.#servers = new ServerTransactions(shared)
    this.#clients = new ClientTransactions(shared)
  }

  get serverCount(): number {
    return this.#servers.count
  }

  get clientCount(): number {
    return this.#clients.count
  }

  /** Transactions alive, by machine and state. Looks at all of them: for metrics. */
  states(): StateCount[] {
    return [...this.#servers.states(), ...this.#clients.states()]
  }

  /** Bytes of message copies that living transactions point to. */
  get keptBytes(): number {
    return this.#shared.keptBytes
  }

  /** Timers that run. */
  get runningTimers(): number {
    return this.#servers.runningTimers + this.#clients.runningTimers
  }

  /** Key of the server transaction of a request; the one of the INVITE for its ACK. [RFC3261-17.2.3] [RFC3261-17.2.3.3] */
  serverKey(msg: SipMessage): string {
    return serverKey(msg)
  }

  /** Key of the INVITE that this CANCEL is about. [RFC3261-9.2] */
  cancelledKey(msg: SipMessage): string {
    return cancelledKey(msg)
  }

  /** Whether one more server transaction may begin. */
  get hasServerRoom(): boolean {
    const { limits, keptBytes } = this.#shared
    return this.#servers.count < limits.maxServers && keptBytes < limits.maxKeptBytes
  }

  /** The server transaction that this request belongs to. An ACK finds its INVITE's. [RFC3261-17.2.3.1] [RFC3261-17.2.3.2] */
  findServer(msg: SipMessage, key: string = serverKey(msg)): ServerTransaction | undefined {
    return this.#servers.find(msg, key)
  }

  /** By its key alone: for messages of other edges about it. Not for RFC 2543 senders, whose keys are not unique. */
  findServerByKey(key: string): ServerTransaction | undefined {
    return this.#servers.findByKey(key)
  }

  /** The INVITE that this CANCEL is about. [RFC3261-9.2] */
  findInviteOfCancel(msg: SipMessage): ServerTransaction | undefined {
    return this.#servers.find(msg, cancelledKey(msg))
  }

  /**
   * Begins a server transaction for a request that `findServer` did not find. `key` is its `serverKey`.
   * undefined: a limit is reached or the key is in use (see `counts`); answer statelessly.
   */
  createServer(msg: SipMessage, key: string, peer: Peer, context: unknown): ServerTransaction | undefined {
    return this.#servers.create(msg, key, peer, context)
  }

  /** A repeated request, or an ACK, for a transaction that `findServer` gave. */
  receiveRequest(tx: ServerTransaction, msg: SipMessage): void {
    this.#servers.receive(tx, msg)
  }

  /**
   * A response `buf[start, end)` from the core; the bytes are copied if they may be needed again. Further 2xx of an
   * INVITE pass through (RFC 6026). A 408 to a non-INVITE request ends the transaction without being sent, and a
   * provisional response other than 100 to one is refused and counted (RFC 4320).
   */
  respond(tx: ServerTransaction, status: number, buf: Buffer, start: number, end: number): void {
    this.#servers.respond(tx, status, buf, start, end)
  }

  /**
   * Sends the request `buf[start, end)`, whose top Via carries `branch`, and begins its client transaction.
   * undefined: a limit is reached or the branch is in use (see `counts`); nothing was sent.
   */
  createClient(
    branch: string,
    method: number,
    buf: Buffer,
    start: number,
    end: number,
    peer: Peer,
    context: unknown,
  ): ClientTransaction | undefined {
    return this.#clients.create(branch, method, buf, start, end, peer, context)
  }

  /**
   * Goes on with an INVITE client transaction that began elsewhere: in Calling, with Timer B from its start and the next copy at
   * Timer A. `buf[start, end)` is the request as it was sent; nothing is sent now. undefined as with `createClient`.
   */
  resumeClient(
    branch: string,
    buf: Buffer,
    start: number,
    end: number,
    peer: Peer,
    context: unknown,
  ): ClientTransaction | undefined {
    return this.#clients.create(branch, METHOD.INVITE, buf, start, end, peer, context, false)
  }

  /**
   * Cancels an INVITE in the Proceeding state: builds the CANCEL (§9.1) and sends it to the same peer in a client
   * transaction of its own. `reasonHeader` is a CRLF-terminated line or ''. undefined: nothing to cancel, or a limit.
   */
  cancel(tx: ClientTransaction, context: unknown, reasonHeader = ''): ClientTransaction | undefined {
    return this.#clients.cancel(tx, context, reasonHeader)
  }

  /** Scans the request as it was sent into `msg`, a view valid until the callback ends; false once it is forgotten. */
  requestOf(tx: ClientTransaction, msg: SipMessage): boolean {
    return this.#clients.requestOf(tx, msg)
  }

  /** The client transaction of a response: branch of the top Via and method of CSeq. [RFC3261-17.1.3.1] [RFC3261-17.1.3.2] */
  findClient(msg: SipMessage): ClientTransaction | undefined {
    return this.#clients.find(msg)
  }

  /** The client transaction of a request of which the method and the branch are known; a CANCEL's is not looked for. */
  findClientByBranch(method: string, branch: string): ClientTransaction | undefined {
    return this.#clients.findByBranch(method, branch)
  }

  /** Looks at all of them: for what is rare. */
  eachUnansweredClient(visit: (tx: ClientTransaction) => void): void {
    this.#clients.eachUnanswered(visit)
  }

  /** Those that have given no final response. Looks at all of them. */
  eachUnansweredServer(visit: (tx: ServerTransaction) => void): void {
    this.#servers.eachUnanswered(visit)
  }

  /** A response for a transaction that `findClient` gave. The ACK of a failure is built and sent here. */
  receiveResponse(tx: ClientTransaction, msg: SipMessage): void {
    this.#clients.receive(tx, msg)
  }

  /** The last message of this transaction could not be sent. [RFC3261-17.1.4] [RFC6026-8.8] */
  transportError(tx: ServerTransaction | ClientTransaction): void {
    if (tx instanceof ServerTransaction) this.#servers.transportError(tx)
    else this.#clients.transportError(tx)
  }

  /** Ends a transaction at once and without telling the user. */
  abort(tx: ServerTransaction | ClientTransaction): void {
    if (tx instanceof ServerTransaction) this.#servers.abort(tx)
    else this.#clients.abort(tx)
  }

  /** Sets the clock (milliseconds, monotonic) and fires what is due. Call it before each batch of messages. */
  tick(nowMs: number): void {
    this.#servers.advance(nowMs)
    this.#clients.advance(nowMs)
    this.#servers.fire()
    this.#clients.fire()
  }

  /** When the next timer is due, in the clock's milliseconds; Infinity when none runs. */
  nextDeadline(): number {
    return Math.min(this.#servers.nextDeadline(), this.#clients.nextDeadline())
  }
}
