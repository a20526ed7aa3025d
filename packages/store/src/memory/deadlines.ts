// SPDX-License-Identifier: MIT
// A binary heap of entries by deadline. Each entry knows its place, so that a deadline moves or goes in O(log n) and
// nothing stale stays behind. Swept by the operations of its table and by tick(), never by timers of its own.

export interface Timed {
  deadlineMs: number
  /** Place in its heap; -1 outside. Only the heap writes it. */
  heapIndex: number
}

export class Deadlines<T extends Timed> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

  /** The entry with the nearest deadline. */
  peek(): T | undefined {
    return this.#heap[0]
  }

  /** Puts an entry in, or moves it after its deadline changed. */
  set(entry: T): void {
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.#heap.length
      this.#heap.push(entry)
    }
    if (!this.#up(entry)) this.#down(entry)
  }

  remove(entry: T): void {
    const index = entry.heapIndex
    if (index < 0) return
    entry.heapIndex = -1
    const last = this.#heap.pop()
    if (last === undefined || last === entry) return
    this.#heap[index] = last
    last.heapIndex = index
    if (!this.#up(last)) this.#down(last)
  }

  /** Removes and returns an entry whose deadline has come. */
  take(nowMs: number): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.deadlineMs > nowMs) return undefined
    this.remove(first)
    return first
  }

  #up(entry: T): boolean {
    const heap = this.#heap
    let index = entry.heapIndex
    const start = index
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above] as T
      if (parent.deadlineMs <= entry.deadlineMs) break
      heap[index] = parent
      parent.heapIndex = index
      index = above
    }
    heap[index] = entry
    entry.heapIndex = index
    return index !== start
  }

  #down(entry: T): void {
    const heap = this.#heap
    let index = entry.heapIndex
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && (heap[below + 1] as T).deadlineMs < (heap[below] as T).deadlineMs) below++
      const child = heap[below] as T
      if (child.deadlineMs >= entry.deadlineMs) break
      heap[index] = child
      child.heapIndex = index
      index = below
    }
    heap[index] = entry
    entry.heapIndex = index
  }
}
