// SPDX-License-Identifier: MIT
//
// From the rules that select a call to what is asked of the store: the checks of each subject, those of the account apart; what needs
// no store is judged at once.
import type { FraudCheck, FraudCounter, FraudKind, FraudSlot } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { type Finding, stops } from './findings.ts'
import { destinationOf, type FraudCall, type Proof, subjectOf } from './fraud-call.ts'
import type { FraudPorts } from './ports.ts'
import type { RuleCheck } from './rule-checks.ts'
import { listedPrefix, type Selected } from './rule-index.ts'

/** Checks of one subject, and what each is of. */
export interface SlotChecks {
  readonly slot: FraudSlot
  readonly checks: FraudCheck[]
  readonly of: RuleCheck[]
  /** Of the talk of one call: nothing to count, but to be looked at while it lasts. */
  readonly singles: RuleCheck[]
}

export interface Inspection {
  /** Of rules that need no count. */
  readonly findings: Finding[]
  /** One of them stops the call. */
  stopped: boolean
  /** Each alone, before the account. */
  readonly own: SlotChecks[]
  /** In the account's own step; undefined: none. */
  account: SlotChecks | undefined
}

const MAX_CHECKS_PER_SLOT = 256

/** What counts as one member: a number, a country. Of `fresh` the rate's prefix, which the hold knows. */
function memberOf(kind: FraudKind, call: FraudCall): string {
  if (kind === 'sequence' || kind === 'distinct') return destinationOf(call).replace(/\s/g, '').slice(0, 128)
  return kind === 'countries' ? call.country() : ''
}

export const counterOf = (check: RuleCheck, kind: FraudKind, member: string): FraudCounter => ({
  counter: check.counter,
  kind,
  windowMs: check.windowMs,
  member,
})

function checkOf(check: RuleCheck, kind: FraudKind, call: FraudCall, proof: Proof): FraudCheck {
  const { warning, critical } = check
  return {
    ...counterOf(check, kind, memberOf(kind, call)),
    warning: warning?.above,
    critical: critical?.above,
    warningStops: stops(check, warning, proof),
    criticalStops: stops(check, critical, proof),
    amount: BigInt(check.minCalls),
  }
}

/** A list or hours: reached with the highest level that there is. */
function markFinding(check: RuleCheck, subject: string, detail: string, atMs: number): Finding {
  const level = check.critical === undefined ? 'warning' : 'critical'
  return { check, level, value: 1n, subject, atMs, detail }
}

function markOf(check: RuleCheck, call: FraudCall, ports: FraudPorts, unixMs: number): string | undefined {
  if (check.kind === 'hours') {
    return ports.isWithin(check.schedule, unixMs) ? undefined : `outside of ${check.schedule}`
  }
  const prefix = check.kind === 'list' ? listedPrefix(check.lists, call, ports) : undefined
  return prefix === undefined ? undefined : `${prefix} is on a list`
}

function slotFor(into: Inspection, slots: Map<string, SlotChecks>, slot: FraudSlot): SlotChecks {
  const key = `${slot.scope} ${slot.subject}`
  const known = slots.get(key)
  if (known !== undefined) return known
  const made = { slot, checks: [], of: [], singles: [] }
  slots.set(key, made)
  if (slot.scope === 'account') into.account = made
  else into.own.push(made)
  return made
}

export function inspect(
  { now, fraud }: PolicyContext,
  selected: readonly Selected[],
  call: FraudCall,
  proof: Proof,
): Inspection {
  const into: Inspection = { findings: [], stopped: false, own: [], account: undefined }
  const slots = new Map<string, SlotChecks>()
  const unixMs = now()
  for (const { rule, prefix } of selected) {
    const subject = subjectOf(rule.scope, call, prefix)
    if (subject === '') continue
    for (const check of rule.checks) {
      const { kind } = check
      if (kind === 'agent') continue
      if (kind === 'list' || kind === 'hours') {
        const detail = markOf(check, call, fraud.ports, unixMs)
        if (detail === undefined) continue
        const finding = markFinding(check, subject, detail, unixMs)
        into.findings.push(finding)
        into.stopped ||= stops(check, check.critical ?? check.warning, proof)
        continue
      }
      if (kind === 'countries' && call.country() === '') continue
      const at = slotFor(into, slots, { scope: rule.scope, subject })
      if (kind === 'single') {
        at.singles.push(check)
      } else if (at.of.length < MAX_CHECKS_PER_SLOT) {
        at.of.push(check)
        at.checks.push(checkOf(check, kind, call, proof))
      }
    }
  }
  return into
}
