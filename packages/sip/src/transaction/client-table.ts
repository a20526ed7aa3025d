// SPDX-License-Identifier: MIT
// Client transactions by the branch of their Via. A branch of ours ends in a keyed proof (proxy/branch.ts), so its last characters are
// as good as random and nobody outside can choose them: they are the hash, and no string is hashed or moved about. Chains of ids in
// integer arrays, which the garbage collector does not walk; a Map of strings takes three times as long (each get, set and delete).
// Leaves out CANCEL, which has the branch of its INVITE.
import type { ClientTransaction } from './client-transaction.ts'

const FIRST_HEADS = 1024
const HASHED = 6
const { charCodeAt } = String.prototype

export class ClientTable {
  readonly #byId: readonly (ClientTransaction | undefined)[]
  /** First id of each chain, -1 for none; as many as a power of two. */
  #heads = new Int32Array(FIRST_HEADS).fill(-1)
  /** By id. */
  #next = new Int32Array(FIRST_HEADS)
  #hashes = new Int32Array(FIRST_HEADS)
  #count = 0

  /** @param byId all transactions by their id; the table looks there for what an id stands for */
  constructor(byId: readonly (ClientTransaction | undefined)[]) {
    this.#byId = byId
  }

  /** @param hash `hashOfBytes` of the branch, or `hashOfText` @param key what the transaction's `key` must be */
  find(hash: number, key: string): ClientTransaction | undefined {
    const heads = this.#heads
    for (let id = heads[hash & (heads.length - 1)] as number; id >= 0; id = this.#next[id] as number) {
      if (this.#hashes[id] !== hash) continue
      const tx = this.#byId[id]
      if (tx !== undefined && tx.key === key) return tx
    }
    return undefined
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

/** Of the branch buf[start, end). */
export const hashOfBytes = (buf: Uint8Array, start: number, end: number): number => {
  let hash = 0
  for (let i = Math.max(start, end - HASHED); i < end; i++) hash = (Math.imul(hash, 67) + (buf[i] as number)) | 0
  return hash
}

/** The same of a branch as text. */
export const hashOfText = (branch: string): number => {
  const end = branch.length
  let hash = 0
  for (let i = Math.max(0, end - HASHED); i < end; i++) hash = (Math.imul(hash, 67) + charCodeAt.call(branch, i)) | 0
  return hash
}
