// SPDX-License-Identifier: MIT
// Transactions by an integer that the caller makes of their key. Chains of ids in integer arrays, which the garbage collector does not walk;
// a Map of strings takes three times as long (each get, set and delete), and twice that where its memory has left the caches.
// Who lets others choose the hash asks `isCrowded` first: a chain is walked from its begin.

const FIRST_HEADS = 1024
/** In chains of one on average, a length that does not come by chance. */
const CROWDED = 16

export class ChainTable<T extends { readonly key: string }> {
  readonly #byId: readonly (T | undefined)[]
  /** First id of each chain, -1 for none; as many as a power of two. */
  #heads = new Int32Array(FIRST_HEADS).fill(-1)
  /** By id. */
  #next = new Int32Array(FIRST_HEADS)
  #hashes = new Int32Array(FIRST_HEADS)
  #count = 0

  /** @param byId all transactions by their id; the table looks there for what an id stands for */
  constructor(byId: readonly (T | undefined)[]) {
    this.#byId = byId
  }

  /** @param key what the transaction's `key` must be */
  find(hash: number, key: string): T | undefined {
    const heads = this.#heads
    for (let id = heads[hash & (heads.length - 1)] as number; id >= 0; id = this.#next[id] as number) {
      if (this.#hashes[id] !== hash) continue
      const tx = this.#byId[id]
      if (tx !== undefined && tx.key === key) return tx
    }
    return undefined
  }

  /** Whether so many share the chain of this hash that it should not grow. */
  isCrowded(hash: number): boolean {
    const heads = this.#heads
    let count = 0
    for (let id = heads[hash & (heads.length - 1)] as number; id >= 0; id = this.#next[id] as number) count++
    return count >= CROWDED
  }

  add(id: number, hash: number): void {
    if (this.#count === this.#heads.length) this.#spread()
    if (id >= this.#next.length) this.#grow(id)
    this.#hashes[id] = hash
    this.#link(id)
    this.#count++
  }

  /** `id` must be in it. */
  remove(id: number): void {
    const slot = (this.#hashes[id] as number) & (this.#heads.length - 1)
    const next = this.#next[id] as number
    let at = this.#heads[slot] as number
    if (at === id) this.#heads[slot] = next
    else {
      while (this.#next[at] !== id) at = this.#next[at] as number
      this.#next[at] = next
    }
    this.#count--
  }

  #link(id: number): void {
    const slot = (this.#hashes[id] as number) & (this.#heads.length - 1)
    this.#next[id] = this.#heads[slot] as number
    this.#heads[slot] = id
  }

  /** Twice as many chains. */
  #spread(): void {
    const old = this.#heads
    this.#heads = new Int32Array(old.length * 2).fill(-1)
    for (const head of old) {
      for (let id = head, next = -1; id >= 0; id = next) {
        next = this.#next[id] as number
        this.#link(id)
      }
    }
  }

  #grow(id: number): void {
    const next = new Int32Array(2 * id)
    next.set(this.#next)
    this.#next = next
    const hashes = new Int32Array(2 * id)
    hashes.set(this.#hashes)
    this.#hashes = hashes
  }
}
