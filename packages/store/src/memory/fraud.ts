// SPDX-License-Identifier: MIT
// Counters of rules against fraud in memory: slots by subject, those of accounts beside their account.

import { areCounters, isSlot } from '../fraud-rules.ts'
import type {
  FraudBegin,
  FraudBegun,
  FraudCancel,
  FraudCounter,
  FraudEnd,
  FraudRenewal,
  FraudSlot,
  FraudStore,
} from '../fraud-store.ts'
import { notStored, type Stored, stored } from '../result.ts'
import { full, type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import { FraudCounters } from './fraud-slot.ts'

interface Slot extends Timed {
  readonly key: string
  readonly counters: FraudCounters
}

const INVALID = notStored('invalid', 'a subject, counter or member that can not be a key, or too many of them')

export class MemoryFraud implements FraudStore {
  readonly #context: MemoryContext
  readonly #slots = new Map<string, Slot>()
  readonly #due = new Deadlines<Slot>()

  constructor(context: MemoryContext) {
    this.#context = context
  }

  begin({ slot, ref, leaseMs, checks }: FraudBegin): Stored<FraudBegun> {
    return this.#at(slot, checks, (counters, nowMs) => {
      if (counters.isKnown(ref, nowMs)) return { stopped: false, findings: [], undo: [], nowMs }
      const { stopped, findings } = counters.check(checks, nowMs)
      const undo = stopped ? [] : counters.count(ref, checks, leaseMs, nowMs)
      return { stopped, findings, undo, nowMs }
    })
  }

  cancel({ slot, ref, counters, undo, begunMs }: FraudCancel): Stored<void> {
    return this.#at(slot, counters, (at, nowMs) => at.cancel(ref, { counters, undo, begunMs }, nowMs))
  }

  renew({ slot, ref, counters, leaseMs }: FraudRenewal): Stored<bigint[]> {
    return this.#at(slot, counters, (at, nowMs) => at.renew(ref, counters, leaseMs, nowMs))
  }

  end({ slot, ref, counters, ...of }: FraudEnd): Stored<boolean> {
    return this.#at(slot, counters, (at, nowMs) => at.end(ref, counters, of, nowMs))
  }

  live(slot: FraudSlot, counter: string, limit: number): Stored<string[]> {
    const known = this.#slots.get(keyOf(slot))
    return stored(known?.counters.live(counter, limit, this.#now()) ?? [])
  }

  /** The counters of an account, for its hold; undefined: there is no room. */
  ofAccount(account: string): FraudCounters | undefined {
    return this.#slotOf({ scope: 'account', subject: account })?.counters
  }

  /** After the hold has counted. */
  keepAccount(account: string): void {
    const slot = this.#slots.get(keyOf({ scope: 'account', subject: account }))
    if (slot !== undefined) this.#keep(slot)
  }

  counts(): Record<string, number> {
    return { fraudSlotCount: this.#slots.size }
  }

  #now(): number {
    return Math.floor(this.#context.now())
  }

  #at<T>(
    slot: FraudSlot,
    counters: readonly FraudCounter[],
    act: (counters: FraudCounters, nowMs: number) => T,
  ): Stored<T> {
    if (!isSlot(slot) || !areCounters(counters)) return INVALID
    const at = this.#slotOf(slot)
    if (at === undefined) return full('subjects of fraud rules', this.#context.limits.maxFraudSlots)
    const value = act(at.counters, this.#now())
    this.#keep(at)
    return stored(value)
  }

  #slotOf(slot: FraudSlot): Slot | undefined {
    this.#sweep()
    const key = keyOf(slot)
    const known = this.#slots.get(key)
    if (known !== undefined) return known
    if (this.#slots.size >= this.#context.limits.maxFraudSlots) return undefined
    const made = { key, counters: new FraudCounters(), deadlineMs: this.#now(), heapIndex: -1 }
    this.#slots.set(key, made)
    this.#due.set(made)
    return made
  }

  #keep(slot: Slot): void {
    slot.deadlineMs = Math.max(slot.counters.forgetMs, this.#now())
    this.#due.set(slot)
  }

  /** Slots in which nothing counts any more. */
  #sweep(): void {
    const now = this.#now()
    for (let i = 0; i < SWEEP_PER_OPERATION; i++) {
      const slot = this.#due.peek()
      if (slot === undefined || slot.deadlineMs >= now) return
      this.#due.remove(slot)
      this.#slots.delete(slot.key)
    }
  }
}

const keyOf = ({ scope, subject }: FraudSlot): string => `${scope} ${subject}`
