// SPDX-License-Identifier: MIT
//
// From the rules that select a call to what is asked of the store: the checks of each subject, those of the account apart; what needs
// no store is judged at once.
import type { FraudScope } from '@tandem/resources'
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

/** Of kinds that say the same of every call, unless a level asks for proof. */
const ALIKE: ReadonlySet<FraudKind> = new Set(['calls', 'live', 'talk', 'spend', 'short'])
const asksProof = ({ warning, critical }: RuleCheck): boolean =>
  warning?.action === 'challenge' || critical?.action === 'challenge'
const alike = new WeakMap<RuleCheck, FraudCheck>()

function checkOf(check: RuleCheck, kind: FraudKind, call: FraudCall, proof: Proof): FraudCheck {
  const known = alike.get(check)
  if (known !== undefined) return known
  const made = makeCheck(check, kind, call, proof)
  if (ALIKE.has(kind) && !asksProof(check)) alike.set(check, Object.freeze(made))
  return made
}

function makeCheck(check: RuleCheck, kind: FraudKind, call: FraudCall, proof: Proof): FraudCheck {
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

/** The account of a call is one; of the others there are a handful. */
function slotFor(into: Inspection, scope: FraudScope, subject: string): SlotChecks {
  if (scope === 'account' && into.account !== undefined) return into.account
  for (const one of into.own) if (one.slot.scope === scope && one.slot.subject === subject) return one
  const made = { slot: { scope, subject }, checks: [], of: [], singles: [] }
  if (scope === 'account') into.account = made
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
      const at = slotFor(into, rule.scope, subject)
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
