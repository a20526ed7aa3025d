// SPDX-License-Identifier: MIT
//
// Deadlines of calls without a timer per call: a ring of slots of RESOLUTION_MS each, swept by one unref'd interval that
// sleeps after a second without entries. Adding and removing are O(1): an entry knows its slot and its place in it.
// A deadline beyond one turn of the ring stays in its slot until a later sweep. Nothing expires early.

export const RESOLUTION_MS = 20
const SLOTS = 256
const IDLE_SWEEPS = 50

/** Fields that the list keeps on its entries; slot -1 means not in the list. */
export interface Timed {
  deadlineMs: number
  slot: number
  place: number
}

export class DeadlineList<T extends Timed> {
  readonly #slots: T[][] = Array.from({ length: SLOTS }, () => [])
  readonly #expire: (entry: T) => void
  readonly #now: () => number
  #count = 0
  #sweptTick: number
  #idle = 0
  #interval: NodeJS.Timeout | undefined

  constructor(expire: (entry: T) => void, now: () => number) {
    this.#expire = expire
    this.#now = now
    this.#sweptTick = Math.floor(now() / RESOLUTION_MS)
  }

  get count(): number {
    return this.#count
  }

  add(entry: T): void {
    const index = Math.floor(entry.deadlineMs / RESOLUTION_MS) % SLOTS
    const slot = this.#slots[index] as T[]
    entry.slot = index
    entry.place = slot.length
    slot.push(entry)
    this.#count++
    if (this.#interval === undefined) this.#start()
  }

  remove(entry: T): void {
    if (entry.slot < 0) return
    const slot = this.#slots[entry.slot] as T[]
    const last = slot.pop() as T
    if (last !== entry) {
      slot[entry.place] = last
      last.place = entry.place
    }
    entry.slot = -1
    this.#count--
  }

  /** Takes every entry out; the callback is not told. */
  clear(): T[] {
    const entries = this.#slots.flat()
    for (const entry of entries) this.remove(entry)
    this.#stop()
    return entries
  }

  #start(): void {
    this.#idle = 0
    this.#sweptTick = Math.floor(this.#now() / RESOLUTION_MS)
    this.#interval = setInterval(() => this.#sweep(), RESOLUTION_MS)
    this.#interval.unref()
  }

  #stop(): void {
    clearInterval(this.#interval)
    this.#interval = undefined
  }

  /** Visits the slots whose time is wholly over; a late sweep visits all that it missed. */
  #sweep(): void {
    const now = this.#now()
    const tick = Math.floor(now / RESOLUTION_MS)
    const from = Math.max(this.#sweptTick, tick - SLOTS)
    for (let t = from; t < tick; t++) this.#sweepSlot(this.#slots[t % SLOTS] as T[], now)
    this.#sweptTick = tick
    this.#idle = this.#count === 0 ? this.#idle + 1 : 0
    if (this.#idle > IDLE_SWEEPS) this.#stop()
  }

  #sweepSlot(slot: T[], now: number): void {
    for (const entry of slot.filter((candidate) => candidate.deadlineMs <= now)) {
      if (entry.slot < 0) continue
      this.remove(entry)
      this.#expire(entry)
    }
  }
}
