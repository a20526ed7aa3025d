// SPDX-License-Identifier: MIT
// References with frozen decisions by server-transaction key, and nonce counts, in memory.

import { NONCE_WINDOW } from '../nonce-window.ts'
import type { NonceUse } from '../policy-store.ts'
import { type Stored, stored } from '../result.ts'
import type { Minted, MintProposal } from '../types.ts'
import type { MemoryBans } from './bans.ts'
import { full, type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'

interface Mint extends Timed {
  readonly key: string
  readonly ref: string
  readonly decision: Uint8Array
}

interface Nonce extends Timed {
  readonly id: string
  highest: number
  /** Count to the transaction that used it. */
  readonly used: Map<number, string>
}

export class MemoryMints {
  readonly #context: MemoryContext
  readonly #mints = new Map<string, Mint>()
  readonly #deadlines = new Deadlines<Mint>()
  #refused = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  mint(key: string, proposal: MintProposal, keepMs: number): Stored<Minted> {
    const now = this.#context.now()
    this.#sweep(now, SWEEP_PER_OPERATION)
    const found = this.#mints.get(key)
    if (found !== undefined && found.deadlineMs > now)
      return stored({ ref: found.ref, decision: found.decision, replayed: true })
    if (found !== undefined) this.#delete(found)
    if (this.#mints.size >= this.#context.limits.maxMints) {
      this.#refused++
      return full('minted references', this.#context.limits.maxMints)
    }
    const { ref, decision } = proposal
    const mint: Mint = { key, ref, decision, deadlineMs: now + keepMs, heapIndex: -1 }
    this.#mints.set(key, mint)
    this.#deadlines.set(mint)
    return stored({ ref, decision, replayed: false })
  }

  read(key: string): Stored<Minted | undefined> {
    const found = this.#mints.get(key)
    if (found === undefined || found.deadlineMs <= this.#context.now()) return stored(undefined)
    return stored({ ref: found.ref, decision: found.decision, replayed: true })
  }

  /** When the key of a call is forgotten; the call is remembered at least as long. */
  deadlineOf(key: string): number {
    return this.#mints.get(key)?.deadlineMs ?? 0
  }

  /** Reference of a key that is not forgotten. */
  refOf(key: string): string | undefined {
    return this.#mints.get(key)?.ref
  }

  release(key: string, keepMs: number): Stored<boolean> {
    const now = this.#context.now()
    const mint = this.#mints.get(key)
    if (mint === undefined || mint.deadlineMs <= now) return stored(false)
    mint.deadlineMs = Math.min(mint.deadlineMs, now + keepMs)
    this.#deadlines.set(mint)
    return stored(true)
  }

  tick(): void {
    this.#sweep(this.#context.now(), 50_000)
  }

  counts(): Record<string, number> {
    return { mintCount: this.#mints.size, mintsRefused: this.#refused }
  }

  #delete(mint: Mint): void {
    this.#deadlines.remove(mint)
    this.#mints.delete(mint.key)
  }

  #sweep(now: number, limit: number): void {
    for (let i = 0; i < limit; i++) {
      const mint = this.#deadlines.take(now)
      if (mint === undefined) return
      this.#delete(mint)
    }
  }
}

export class MemoryNonces {
  readonly #context: MemoryContext
  readonly #nonces = new Map<string, Nonce>()
  readonly #deadlines = new Deadlines<Nonce>()
  readonly #bans: MemoryBans
  #refused = 0

  constructor(context: MemoryContext, bans: MemoryBans) {
    this.#context = context
    this.#bans = bans
  }

  use(use: NonceUse): Stored<'fresh' | 'replay'> {
    const { count: nc, transactionKey, ttlMs, user: owner, source } = use
    const id = `${use.nonceId}:${owner}`
    const now = this.#context.now()
    this.#sweep(now, SWEEP_PER_OPERATION)
    const nonce = this.#open(id, now, ttlMs)
    if (nonce === undefined) return full('nonces in use', this.#context.limits.maxNonces)
    const user = nonce.used.get(nc)
    if (user !== undefined) return stored(user === transactionKey ? 'fresh' : 'replay')
    if (nc <= nonce.highest - NONCE_WINDOW) return stored('replay')
    nonce.used.set(nc, transactionKey)
    if (nc > nonce.highest) advance(nonce, nc)
    this.#bans.forgive(owner, source)
    return stored('fresh')
  }

  tick(): void {
    this.#sweep(this.#context.now(), 50_000)
  }

  counts(): Record<string, number> {
    return { nonceCount: this.#nonces.size, noncesRefused: this.#refused }
  }

  #open(id: string, now: number, ttlMs: number): Nonce | undefined {
    const found = this.#nonces.get(id)
    if (found !== undefined && found.deadlineMs > now) return found
    if (found !== undefined) this.#deadlines.remove(found)
    else if (this.#nonces.size >= this.#context.limits.maxNonces) {
      this.#refused++
      return undefined
    }
    const nonce: Nonce = { id, highest: 0, used: new Map(), deadlineMs: now + ttlMs, heapIndex: -1 }
    this.#nonces.set(id, nonce)
    this.#deadlines.set(nonce)
    return nonce
  }

  #sweep(now: number, limit: number): void {
    for (let i = 0; i < limit; i++) {
      const nonce = this.#deadlines.take(now)
      if (nonce === undefined) return
      this.#nonces.delete(nonce.id)
    }
  }
}

function advance(nonce: Nonce, nc: number): void {
  nonce.highest = nc
  for (const count of nonce.used.keys()) if (count <= nc - NONCE_WINDOW) nonce.used.delete(count)
}
