// SPDX-License-Identifier: MIT
// Server transactions by key. Senders with the magic cookie: the key says it all. RFC 2543 senders: the To tag is
// compared too, and transactions that differ in nothing else hang in a chain (forked dialogs of one caller).
// Others choose the keys, so somebody may choose many of one hash: those beyond a few go into a Map, whose hash nobody knows.
import { Buffer } from 'node:buffer'
import { METHOD, type SipMessage } from '../message/index.ts'
import { ChainTable } from './chain-table.ts'
import { toTagOf } from './matching.ts'
import type { ServerTransaction } from './server-transaction.ts'

export class ServerTable {
  readonly #chains: ChainTable<ServerTransaction>
  readonly #crowded = new Map<string, ServerTransaction>()
  /** The key that was last looked up in vain and not added since, and its hash: most are added next, and need no second look. */
  #missed = ''
  #missedHash = 0

  /** @param byId all server transactions by their id */
  constructor(byId: readonly (ServerTransaction | undefined)[]) {
    this.#chains = new ChainTable(byId)
  }

  /** [RFC3261-17.2.3] */
  find(msg: SipMessage, key: string): ServerTransaction | undefined {
    const tx = this.#get(key)
    return tx === undefined || tx.legacy === undefined ? tx : findByTag(tx, msg)
  }

  findByKey(key: string): ServerTransaction | undefined {
    const tx = this.#get(key)
    return tx?.legacy === undefined ? tx : undefined
  }

  /** false: the key is in use. */
  add(tx: ServerTransaction): boolean {
    const first = tx.key === this.#missed ? undefined : this.#get(tx.key)
    const hash = tx.key === this.#missed ? this.#missedHash : hashOf(tx.key)
    this.#missed = ''
    if (first !== undefined) {
      if (tx.legacy === undefined || hasTag(first, tx.legacy.requestToTag)) return false
      tx.legacy.next = first
      this.#take(first)
    }
    this.#put(tx, hash)
    return true
  }

  remove(tx: ServerTransaction): void {
    if (tx.legacy === undefined) this.#take(tx)
    else this.#unchain(tx, tx.legacy.next)
  }

  #get(key: string): ServerTransaction | undefined {
    const hash = hashOf(key)
    const tx = this.#chains.find(hash, key) ?? (this.#crowded.size > 0 ? this.#crowded.get(key) : undefined)
    if (tx === undefined) {
      this.#missed = key
      this.#missedHash = hash
    }
    return tx
  }

  #put(tx: ServerTransaction, hash: number): void {
    if (this.#chains.isCrowded(hash)) this.#crowded.set(tx.key, tx)
    else this.#chains.add(tx.id, hash)
  }

  #take(tx: ServerTransaction): void {
    if (this.#crowded.size > 0 && this.#crowded.get(tx.key) === tx) this.#crowded.delete(tx.key)
    else this.#chains.remove(tx.id)
  }

  #unchain(tx: ServerTransaction, next: ServerTransaction | undefined): void {
    let before = this.#get(tx.key)
    if (before === tx) {
      this.#take(tx)
      if (next !== undefined) this.#put(next, hashOf(tx.key))
      return
    }
    while (before?.legacy !== undefined && before.legacy.next !== tx) before = before.legacy.next
    if (before?.legacy !== undefined) before.legacy.next = next
  }
}

const scratch = Buffer.alloc(256)

/** Of the first characters of a key, in which those of our phones and trunks differ. */
const hashOf = (key: string): number => {
  const end = scratch.latin1Write(key, 0)
  let hash = 0
  for (let i = 0; i < end; i++) hash = (Math.imul(hash, 0x01000193) ^ (scratch[i] as number)) | 0
  return hash ^ (hash >>> 15)
}

const findByTag = (first: ServerTransaction, msg: SipMessage): ServerTransaction | undefined => {
  const tag = toTagOf(msg)
  for (let tx: ServerTransaction | undefined = first; tx?.legacy !== undefined; tx = tx.legacy.next) {
    if ((msg.method === METHOD.ACK ? tx.legacy.responseToTag : tx.legacy.requestToTag) === tag) return tx
  }
  return undefined
}

const hasTag = (first: ServerTransaction, tag: string): boolean => {
  for (let tx: ServerTransaction | undefined = first; tx !== undefined; tx = tx.legacy?.next) {
    if (tx.legacy === undefined || tx.legacy.requestToTag === tag) return true
  }
  return false
}
