// SPDX-License-Identifier: MIT
//
// The counters of a call's subjects, each alone, before its account: all are asked at once, and when one stops the call, or the account
// does, those that have counted it take it back. A node that dies in between leaves one call too many in a window until that
// has passed, and in a set of calls until its lease is over.
import type { FraudBegun, FraudFinding, Stored } from '@tandem/store'
import { LEASE_MARGIN_MS } from '../charging/hold-call.ts'
import type { PolicyContext } from '../context.ts'
import type { Failure } from '../store-health.ts'
import type { Finding } from './findings.ts'
import type { SlotChecks } from './inspect.ts'

export interface BegunSlot {
  readonly at: SlotChecks
  readonly begun: FraudBegun
}

export interface Begun {
  readonly slots: readonly BegunSlot[]
  readonly stopped: boolean
  /** The store did not say; by setting the call ends with it. */
  readonly failure: Failure | undefined
}

const DETAILED = new Set(['sequence', 'distinct', 'countries', 'fresh'])

export function findingsOf({ slot, of, checks }: SlotChecks, { findings, nowMs }: FraudBegun): Finding[] {
  return findings.flatMap(({ index, level, value }: FraudFinding): Finding[] => {
    const check = of[index]
    if (check === undefined) return []
    const detail = DETAILED.has(check.kind) ? (checks[index]?.member ?? '') : ''
    return [{ check, level, value, subject: slot.subject, atMs: nowMs, detail }]
  })
}

const NOTHING_BEGUN: Begun = { slots: [], stopped: false, failure: undefined }

export function beginSlots(context: PolicyContext, own: readonly SlotChecks[], ref: string): Begun | Promise<Begun> {
  return own.length === 0 ? NOTHING_BEGUN : begin(context, own, ref)
}

async function begin(context: PolicyContext, own: readonly SlotChecks[], ref: string): Promise<Begun> {
  const { fraud, settings, health } = context
  const leaseMs = settings.setupDeadlineMs + LEASE_MARGIN_MS
  const counted = own.filter(({ checks }) => checks.length > 0)
  const asked = counted.map(async ({ slot, checks }) => fraud.store?.begin({ slot, ref, leaseMs, checks }))
  const results: (Stored<FraudBegun> | undefined)[] = await Promise.all(asked)
  const slots: BegunSlot[] = []
  let failure: Failure | undefined
  for (const [i, result] of results.entries()) {
    const at = counted[i]
    if (result === undefined || at === undefined) continue
    if (health.see(result)) slots.push({ at, begun: result.value })
    else failure = result as Failure
  }
  return { slots, stopped: slots.some(({ begun }) => begun.stopped), failure }
}

/** The call does not begin after all. Nobody waits for it. */
export async function cancelSlots(context: PolicyContext, slots: readonly BegunSlot[], ref: string): Promise<void> {
  for (const { at, begun } of slots) {
    if (begun.undo.length === 0) continue
    const { slot, checks: counters } = at
    const cancelled = await context.fraud.store?.cancel({ slot, ref, counters, undo: begun.undo, begunMs: begun.nowMs })
    if (cancelled !== undefined) context.health.see(cancelled)
  }
}
