// SPDX-License-Identifier: MIT
//
// Which new requests an edge takes while there are more than the cluster can do. What is measured is the time from a request's arrival to its
// answer: in the kernel's queue and the event loop (told by tick()), and at policy, location and the store behind them. What is over the
// rate that this allows is refused before anything is kept or asked, by priority:
//
//   emergencies             never refused
//   refreshes               REGISTER with credentials over a fresh nonce of ours
//   calls                   other requests that begin something, from a known address or with such credentials; a part of the rate is theirs
//   newcomers               all else: a REGISTER that is to be challenged, a stranger's call
//
// A refusal costs a tenth of what it refuses, so that many of them take what is left from those who are let in: over UDP only so many a
// second are answered, with a Retry-After; the others are dropped and counted, a REGISTER before it is read. Their phones repeat.
// Where messages wait at the edge itself, fewer are answered, then the kernel drops some REGISTERs, before fewer are let in.
//
// In-dialog requests, CANCEL and ACK do not come here. There are two rates. One for everything, by the smaller of the two kinds' latencies: where
// REGISTERs and other requests both wait too long, the bottleneck is one that they share. One for REGISTERs alone, for when the others do
// not wait: the store is slow, or a storm of REGISTERs is held already. So a slow store does not close the way of what needs none.
//
// Plain path: `isLimiting` is the one thing that is looked at while there is no overload.

import { HEADER, METHOD, type SipMessage } from '@tandem/sip'
import type { EdgePeer } from '../listeners/peers.ts'
import { Answers } from './answers.ts'
import { Governor, KEEP } from './governor.ts'
import { KernelShare } from './kernel-share.ts'
import { KnownSources } from './known-sources.ts'
import { Latency, type PeriodLatency } from './latency.ts'
import type { RateSettings } from './rate-control.ts'
import type { ClassSettings, RequestClasses } from './request-class.ts'
import { ReturnPlan, type ReturnSettings } from './return-plan.ts'

export const CLASSES = ['emergency', 'refresh', 'call', 'newcomer'] as const
export type RequestClass = (typeof CLASSES)[number]
export type ClassCounts = Record<RequestClass, number>

export interface AdmissionSettings {
  readonly enabled: boolean
  readonly rate: RateSettings
  readonly returns: ReturnSettings
}

export interface AdmissionWorld {
  readonly classes: RequestClasses
  readonly random: () => number
  /** Told once for each time that the rate has come down to its floor. */
  readonly onFloor: (latencyMs: number) => void
}

/** Two hundred milliseconds: long enough for a mean, short beside T1. */
const PERIOD_MS = 200
const TICK_MS = 10
const BUCKET = { burstS: 0.1, reservedShare: 0.25 }
/** Requests until a newcomer is registered: the one that is challenged, and the next. */
const NEWCOMER_REQUESTS = 2
/** A caller waits, and one peer's calls would wait together: no longer than this. */
const CALL_RETRY_S = 5

const noCounts = (): ClassCounts => ({ emergency: 0, refresh: 0, call: 0, newcomer: 0 })

export class Admission {
  /** Requests that begin something must ask admits(). */
  isLimiting = false
  /** While there was a rate. */
  readonly admitted = noCounts()
  readonly refused = noCounts()
  readonly #settings: AdmissionSettings
  readonly #world: AdmissionWorld
  readonly #all: Governor
  readonly #registers: Governor
  readonly #latency = { registers: new Latency(), others: new Latency() }
  readonly #known = new KnownSources()
  readonly #returns: ReturnPlan
  /** The most that was done in a second lately: what a rate is taken for while there is none. */
  #usualPerSecond: number
  #done = 0
  readonly #answers = new Answers()
  readonly #kernel = new KernelShare()
  #shed = 0
  #waitMs = 0
  #longestWaitMs = 0
  #periodAtMs = Number.NaN
  #tickedMs = Number.NaN
  #hasToldFloor = false

  constructor(settings: AdmissionSettings, world: AdmissionWorld) {
    this.#settings = settings
    this.#world = world
    this.#all = new Governor(settings.rate, BUCKET)
    this.#registers = new Governor(settings.rate, BUCKET)
    this.#returns = new ReturnPlan(settings.returns, world.random)
    this.#usualPerSecond = settings.rate.minRate
  }

  /** Requests a second that are let in; 0 while there is no rate. */
  get rates(): { readonly all: number; readonly registers: number } {
    return { all: rateOf(this.#all), registers: rateOf(this.#registers) }
  }

  get tokens(): { readonly all: number; readonly registers: number } {
    return { all: this.#all.tokens, registers: this.#registers.tokens }
  }

  get latencyMs(): { readonly all: number; readonly registers: number } {
    return { all: this.#all.smoothedMs, registers: this.#registers.smoothedMs }
  }

  /** Refusals that are answered a second; 0 while all are. */
  get answerRate(): number {
    return this.#answers.rate
  }

  /** Share of the REGISTERs that the kernel is to drop unread. */
  get kernelShare(): number {
    return this.#kernel.value
  }

  /** Before the edge reads a message: in the kernel's queue, or behind a late turn of the event loop. */
  get waitMs(): number {
    return this.#waitMs
  }

  backlog(nowMs: number): number {
    return this.#returns.backlog(nowMs)
  }

  /** A request that begins something was answered, or decided. @param startedMs when it was read */
  noteAnswered(method: number, startedMs: number, nowMs: number): void {
    const latency = method === METHOD.REGISTER ? this.#latency.registers : this.#latency.others
    latency.note(nowMs - startedMs + this.#waitMs)
  }

  /** What a request from there asked for was done. */
  noteDone(address: string, nowMs: number): void {
    this.#done += 1
    this.#known.add(address, nowMs)
  }

  isEmergency(msg: SipMessage, peer: EdgePeer): boolean {
    return this.#world.classes.isEmergency(msg, peer)
  }

  /** Nonces of other keys are known from now on. */
  useKeyRing(ring: ClassSettings['keyRing']): void {
    this.#world.classes.useKeyRing(ring)
  }

  /** Numbers that policy knows besides; those before are forgotten. */
  useEmergencyNumbers(numbers: ReadonlySet<string>): void {
    this.#world.classes.told = numbers
  }

  /** To a number of the emergency services. */
  callsForHelp(msg: SipMessage): boolean {
    return this.#world.classes.callsForHelp(msg)
  }

  /** Whether a request that begins something may go on; counts it. To be asked while `isLimiting`. */
  admits(msg: SipMessage, peer: EdgePeer, nowMs: number): boolean {
    this.#all.refill(nowMs)
    this.#registers.refill(nowMs)
    if (this.isEmergency(msg, peer)) return this.#take('emergency', msg.method, false)
    return msg.method === METHOD.REGISTER ? this.#admitsRegister(msg) : this.#admitsOther(msg, peer, nowMs)
  }

  /** Whether one who is refused is told so, where he repeats if he is not. */
  answers(nowMs: number): boolean {
    return this.#answers.take(nowMs)
  }

  /** Whether a REGISTER need not be read: whatever it is, it would be refused and not answered. Counts it. To be asked while `isLimiting`. */
  sheds(nowMs: number): boolean {
    this.#all.refill(nowMs)
    this.#registers.refill(nowMs)
    if (this.#hasRoom(KEEP.refresh) || this.#answers.has(nowMs)) return false
    this.#all.noteRefused()
    this.#registers.noteRefused()
    this.#shed += 1
    return true
  }

  /** `Retry-After` in whole seconds for a request that is refused, by whoever. */
  retryAfterS(msg: SipMessage, nowMs: number): number {
    if (msg.method !== METHOD.REGISTER) {
      return this.#returns.secondsFor(true, 1, this.#returnsPerSecond, nowMs, CALL_RETRY_S)
    }
    const isFirst = claimOf(msg) === 'refresh'
    return this.#returns.secondsFor(isFirst, isFirst ? 1 : NEWCOMER_REQUESTS, this.#returnsPerSecond, nowMs)
  }

  /**
   * Called at every tick of the edge.
   * @param queueMs how long the oldest datagram had waited in the kernel that was read last
   */
  tick(nowMs: number, queueMs: number): void {
    if (!this.#settings.enabled) return
    const lateMs = Number.isNaN(this.#tickedMs) ? 0 : nowMs - this.#tickedMs - TICK_MS
    this.#tickedMs = nowMs
    this.#waitMs = Math.max(0, lateMs, queueMs)
    this.#longestWaitMs = Math.max(this.#longestWaitMs, this.#waitMs)
    if (Number.isNaN(this.#periodAtMs)) this.#periodAtMs = nowMs
    if (nowMs - this.#periodAtMs >= PERIOD_MS) this.#endPeriod(nowMs)
  }

  #endPeriod(nowMs: number): void {
    const periodMs = nowMs - this.#periodAtMs
    this.#periodAtMs = nowMs
    const registers = this.#latency.registers.take(periodMs)
    const others = this.#latency.others.take(periodMs)
    const perSecond = registers.perSecond + others.perSecond
    const donePerSecond = (this.#done * 1000) / periodMs
    this.#done = 0
    this.#usualPerSecond = Math.max(this.#settings.rate.minRate, donePerSecond, this.#usualPerSecond * USUAL_DECAY)
    const isSpared = this.#spare((this.#shed * 1000) / periodMs, nowMs)
    this.#shed = 0
    const meanMs = smaller(registers.meanMs, others.meanMs)
    this.#all.adjust({ meanMs: isSpared ? undefined : meanMs, perSecond }, nowMs)
    const alone = this.#alone(registers, others)
    this.#registers.adjust(isSpared ? { ...alone, meanMs: undefined } : alone, nowMs)
    this.isLimiting = this.#all.isLimiting || this.#registers.isLimiting
    if (!this.isLimiting) {
      this.#answers.stop()
      this.#kernel.stop()
    }
    this.#tellFloor()
  }

  /** Messages wait at the edge: are there answers to be spared, before fewer are let in? */
  #spare(shedPerSecond: number, nowMs: number): boolean {
    const isWaiting = this.#longestWaitMs > this.#settings.rate.targetMs
    this.#longestWaitMs = this.#waitMs
    const rate = Math.min(this.#all.rate, this.#registers.rate)
    if (!this.isLimiting) return false
    const spared = this.#answers.adjust(isWaiting, rate, nowMs)
    return this.#kernel.adjust(isWaiting && !spared, shedPerSecond, rate) || spared
  }

  /** The REGISTERs' latency, where it is theirs alone; else none that their own rate could be changed by. */
  #alone(registers: PeriodLatency, { meanMs }: PeriodLatency): PeriodLatency {
    const isShared = meanMs === undefined ? !this.#registers.isLimiting : meanMs > this.#settings.rate.targetMs
    return isShared ? { ...registers, meanMs: undefined } : registers
  }

  #tellFloor(): void {
    const governor = this.#all.isAtFloor ? this.#all : this.#registers
    if (governor.isAtFloor && !this.#hasToldFloor) this.#world.onFloor(governor.smoothedMs)
    this.#hasToldFloor = governor.isAtFloor
  }

  #admitsRegister(msg: SipMessage): boolean {
    const claim = claimOf(msg)
    if (this.#hasRoom(KEEP.newcomer)) return this.#take(claim, METHOD.REGISTER, false)
    const isFirst = claim === 'refresh' && this.#hasRoom(KEEP.refresh) && this.#world.classes.hasFreshNonce(msg)
    return isFirst ? this.#take('refresh', METHOD.REGISTER, false) : this.#refuse(claim, true)
  }

  #hasRoom(keep: number): boolean {
    return this.#all.has(keep) && this.#registers.has(keep)
  }

  #admitsOther(msg: SipMessage, peer: EdgePeer, nowMs: number): boolean {
    const all = this.#all
    if (all.has(KEEP.newcomer)) return this.#take('call', msg.method, false)
    const hasReserved = all.hasReserved
    if (!hasReserved && !all.has(KEEP.call)) return this.#refuse('call', false)
    const isKnown = this.#known.has(peer.address, nowMs) || this.#world.classes.hasFreshNonce(msg)
    return isKnown ? this.#take('call', msg.method, hasReserved) : this.#refuse('newcomer', false)
  }

  #take(requestClass: RequestClass, method: number, fromReserved: boolean): true {
    this.admitted[requestClass] += 1
    this.#all.take(fromReserved)
    if (method === METHOD.REGISTER) this.#registers.take()
    return true
  }

  #refuse(requestClass: RequestClass, isRegister: boolean): false {
    this.refused[requestClass] += 1
    this.#all.noteRefused()
    if (isRegister) this.#registers.noteRefused()
    return false
  }

  /** What those who come back may count on. */
  get #returnsPerSecond(): number {
    return this.isLimiting ? Math.min(this.#all.rate, this.#registers.rate) : this.#usualPerSecond
  }
}

/** A period: half is forgotten in a quarter of an hour. */
const USUAL_DECAY = 0.99985

/** What a REGISTER says that it is. */
const claimOf = (msg: SipMessage): 'refresh' | 'newcomer' => (msg.has(HEADER.AUTHORIZATION) ? 'refresh' : 'newcomer')

const rateOf = (governor: Governor): number => (governor.isLimiting ? governor.rate : 0)

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  return b === undefined ? a : Math.min(a, b)
}
