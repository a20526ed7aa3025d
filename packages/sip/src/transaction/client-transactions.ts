// SPDX-License-Identifier: MIT
// The client half of the layer: the table of client transactions and the execution of their two machines' rows.
// Invariants: a transaction is in the table from its creation until Terminated; its id is released exactly then;
// it keeps its request while Timer A or E, an ACK or a CANCEL may need it, then at most the ACK of a failure.
import { Buffer } from 'node:buffer'
import { encodeAck, encodeCancel, METHOD, METHOD_NAMES, SipMessage, scan } from '../message/index.ts'
import { hashOfBytes, hashOfText } from './branch-hash.ts'
import { ChainTable } from './chain-table.ts'
import { ClientTransaction } from './client-transaction.ts'
import { inviteClient } from './invite-client.ts'
import { ACTION, ACTION_MASK, type CompiledMachine, EVENT, EVENT_BITS, STATE, TO_SHIFT } from './machine.ts'
import { clientKey } from './matching.ts'
import { nonInviteClient } from './non-invite-client.ts'
import { forget, keep, resend, type Shared, send } from './shared.ts'
import { Slab } from './slab.ts'
import { countStates, type StateCount } from './state-counts.ts'
import { TimerLists } from './timer-lists.ts'
import { applyTimers, planTimers, type TimerPlan, timerLengths } from './timer-plan.ts'
import { BITS } from './transaction-bits.ts'
import type { Peer } from './types.ts'

/** An ACK repeats parts of the INVITE and the To of the response; the rest is a few fixed lines. */
const SPARE_BYTES = 512

export class ClientTransactions {
  readonly #shared: Shared
  readonly #lists: TimerLists
  readonly #invitePlan: TimerPlan
  readonly #nonInvitePlan: TimerPlan
  /** CANCEL has the branch of its INVITE. [RFC3261-17.1.3] */
  readonly #cancels = new Map<string, ClientTransaction>()
  readonly #byId: (ClientTransaction | undefined)[] = []
  readonly #table = new ChainTable(this.#byId)
  /** By how long they live: INVITEs until the answer, other requests briefly, ACKs as long as Timer D. */
  readonly #invites = new Slab()
  readonly #requests = new Slab()
  readonly #acks = new Slab()
  readonly #request = new SipMessage()
  #out = Buffer.allocUnsafeSlow(4096)
  #failed: ClientTransaction[] = []
  count = 0

  constructor(shared: Shared) {
    const { timers } = shared
    this.#shared = shared
    this.#lists = new TimerLists(
      [...timerLengths(inviteClient, timers), ...timerLengths(nonInviteClient, timers)],
      this,
    )
    this.#invitePlan = planTimers(inviteClient, timers, this.#lists)
    this.#nonInvitePlan = planTimers(nonInviteClient, timers, this.#lists)
  }

  get runningTimers(): number {
    return this.#lists.running
  }

  find(msg: SipMessage): ClientTransaction | undefined {
    if (msg.viaBranchStart < 0) return undefined
    const branch = msg.buf.latin1Slice(msg.viaBranchStart, msg.viaBranchEnd)
    if (msg.method === METHOD.CANCEL) return this.#cancels.get(branch)
    const key = clientKey(branch, msg.buf, msg.cseqMethodStart, msg.cseqMethodEnd, msg.method)
    const tx = this.#table.find(hashOfBytes(msg.buf, msg.viaBranchStart, msg.viaBranchEnd), key)
    return tx !== undefined && tx.method === msg.method ? tx : undefined
  }

  findByBranch(method: string, branch: string): ClientTransaction | undefined {
    const hash = hashOfText(branch)
    const tx = this.#table.find(hash, branch) ?? this.#table.find(hash, `${branch} ${method}`)
    return tx !== undefined && (tx.method === METHOD.OTHER || METHOD_NAMES[tx.method] === method) ? tx : undefined
  }

  states(): StateCount[] {
    return countStates(this.#byId, 'client')
  }

  eachUnanswered(visit: (tx: ClientTransaction) => void): void {
    for (const tx of this.#byId) if (tx !== undefined && isUnanswered(tx)) visit(tx)
  }

  create(
    branch: string,
    method: number,
    buf: Buffer,
    start: number,
    end: number,
    peer: Peer,
    context: unknown,
    sends = true,
  ): ClientTransaction | undefined {
    if (!this.#hasRoom()) return undefined
    const key = method === METHOD.OTHER ? clientKey(branch, buf, start, buf.indexOf(0x20, start), method) : branch
    const hash = hashOfText(branch)
    const isCancel = method === METHOD.CANCEL
    if (isCancel ? this.#cancels.has(key) : this.#table.find(hash, key) !== undefined) {
      this.#shared.counts.duplicateClients++
      return undefined
    }
    const isInvite = method === METHOD.INVITE
    const bits = (method << BITS.METHOD_SHIFT) | (isInvite ? BITS.INVITE : 0) | (peer.reliable ? BITS.RELIABLE : 0)
    const tx = new ClientTransaction(this.#lists.acquire(), bits, key, peer, context)
    if (isCancel) this.#cancels.set(key, tx)
    else this.#table.add(tx.id, hash)
    this.#byId[tx.id] = tx
    this.count++
    this.#start(tx, buf, start, end, sends)
    return tx
  }

  /** [RFC3263-4b] [RFC3261-9.1j] Goes where the request went. */
  cancel(tx: ClientTransaction, context: unknown, reasonHeader: string): ClientTransaction | undefined {
    if (!tx.isInvite || tx.state !== STATE.PROCEEDING || !this.requestOf(tx, this.#request)) return undefined
    const out = this.#reserve(tx.keptEnd - tx.keptStart + reasonHeader.length + SPARE_BYTES)
    const end = encodeCancel(this.#request, out, 0, reasonHeader)
    return this.create(tx.branch, METHOD.CANCEL, out, 0, end, tx.peer, context)
  }

  requestOf(tx: ClientTransaction, msg: SipMessage): boolean {
    if (tx.kept === undefined || tx.state === STATE.COMPLETED) return false
    return scan(msg, tx.kept, tx.keptStart, tx.keptEnd) === 0
  }

  receive(tx: ClientTransaction, msg: SipMessage): void {
    if (tx.state >= STATE.ACCEPTED && msg.status >= 200) this.#shared.traffic.repeatedResponses++
    const event = msg.status < 200 ? EVENT.RX_1XX : msg.status < 300 ? EVENT.RX_2XX : EVENT.RX_300_699
    this.#run(tx, event, msg)
  }

  transportError(tx: ClientTransaction): void {
    if (this.#shared.sending > 0) return this.#fail(tx)
    this.#shared.counts.transportErrors++
    this.#run(tx, EVENT.TRANSPORT_ERROR, undefined)
  }

  abort(tx: ClientTransaction): void {
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

  #hasRoom(): boolean {
    const { counts, limits, keptBytes } = this.#shared
    if (this.count < limits.maxClients && keptBytes < limits.maxKeptBytes) return true
    counts.refusedClients++
    return false
  }

  #start(tx: ClientTransaction, buf: Buffer, start: number, end: number, sends: boolean): void {
    const { counts } = this.#shared
    if (tx.isInvite) counts.inviteClients++
    else counts.nonInviteClients++
    const row = this.#row(tx, EVENT.START)
    const isNeverResent = !tx.isInvite && (tx.bits & BITS.RELIABLE) !== 0
    if (!isNeverResent) keep(this.#shared, tx.isInvite ? this.#invites : this.#requests, tx, buf, start, end)
    this.#enter(tx, row)
    if (!sends) return
    this.#shared.traffic.requestOut(tx.method)
    if (!send(this.#shared, buf, start, end, tx.peer)) this.#fail(tx)
  }

  /** [RFC3261-17.1.4] What could not be sent is told at the next tick: the one who sends may not be called back yet. */
  #fail(tx: ClientTransaction): void {
    this.#shared.counts.transportErrors++
    this.#failed.push(tx)
  }

  /** The row for this event, 0 when the machine has none: stay, and count. */
  #row(tx: ClientTransaction, event: number): number {
    const row = machineOf(tx).table[(tx.state << EVENT_BITS) | event] as number
    if (row === 0) this.#shared.counts.stays++
    return row
  }

  #run(tx: ClientTransaction, event: number, msg: SipMessage | undefined): void {
    const row = this.#row(tx, event)
    if (row === 0) return
    const zero = this.#enter(tx, row)
    if ((row & ACTION.RESEND) !== 0 && !this.#resend(tx)) this.#fail(tx)
    if ((row & ACTION.ACK) !== 0 && msg !== undefined) this.#acknowledge(tx, msg)
    this.#finish(tx, row, zero, msg)
  }

  #resend(tx: ClientTransaction): boolean {
    const { traffic } = this.#shared
    if (tx.kept !== undefined) {
      traffic.resentRequests++
      traffic.requestOut(tx.isInvite && tx.state === STATE.COMPLETED ? METHOD.ACK : tx.method)
    }
    return resend(this.#shared, tx, tx.peer)
  }

  #enter(tx: ClientTransaction, row: number): number {
    tx.bits = (tx.bits & ~BITS.STATE_MASK) | ((row >>> TO_SHIFT) & BITS.STATE_MASK)
    if ((row & ACTION.DROP) !== 0) forget(this.#shared, tx)
    return applyTimers(this.#lists, tx.isInvite ? this.#invitePlan : this.#nonInvitePlan, tx, row & ACTION_MASK)
  }

  /** What comes last: telling the user, the end, and timers that last zero. */
  #finish(tx: ClientTransaction, row: number, zero: number, msg: SipMessage | undefined): void {
    const { user, counts } = this.#shared
    const state = (row >>> TO_SHIFT) & BITS.STATE_MASK
    if (state === STATE.TERMINATED) this.#remove(tx)
    if ((row & ACTION.TO_TU) !== 0 && msg !== undefined) user.onResponse(tx, msg)
    if ((row & ACTION.TIMEOUT) !== 0) {
      counts.clientTimeouts++
      if (tx.isInvite) counts.timerB++
      else counts.timerF++
      user.onClientTimeout(tx)
    }
    if ((row & ACTION.TRANSPORT) !== 0) user.onClientTransportError(tx)
    if (state === STATE.TERMINATED) user.onClientTerminated(tx)
    else if (zero >= 0 && tx.state === state) this.onTimer(tx.id, zero)
  }

  /** Sends the ACK to where the INVITE went and keeps it instead of the INVITE. [RFC3261-17.1.1.3] */
  #acknowledge(tx: ClientTransaction, response: SipMessage): void {
    const { kept, keptStart, keptEnd } = tx
    if (kept === undefined || scan(this.#request, kept, keptStart, keptEnd) !== 0) {
      this.#shared.counts.unbuildableAcks++
      forget(this.#shared, tx)
      return
    }
    const out = this.#reserve(keptEnd - keptStart + response.toEnd - response.toStart + SPARE_BYTES)
    const end = encodeAck(this.#request, response, out, 0)
    if ((tx.bits & BITS.RELIABLE) !== 0) forget(this.#shared, tx)
    else keep(this.#shared, this.#acks, tx, out, 0, end)
    this.#shared.counts.acksSent++
    this.#shared.traffic.requestOut(METHOD.ACK)
    if (!send(this.#shared, out, 0, end, tx.peer)) this.#fail(tx)
  }

  #remove(tx: ClientTransaction): void {
    if (tx.method === METHOD.CANCEL) this.#cancels.delete(tx.key)
    else this.#table.remove(tx.id)
    forget(this.#shared, tx)
    this.#byId[tx.id] = undefined
    this.#lists.release(tx.id)
    this.count--
  }

  #reserve(bytes: number): Buffer {
    if (this.#out.length < bytes) this.#out = Buffer.allocUnsafeSlow(2 * bytes)
    return this.#out
  }
}

/** Nothing has been heard of its request. */
export const isUnanswered = (tx: ClientTransaction): boolean =>
  tx.state === (tx.isInvite ? STATE.CALLING : STATE.TRYING)

const machineOf = (tx: ClientTransaction): CompiledMachine => (tx.isInvite ? inviteClient : nonInviteClient)
