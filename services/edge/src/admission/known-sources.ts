// SPDX-License-Identifier: MIT
//
// Addresses that somebody registered or called from lately, with success: a note of a hash in a table of one size. Two addresses may share
// a note, and a newer one overwrites an older: it only says who goes first when not all can.

const SLOTS = 1 << 15
const MINUTE_BITS = 16
const MINUTES = (1 << MINUTE_BITS) - 1

export class KnownSources {
  /** Upper bits of the hash, and the minute of the last success. */
  readonly #notes = new Uint32Array(SLOTS)
  readonly #keepMinutes: number

  constructor(keepMs = 3_600_000) {
    this.#keepMinutes = keepMs / 60_000
  }

  /** @param nowMs monotonic */
  add(address: string, nowMs: number): void {
    const hash = hashOf(address)
    this.#notes[hash & (SLOTS - 1)] = noteOf(hash, minuteOf(nowMs))
  }

  has(address: string, nowMs: number): boolean {
    const hash = hashOf(address)
    const note = this.#notes[hash & (SLOTS - 1)] as number
    const minute = note & MINUTES
    if (note === 0 || noteOf(hash, minute) !== note) return false
    return ((minuteOf(nowMs) - minute) & MINUTES) <= this.#keepMinutes
  }
}

/** Never 0 in a new process, so that an empty slot is no note. */
const minuteOf = (nowMs: number): number => (Math.floor(nowMs / 60_000) + 1) & MINUTES

const noteOf = (hash: number, minute: number): number => ((hash & ~MINUTES) | minute) >>> 0

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash ^ (hash >>> 15)
}
