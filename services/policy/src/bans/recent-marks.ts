// SPDX-License-Identifier: MIT
//
// Who proved himself here lately: a note of a hash in a table of one size, so that a success costs no write to the store but once in a while.
// Two marks may share a place, and the newer overwrites the older; one in 65,536 is taken for another.
const SLOTS = 1 << 18
const MINUTE_BITS = 16
const MINUTES = (1 << MINUTE_BITS) - 1
const MINUTE_MS = 60_000

export class RecentMarks {
  readonly #notes = new Uint32Array(SLOTS)

  /** @param nowMs monotonic */
  add(mark: string, nowMs: number): void {
    const hash = hashOf(mark)
    this.#notes[placeOf(hash)] = noteOf(hash, minuteOf(nowMs))
  }

  has(mark: string, withinMs: number, nowMs: number): boolean {
    const hash = hashOf(mark)
    const note = this.#notes[placeOf(hash)] as number
    const minute = note & MINUTES
    if (note === 0 || noteOf(hash, minute) !== note) return false
    return ((minuteOf(nowMs) - minute) & MINUTES) * MINUTE_MS <= withinMs
  }
}

/** Never 0 in a new process, so that an empty place is no note. */
const minuteOf = (nowMs: number): number => (Math.floor(nowMs / MINUTE_MS) + 1) & MINUTES
const noteOf = (hash: number, minute: number): number => ((hash & ~MINUTES) | minute) >>> 0
const placeOf = (hash: number): number => (Math.imul(hash, 0x9e3779b1) >>> 14) & (SLOTS - 1)

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash ^ (hash >>> 15)
}
