// SPDX-License-Identifier: MIT
// Who gets in: connections and handshakes under way, each in total and per source, and handshakes a second. One object serves every transport of an
// edge, so a source has one share and not one per port. Handshakes beyond the rate wait in order; each costs a signature, and those
// who are talking already must not wait for it.
// Invariants: a place that enter() gave is given back exactly once, by leave(); a queue of waiting handshakes is bounded by maxHandshakes.
import { performance } from 'node:perf_hooks'

export interface AdmissionLimits {
  readonly maxConnections: number
  /** Inbound ones per IPv4 address or IPv6 /64. */
  readonly maxConnectionsPerSource: number
  /** Handshakes under way or waiting, of TLS, WebSocket and PROXY headers. */
  readonly maxHandshakes: number
  /** Of those, per IPv4 address or IPv6 /64: one source does not keep all others out. */
  readonly maxHandshakesPerSource: number
  /** TLS handshakes that are begun in a second. */
  readonly handshakesPerSecond: number
}

export const DEFAULT_ADMISSION_LIMITS: AdmissionLimits = {
  maxConnections: 20_000,
  maxConnectionsPerSource: 256,
  maxHandshakes: 1_000,
  maxHandshakesPerSource: 250,
  handshakesPerSecond: 250,
}

/** The share of a second's handshakes that may begin at once: each holds up everybody for a signature (bench/handshakes.mjs). */
const BURST = 0.02
const DRAIN_MS = 4

export class StreamAdmission {
  readonly limits: AdmissionLimits
  /** Handshakes under way or waiting. */
  handshakes = 0
  readonly #now: () => number
  readonly #perSource = new Map<string, number>()
  readonly #shakingPerSource = new Map<string, number>()
  readonly #queue: (() => void)[] = []
  #open = 0
  #tokens: number
  #filledMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(limits: Partial<AdmissionLimits> = {}, now: () => number = () => performance.now()) {
    this.limits = { ...DEFAULT_ADMISSION_LIMITS, ...limits }
    this.#now = now
    this.#tokens = this.#burst
    this.#filledMs = now()
  }

  get connections(): number {
    return this.#open
  }

  get isFull(): boolean {
    return this.#open >= this.limits.maxConnections
  }

  get isHandshakeBound(): boolean {
    return this.handshakes >= this.limits.maxHandshakes
  }

  /** Takes a place of the total; the source may be unknown yet. */
  enter(): void {
    this.#open++
  }

  leave(): void {
    this.#open--
  }

  /** False: the source has as many as it may. @param source its key, see source-key.ts */
  enterSource(source: string): boolean {
    return take(this.#perSource, source, this.limits.maxConnectionsPerSource)
  }

  leaveSource(source: string): void {
    giveBack(this.#perSource, source)
  }

  /** The same for handshakes that are under way or wait. */
  enterSourceHandshake(source: string): boolean {
    return take(this.#shakingPerSource, source, this.limits.maxHandshakesPerSource)
  }

  leaveSourceHandshake(source: string): void {
    giveBack(this.#shakingPerSource, source)
  }

  /** Begins a TLS handshake now, or in its turn when this second has had its share. */
  beginHandshake(begin: () => void): void {
    if (this.#queue.length === 0 && this.#takeToken()) return begin()
    this.#queue.push(begin)
    this.#timer ??= setTimeout(() => this.#drain(), DRAIN_MS)
  }

  get #burst(): number {
    return Math.max(1, this.limits.handshakesPerSecond * BURST)
  }

  #takeToken(): boolean {
    const nowMs = this.#now()
    const gained = ((nowMs - this.#filledMs) * this.limits.handshakesPerSecond) / 1_000
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filledMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  #drain(): void {
    this.#timer = undefined
    while (this.#queue.length > 0 && this.#takeToken()) this.#queue.shift()?.()
    if (this.#queue.length > 0) this.#timer = setTimeout(() => this.#drain(), DRAIN_MS)
  }
}

function take(held: Map<string, number>, source: string, limit: number): boolean {
  const count = held.get(source) ?? 0
  if (count >= limit) return false
  held.set(source, count + 1)
  return true
}

function giveBack(held: Map<string, number>, source: string): void {
  const left = (held.get(source) ?? 1) - 1
  if (left <= 0) held.delete(source)
  else held.set(source, left)
}
