// SPDX-License-Identifier: MIT
// Timers in lists of equal length: appended at the tail they are sorted by deadline for free, so starting, stopping
// and firing are O(1) and nothing is allocated. Nodes are indexes into integer arrays; owner `id` has the nodes
// `id * TIMER_SLOTS + slot`, behind one sentinel per list. Deadlines are 32-bit milliseconds compared by difference,
// so they survive the clock's wrap.
// Invariants: the clock never goes back (an earlier `now` is ignored); a length is below 2^31 ms; a node is in at
// most one list; a released id has no running timer.
import { TIMER_SLOTS } from './machine.ts'

export interface TimerOwner {
  onTimer(id: number, slot: number): void
}

const FIRST_CAPACITY = 256

export class TimerLists {
  /** Milliseconds of the injected clock, as of the last tick. */
  now = 0
  running = 0
  readonly #owner: TimerOwner
  readonly #lengths: Int32Array
  readonly #base: number
  #next: Int32Array
  #prev: Int32Array
  #deadline: Int32Array
  #capacity = FIRST_CAPACITY
  #used = 0
  #free: number[] = []

  /** `lengthsMs`: every length that will be asked for; each gets its list. */
  constructor(lengthsMs: readonly number[], owner: TimerOwner) {
    this.#owner = owner
    this.#lengths = Int32Array.from([...new Set(lengthsMs)].sort((a, b) => a - b))
    this.#base = this.#lengths.length
    const nodes = this.#base + FIRST_CAPACITY * TIMER_SLOTS
    this.#next = new Int32Array(nodes).fill(-1)
    this.#prev = new Int32Array(nodes).fill(-1)
    this.#deadline = new Int32Array(nodes)
    for (let list = 0; list < this.#base; list++) this.#next[list] = this.#prev[list] = list
  }

  /** The list of a length, to be looked up once and used with `start`. */
  listOf(lengthMs: number): number {
    const list = this.#lengths.indexOf(lengthMs)
    if (list < 0) throw new RangeError(`no timer list of ${lengthMs} ms`)
    return list
  }

  /** A new owner's id. */
  acquire(): number {
    const id = this.#free.pop()
    if (id !== undefined) return id
    if (this.#used === this.#capacity) this.#grow()
    return this.#used++
  }

  /** Gives the id back and stops whatever still runs. */
  release(id: number): void {
    for (let slot = 0; slot < TIMER_SLOTS; slot++) this.stop(id, slot)
    this.#free.push(id)
  }

  start(id: number, slot: number, list: number): void {
    const node = this.#base + id * TIMER_SLOTS + slot
    if (this.#next[node] !== -1) this.#unlink(node)
    const tail = this.#prev[list] as number
    this.#deadline[node] = (this.now + (this.#lengths[list] as number)) | 0
    this.#next[tail] = node
    this.#prev[node] = tail
    this.#next[node] = list
    this.#prev[list] = node
    this.running++
  }

  stop(id: number, slot: number): void {
    const node = this.#base + id * TIMER_SLOTS + slot
    if (this.#next[node] !== -1) this.#unlink(node)
  }

  isRunning(id: number, slot: number): boolean {
    return this.#next[this.#base + id * TIMER_SLOTS + slot] !== -1
  }

  /** Sets the clock. */
  advance(nowMs: number): void {
    if (nowMs > this.now) this.now = Math.floor(nowMs)
  }

  /** Fires what is due, in the order of the deadlines. */
  fire(): void {
    for (let node = this.#earliest(); node >= 0 && this.#left(node) <= 0; node = this.#earliest()) {
      this.#unlink(node)
      const timer = node - this.#base
      this.#owner.onTimer((timer / TIMER_SLOTS) | 0, timer % TIMER_SLOTS)
    }
  }

  /** When the next timer is due, in the clock's milliseconds; Infinity when none runs. */
  nextDeadline(): number {
    const node = this.#earliest()
    return node < 0 ? Number.POSITIVE_INFINITY : this.now + this.#left(node)
  }

  #left(node: number): number {
    return ((this.#deadline[node] as number) - (this.now | 0)) | 0
  }

  #earliest(): number {
    if (this.running === 0) return -1
    let found = -1
    let least = 0
    for (let list = 0; list < this.#base; list++) {
      const node = this.#next[list] as number
      if (node === list) continue
      const left = this.#left(node)
      if (found >= 0 && left >= least) continue
      found = node
      least = left
    }
    return found
  }

  #unlink(node: number): void {
    const next = this.#next[node] as number
    const prev = this.#prev[node] as number
    this.#next[prev] = next
    this.#prev[next] = prev
    this.#next[node] = -1
    this.running--
  }

  #grow(): void {
    this.#capacity *= 2
    const nodes = this.#base + this.#capacity * TIMER_SLOTS
    const next = new Int32Array(nodes).fill(-1)
    next.set(this.#next)
    this.#next = next
    const prev = new Int32Array(nodes)
    prev.set(this.#prev)
    this.#prev = prev
    const deadline = new Int32Array(nodes)
    deadline.set(this.#deadline)
    this.#deadline = deadline
  }
}
