// SPDX-License-Identifier: MIT
//
// Sources from which nothing new is taken, as policy tells them (services/policy/src/bans). A REGISTER from there is dropped before it is
// read, other requests that begin something once they are known to; what belongs to a dialog, a transaction or another edge passes: a call
// that is up can be ended, and its end is charged. Emergencies pass as well.
//
// A source is told with what is left of its ban and with a revision: of two words the higher counts, so that a policy node that is behind
// brings no lifted ban back. Lifted ones are remembered for a minute for that. Bound: MAX_SOURCES, of which those that end first go.
import type { policy } from '@tandem/rpc'
import { sourceKeyOf } from '@tandem/service-kit'

const MAX_SOURCES = 100_000
const LIFTED_KEEP_MS = 60_000
/** Ended ones that one push takes out, at most: more than it brings. */
const SWEEP = 1_000

interface Word {
  readonly untilMs: number
  readonly goneMs: number
  readonly revision: bigint
}

export class BannedSources {
  readonly #words = new Map<string, Word>()
  readonly #limit: number

  constructor(limit = MAX_SOURCES) {
    this.#limit = limit
  }

  /** Whether anybody is banned, or was: the one thing that is looked at while nobody is. */
  get isEmpty(): boolean {
    return this.#words.size === 0
  }

  /** Banned now. */
  countAt(nowMs: number): number {
    let count = 0
    for (const { untilMs } of this.#words.values()) if (untilMs > nowMs) count += 1
    return count
  }

  /** @param nowMs monotonic */
  has(address: string, nowMs: number): boolean {
    const word = this.#words.get(sourceKeyOf(address))
    return word !== undefined && word.untilMs > nowMs
  }

  take({ sources }: policy.BannedSources, nowMs: number): void {
    this.sweep(nowMs, SWEEP)
    for (const { source, leftMs, revision } of sources) {
      const held = this.#words.get(source)
      if (held !== undefined && held.revision > revision) continue
      const left = Number(leftMs)
      const untilMs = nowMs + left
      this.#words.delete(source)
      this.#words.set(source, { untilMs, goneMs: left > 0 ? untilMs : nowMs + LIFTED_KEEP_MS, revision })
    }
    this.#bound()
  }

  sweep(nowMs: number, limit: number): void {
    let left = limit
    for (const [source, { goneMs }] of this.#words) {
      if (left-- <= 0) break
      if (goneMs <= nowMs) this.#words.delete(source)
    }
  }

  #bound(): void {
    if (this.#words.size <= this.#limit) return
    const byEnd = [...this.#words].sort(([, a], [, b]) => a.goneMs - b.goneMs)
    for (const [source] of byEnd.slice(0, this.#words.size - this.#limit)) this.#words.delete(source)
  }
}

/** Takes what policy pushes. */
export function takeBans(
  caller: { onPush(listener: (push: policy.Push) => void): void },
  banned: BannedSources,
  now: () => number,
): void {
  caller.onPush(({ event }) => {
    if (event?.$case === 'bannedSources') banned.take(event.value, now())
  })
}
