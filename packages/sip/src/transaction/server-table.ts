// SPDX-License-Identifier: MIT
// Server transactions by key. Senders with the magic cookie: the key says it all. RFC 2543 senders: the To tag is
// compared too, and transactions that differ in nothing else hang in a chain (forked dialogs of one caller).
import { METHOD, type SipMessage } from '../message/index.ts'
import { toTagOf } from './matching.ts'
import type { ServerTransaction } from './server-transaction.ts'

export class ServerTable {
  readonly #byKey = new Map<string, ServerTransaction>()
  /** The key that was last looked up in vain and not added since: most are added next, and need no second look. */
  #missed = ''

  /** [RFC3261-17.2.3] */
  find(msg: SipMessage, key: string): ServerTransaction | undefined {
    const tx = this.#byKey.get(key)
    if (tx === undefined) this.#missed = key
    return tx === undefined || tx.legacy === undefined ? tx : findByTag(tx, msg)
  }

  findByKey(key: string): ServerTransaction | undefined {
    const tx = this.#byKey.get(key)
    return tx?.legacy === undefined ? tx : undefined
  }

  /** false: the key is in use. */
  add(tx: ServerTransaction): boolean {
    const first = tx.key === this.#missed ? undefined : this.#byKey.get(tx.key)
    this.#missed = ''
    if (first !== undefined) {
      if (tx.legacy === undefined || hasTag(first, tx.legacy.requestToTag)) return false
      tx.legacy.next = first
    }
    this.#byKey.set(tx.key, tx)
    return true
  }

  remove(tx: ServerTransaction): void {
    if (tx.legacy === undefined) this.#byKey.delete(tx.key)
    else this.#unchain(tx, tx.legacy.next)
  }

  #unchain(tx: ServerTransaction, next: ServerTransaction | undefined): void {
    let before = this.#byKey.get(tx.key)
    if (before === tx) {
      if (next === undefined) this.#byKey.delete(tx.key)
      else this.#byKey.set(tx.key, next)
      return
    }
    while (before?.legacy !== undefined && before.legacy.next !== tx) before = before.legacy.next
    if (before?.legacy !== undefined) before.legacy.next = next
  }
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
