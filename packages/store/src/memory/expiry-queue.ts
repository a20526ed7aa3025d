// SPDX-License-Identifier: MIT
// Entries that are kept equally long from when they are pushed, so that they lie in the order of their ends: pushing and taking cost the
// same however many there are. A heap of as many walks through memory that nothing else has touched for a minute.
// An entry whose length is shorter than that of one before it leaves with that one.

const CHUNK = 1024

export class ExpiryQueue<T extends { readonly deadlineMs: number }> {
  readonly #chunks: T[][] = [[]]
  /** Of the first chunk, how many have been taken. */
  #taken = 0

  push(entry: T): void {
    const last = this.#chunks[this.#chunks.length - 1] as T[]
    if (last.length < CHUNK) last.push(entry)
    else this.#chunks.push([entry])
  }

  /** Removes and returns the first entry, if its deadline has come. */
  take(nowMs: number): T | undefined {
    const chunk = this.#chunks[0] as T[]
    const first = chunk[this.#taken]
    if (first === undefined || first.deadlineMs > nowMs) return undefined
    this.#taken++
    if (this.#taken === chunk.length) this.#leave(chunk)
    return first
  }

  #leave(chunk: T[]): void {
    this.#taken = 0
    if (this.#chunks.length > 1) this.#chunks.shift()
    else chunk.length = 0
  }
}
