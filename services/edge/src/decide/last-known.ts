// SPDX-License-Identifier: MIT
//
// What an edge remembers while policy answers, for domains whose failure mode is `last-known`: the decision on each pair of caller and
// callee, and who registered from where. Bounded: the oldest goes. Only what costs nothing is kept: plans to users of the cluster that
// were not charged, and refusals.
//
// A caller is his From at his source address: without policy nobody can be asked for a password.
import { policy } from '@tandem/rpc'

interface Kept<T> {
  readonly value: T
  readonly atMs: number
}

/** Longer ones are not worth their room. */
const MAX_KEY = 512

export class LastKnown {
  readonly #maxEntries: number
  readonly #maxAgeMs: number
  readonly #decisions = new Map<string, Kept<policy.DecideResponse>>()
  readonly #registered = new Map<string, Kept<true>>()

  constructor({ maxEntries, maxAgeMs }: { readonly maxEntries: number; readonly maxAgeMs: number }) {
    this.#maxEntries = maxEntries
    this.#maxAgeMs = maxAgeMs
  }

  /** Both together. */
  get size(): number {
    return this.#decisions.size + this.#registered.size
  }

  noteDecision(key: string, decision: policy.DecideResponse, nowMs: number): void {
    const value = harmless(decision)
    if (value === undefined) this.#decisions.delete(key)
    else this.#keep(this.#decisions, key, { value, atMs: nowMs })
  }

  /** @param key where from, and who */
  noteRegistered(key: string, nowMs: number): void {
    this.#keep(this.#registered, key, { value: true, atMs: nowMs })
  }

  decision(key: string, nowMs: number): policy.DecideResponse | undefined {
    return this.#find(this.#decisions, key, nowMs)
  }

  isRegistered(key: string, nowMs: number): boolean {
    return this.#find(this.#registered, key, nowMs) ?? false
  }

  #keep<T>(kept: Map<string, Kept<T>>, key: string, entry: Kept<T>): void {
    if (key.length > MAX_KEY) return
    kept.delete(key)
    kept.set(key, entry)
    if (kept.size <= this.#maxEntries) return
    for (const oldest of kept.keys()) return void kept.delete(oldest)
  }

  #find<T>(kept: Map<string, Kept<T>>, key: string, nowMs: number): T | undefined {
    const entry = kept.get(key)
    if (entry === undefined) return undefined
    if (nowMs - entry.atMs <= this.#maxAgeMs) return entry.value
    kept.delete(key)
    return undefined
  }
}

/** The decision as it may be given once more without anybody being asked; undefined for one that may not. */
function harmless(decision: policy.DecideResponse): policy.DecideResponse | undefined {
  const { verdict, charge } = decision
  if (verdict?.$case === 'reject') return { verdict, callRef: '', identity: '', account: '' }
  if (verdict?.$case !== 'plan' || charge !== undefined || !staysWithin(verdict.value)) return undefined
  const edits = verdict.value.edits.filter(({ operation, name }) => operation !== ADD || !ASSERTED.test(name))
  const value = { ...verdict.value, edits, accounting: false, maxDurationS: 0, maxRecursions: 0 }
  return { verdict: { $case: 'plan', value }, callRef: '', identity: '', account: '' }
}

const { ADD } = policy.HeaderEdit_Operation
/** Nobody has proven it this time. */
const ASSERTED = /^p-asserted-identity$/i

function staysWithin({ steps }: policy.Plan): boolean {
  return steps.every(({ targets }) => targets.every(({ where }) => where?.$case === 'aor'))
}
