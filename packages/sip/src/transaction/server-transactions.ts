// SPDX-License-Identifier: MIT
// The server half of the layer: the table of server transactions and the execution of their two machines' rows.
// Invariants: a transaction is in the table from its creation until Terminated; its id is released exactly then;
// what it keeps is its last response, and that only while a retransmission or Timer G may ask for it.
import type { Buffer } from 'node:buffer'
import { METHOD, SipMessage, scan } from '../message/index.ts'
import { inviteServer } from './invite-server.ts'
import { ACTION, ACTION_MASK, type CompiledMachine, EVENT, EVENT_BITS, STATE, TO_SHIFT } from './machine.ts'
import { hasMagicCookie, toTagOf } from './matching.ts'
import { nonInviteServer } from './non-invite-server.ts'
import { ServerTable } from './server-table.ts'
import { ServerTransaction } from './server-transaction.ts'
import { forget, keep, resend, type Shared, send } from './shared.ts'
import { Slab } from './slab.ts'
import { countStates, type StateCount } from './state-counts.ts'
import { TimerLists } from './timer-lists.ts'
import { applyTimers, planTimers, type TimerPlan, timerLengths } from './timer-plan.ts'
import { BITS, withStatus } from './transaction-bits.ts'
import type { Peer } from './types.ts'

const SENT = ACTION.SEND | ACTION.KEEP

export class ServerTransactions {
  readonly #shared: Shared
  readonly #lists: TimerLists
  readonly #invitePlan: TimerPlan
  readonly #nonInvitePlan: TimerPlan
  readonly #byId: (ServerTransaction | undefined)[] = []
  readonly #table = new ServerTable(this.#byId)
  /** Provisional responses live until the call is answered, final ones for as long as Timers H and J. */
  readonly #provisional = new Slab()
  readonly #final = new Slab()
  readonly #scratch = new SipMessage()
  #failed: ServerTransaction[] = []
  count = 0

  constructor(shared: Shared) {
    const { timers } = shared
    this.#shared = shared
    this.#lists = new TimerLists(
      [...timerLengths(inviteServer, timers), ...timerLengths(nonInviteServer, timers)],
      this,
    )
    this.#invitePlan = planTimers(inviteServer, timers, this.#lists)
    this.#nonInvitePlan = planTimers(nonInviteServer, timers, this.#lists)
  }

  get runningTimers(): number {
    return this.#lists.running
  }

  states(): StateCount[] {
    return countStates(this.#byId, 'server')
  }

  find(msg: SipMessage, key: string): ServerTransaction | undefined {
    return this.#table.find(msg, key)
  }

  findByKey(key: string): ServerTransaction | undefined {
    return this.#table.findByKey(key)
  }

  eachUnanswered(visit: (tx: ServerTransaction) => void): void {
    for (const tx of this.#byId) if (tx !== undefined && tx.lastStatus < 200) visit(tx)
  }

  create(msg: SipMessage, key: string, peer: Peer, context: unknown): ServerTransaction | undefined {
    const { counts, limits, keptBytes } = this.#shared
    if (this.count >= limits.maxServers || keptBytes >= limits.maxKeptBytes) {
      counts.refusedServers++
      return undefined
    }
    const isInvite = msg.method === METHOD.INVITE
    const bits = (msg.method << BITS.METHOD_SHIFT) | (isInvite ? BITS.INVITE : 0) | (peer.reliable ? BITS.RELIABLE : 0)
    const tx = new ServerTransaction(this.#lists.acquire(), bits, key, peer, context)
    if (!hasMagicCookie(msg)) tx.legacy = { requestToTag: toTagOf(msg), responseToTag: '', next: undefined }
    if (!this.#table.add(tx)) {
      this.#lists.release(tx.id)
      counts.duplicateServers++
      return undefined
    }
    if (isInvite) counts.inviteServers++
    else counts.nonInviteServers++
    this.#byId[tx.id] = tx
    this.count++
    this.#run(tx, EVENT.START, undefined)
    return tx
  }

  receive(tx: ServerTransaction, msg: SipMessage): void {
    const isAck = msg.method === METHOD.ACK
    if (isAck) this.#shared.counts.acksReceived++
    else {
      this.#shared.counts.repeatedRequests++
      this.#shared.traffic.repeatedRequests++
    }
    this.#run(tx, isAck ? EVENT.ACK : EVENT.REQUEST, msg)
  }

  respond(tx: ServerTransaction, status: number, buf: Buffer, start: number, end: number): void {
    const row = this.#row(tx, responseEvent(status, tx.isInvite))
    if (row === 0) return
    tx.bits = withStatus(tx.bits, status)
    if (tx.legacy !== undefined) this.#noteToTag(tx, buf, start, end)
    if ((row & ACTION.KEEP) !== 0 && !endsAtOnce(tx, status)) {
      keep(this.#shared, status < 200 ? this.#provisional : this.#final, tx, buf, start, end)
    }
    const zero = this.#enter(tx, row)
    if ((row & ACTION.SEND) !== 0) this.#send(tx, status, buf, start, end)
    this.#finish(tx, row & ~SENT, zero, undefined)
  }

  #send(tx: ServerTransaction, status: number, buf: Buffer, start: number, end: number): void {
    this.#shared.traffic.responseOut(tx.method, status)
    if (!send(this.#shared, buf, start, end, tx.peer)) this.#fail(tx)
  }

  #resend(tx: ServerTransaction): boolean {
    const { traffic } = this.#shared
    if (tx.kept !== undefined) {
      traffic.resentResponses++
      traffic.responseOut(tx.method, tx.lastStatus)
    }
    return resend(this.#shared, tx, tx.peer)
  }

  transportError(tx: ServerTransaction): void {
    if (this.#shared.sending > 0) return this.#fail(tx)
    this.#shared.counts.transportErrors++
    this.#run(tx, EVENT.TRANSPORT_ERROR, undefined)
  }

  /** [RFC6026-8.8] [RFC3261-17.2.4a] Told at the next tick: the one who sends may not be called back yet. */
  #fail(tx: ServerTransaction): void {
    this.#shared.counts.transportErrors++
    this.#failed.push(tx)
  }

  abort(tx: ServerTransaction): void {
    if (tx.state === STATE.TERMINATED) return
    this.#shared.counts.aborted++
    tx.bits |= STATE.TERMINATED
    this.#remove(tx)
  }

  advance(nowMs: number): void {
    this.#lists.advance(nowMs)
  }

  /** Transport errors that had to wait, then the timers that are due. */
  fire(): void {
    const failed = this.#failed
    if (failed.length > 0) {
      this.#failed = []
      for (const tx of failed) this.#run(tx, EVENT.TRANSPORT_ERROR, undefined)
    }
    this.#lists.fire()
  }

  nextDeadline(): number {
    return this.#failed.length > 0 ? this.#lists.now : this.#lists.nextDeadline()
  }

  onTimer(id: number, slot: number): void {
    const tx = this.#byId[id]
    if (tx !== undefined) this.#run(tx, machineOf(tx).timerEvents[slot] as number, undefined)
  }

  /** The row for this event, 0 when the machine has none: stay, and count. */
  #row(tx: ServerTransaction, event: number): number {
    const row = machineOf(tx).table[(tx.state << EVENT_BITS) | event] as number
    if (row === 0) this.#shared.counts.stays++
    return row
  }

  #run(tx: ServerTransaction, event: number, msg: SipMessage | undefined): void {
    const row = this.#row(tx, event)
    if (row === 0) return
    const zero = this.#enter(tx, row)
    if ((row & ACTION.RESEND) !== 0 && !this.#resend(tx)) this.#fail(tx)
    this.#finish(tx, row, zero, msg)
  }

  #enter(tx: ServerTransaction, row: number): number {
    tx.bits = (tx.bits & ~BITS.STATE_MASK) | ((row >>> TO_SHIFT) & BITS.STATE_MASK)
    if ((row & ACTION.DROP) !== 0) forget(this.#shared, tx)
    return applyTimers(this.#lists, tx.isInvite ? this.#invitePlan : this.#nonInvitePlan, tx, row & ACTION_MASK)
  }

  /** What comes last: telling the user, the end, and timers that last zero. */
  #finish(tx: ServerTransaction, row: number, zero: number, msg: SipMessage | undefined): void {
    const { user, counts } = this.#shared
    const state = (row >>> TO_SHIFT) & BITS.STATE_MASK
    if (state === STATE.TERMINATED) {
      const ackMissing = (row & ACTION.TIMEOUT) !== 0
      if (ackMissing) counts.missingAcks++
      this.#remove(tx)
      user.onServerTerminated(tx, ackMissing)
      return
    }
    if ((row & ACTION.TO_TU) !== 0 && msg !== undefined) user.onAck(tx, msg)
    if ((row & ACTION.TRANSPORT) !== 0) user.onServerTransportError(tx)
    if (zero >= 0 && tx.state === state) this.onTimer(tx.id, zero)
  }

  #remove(tx: ServerTransaction): void {
    this.#table.remove(tx)
    forget(this.#shared, tx)
    this.#byId[tx.id] = undefined
    this.#lists.release(tx.id)
    this.count--
  }

  /** An RFC 2543 sender's ACK is matched by the To tag of the response. [RFC3261-17.2.3b] [RFC6026-6e] */
  #noteToTag(tx: ServerTransaction, buf: Buffer, start: number, end: number): void {
    if (tx.legacy !== undefined && scan(this.#scratch, buf, start, end) === 0) {
      tx.legacy.responseToTag = toTagOf(this.#scratch)
    }
  }
}

const machineOf = (tx: ServerTransaction): CompiledMachine => (tx.isInvite ? inviteServer : nonInviteServer)

/** Timer J lasts zero over reliable transports, so nobody can ask for the response again. */
const endsAtOnce = (tx: ServerTransaction, status: number): boolean =>
  status >= 200 && !tx.isInvite && (tx.bits & BITS.RELIABLE) !== 0

const responseEvent = (status: number, isInvite: boolean): number => {
  if (status <= 100) return EVENT.TU_100
  if (status < 200) return EVENT.TU_101_199
  if (status < 300) return EVENT.TU_2XX
  return status === 408 && !isInvite ? EVENT.TU_408 : EVENT.TU_300_699
}
