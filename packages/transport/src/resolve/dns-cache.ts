// SPDX-License-Identifier: MIT
// Answers of DNS for as long as they are good: bounded, the least recently used goes first. Equal questions that are under way share one
// lookup. A lookup that takes too long fails; its late answer is thrown away. Empty answers and failures are kept for a short while, so
// that a name that does not exist, or a server that is down, is not asked for each request.
import type { AddressRecord, DnsResolver, NaptrRecord, SrvRecord } from './resolver.ts'

export interface DnsCacheOptions {
  readonly resolver: DnsResolver
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly lookupTimeoutMs: number
  readonly maxEntries: number
  readonly maxInFlight: number
  readonly negativeTtlMs: number
  readonly serviceTtlMs: number
  readonly maxTtlMs: number
}

export interface DnsCounters {
  lookups: number
  hits: number
  /** Questions that found an equal one under way. */
  joined: number
  timeouts: number
  failures: number
  /** Not asked because too many were under way. */
  rejected: number
  evicted: number
}

/** The records, or why there is no answer. */
export type Answer<T> =
  | { readonly ok: true; readonly records: readonly T[] }
  | { readonly ok: false; readonly detail: string }

type Kind = keyof DnsResolver
type AnyRecord = AddressRecord | NaptrRecord | SrvRecord

interface Entry {
  readonly answer: Promise<Answer<AnyRecord>>
  /** Infinity while the lookup is under way. */
  expiresMs: number
}

const MIN_TTL_MS = 1_000

export class DnsCache {
  readonly counters: DnsCounters = { lookups: 0, hits: 0, joined: 0, timeouts: 0, failures: 0, rejected: 0, evicted: 0 }
  readonly #options: DnsCacheOptions
  readonly #entries = new Map<string, Entry>()
  #inFlight = 0

  constructor(options: DnsCacheOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  naptr(name: string): Promise<Answer<NaptrRecord>> {
    return this.#ask('naptr', name)
  }

  srv(name: string): Promise<Answer<SrvRecord>> {
    return this.#ask('srv', name)
  }

  /** The family's addresses. */
  addresses(name: string, family: 4 | 6): Promise<Answer<AddressRecord>> {
    return this.#ask(family === 6 ? 'aaaa' : 'a', name)
  }

  // The kind decides the records' type; the map holds all kinds.
  #ask<T extends AnyRecord>(kind: Kind, name: string): Promise<Answer<T>> {
    return this.#lookup(kind, name) as Promise<Answer<T>>
  }

  #lookup(kind: Kind, name: string): Promise<Answer<AnyRecord>> {
    const key = `${kind} ${name}`
    const known = this.#entries.get(key)
    if (known !== undefined && known.expiresMs > this.#options.now()) return this.#reuse(key, known)
    if (this.#inFlight >= this.#options.maxInFlight) {
      this.counters.rejected++
      return Promise.resolve({ ok: false, detail: 'too many lookups under way' })
    }
    this.counters.lookups++
    const entry: Entry = { answer: this.#query(kind, name), expiresMs: Number.POSITIVE_INFINITY }
    this.#keep(key, entry)
    void entry.answer.then((answer) => {
      entry.expiresMs = this.#options.now() + this.#ttlMs(kind, answer)
    })
    return entry.answer
  }

  #reuse(key: string, entry: Entry): Promise<Answer<AnyRecord>> {
    if (entry.expiresMs === Number.POSITIVE_INFINITY) this.counters.joined++
    else this.counters.hits++
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.answer
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key)
    while (this.#entries.size >= this.#options.maxEntries) {
      const oldest = this.#entries.keys().next()
      if (oldest.done === true) break
      this.#entries.delete(oldest.value)
      this.counters.evicted++
    }
    this.#entries.set(key, entry)
  }

  /** Never rejects. */
  async #query(kind: Kind, name: string): Promise<Answer<AnyRecord>> {
    const { resolver, lookupTimeoutMs } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<Answer<AnyRecord>>((resolve) => {
      timer = setTimeout(() => {
        this.counters.timeouts++
        resolve({ ok: false, detail: `${kind} ${name}: no answer in ${lookupTimeoutMs} ms` })
      }, lookupTimeoutMs)
    })
    this.#inFlight++
    try {
      const records = resolver[kind](name).then((found): Answer<AnyRecord> => ({ ok: true, records: found }))
      return await Promise.race([records, late])
    } catch (error) {
      this.counters.failures++
      return { ok: false, detail: `${kind} ${name}: ${(error as Error).message}` }
    } finally {
      this.#inFlight--
      clearTimeout(timer)
    }
  }

  #ttlMs(kind: Kind, answer: Answer<AnyRecord>): number {
    const { negativeTtlMs, serviceTtlMs, maxTtlMs } = this.#options
    if (!answer.ok || answer.records.length === 0) return negativeTtlMs
    if (kind === 'srv' || kind === 'naptr') return serviceTtlMs
    const ttls = (answer.records as readonly AddressRecord[]).map((record) => record.ttl * 1_000)
    return Math.min(maxTtlMs, Math.max(MIN_TTL_MS, Math.min(...ttls)))
  }
}
