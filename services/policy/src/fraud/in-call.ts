// SPDX-License-Identifier: MIT
//
// Rules against fraud while a call lasts and at its end: its leases are renewed with its hold, sums are looked at with its own talk and price on
// top, and at the end both are added, once by reference. Done by whoever renews or settles the call; a repeat changes nothing.
// Store away: what can't be counted is not counted, and holds up no money.
import type { FraudAction } from '@tandem/resources'
import type { ChargedCall } from '@tandem/store'
import { requestHangUp } from '../calls/hang-up.ts'
import type { PolicyContext } from '../context.ts'
import { act, type Finding, type FindingCall, FRAUD_REASON, levelOf } from './findings.ts'
import { countersOf, type FraudTerm, type FraudTerms } from './fraud-terms.ts'
import { type FraudLevel, levelFor, type RuleCheck } from './rule-checks.ts'

/** Sums are looked at this often while a call adds to them. */
const SUM_LOOK_MS = 30_000
const SOONEST_LOOK_MS = 250
/** A call that a level ended may have talked a little less than it. */
const END_SLACK_MS = 250

const IN_CALL: ReadonlySet<FraudAction> = new Set(['log', 'event', 'blockAccount', 'endCalls'])

interface Talk {
  readonly talkMs: number
  readonly price: bigint
}

/** The check as this revision has it. */
const checkOf = ({ state }: PolicyContext, { counter, kind }: FraudTerm): RuleCheck | undefined => {
  const check = state.fraud.checkOf(counter)
  return check?.kind === kind ? check : undefined
}

function* singlesOf(context: PolicyContext, all: readonly FraudTerms[]): Generator<readonly [RuleCheck, string]> {
  for (const { slot, terms } of all) {
    for (const term of terms) {
      const check = term.kind === 'single' ? checkOf(context, term) : undefined
      if (check !== undefined) yield [check, slot.subject]
    }
  }
}

const hasLevels = (check: RuleCheck | undefined): boolean =>
  check !== undefined && (check.warning !== undefined || check.critical !== undefined)

function untilLevel({ warning, critical }: RuleCheck, talkMs: number): number {
  let least = Number.POSITIVE_INFINITY
  for (const level of [warning, critical]) {
    const leftMs = level === undefined ? -1 : Number(level.above) - talkMs
    if (leftMs >= 0) least = Math.min(least, leftMs + 1)
  }
  return least
}

/** Until a look at this call may find something; Infinity: never. */
export function nextFraudLookMs(
  context: PolicyContext,
  all: readonly FraudTerms[] | undefined,
  talkMs: number,
): number {
  let least = Number.POSITIVE_INFINITY
  for (const { terms } of all ?? []) {
    for (const term of terms) {
      const check = checkOf(context, term)
      if (term.kind === 'single' && check !== undefined) least = Math.min(least, untilLevel(check, talkMs))
      else if ((term.kind === 'talk' || term.kind === 'spend') && hasLevels(check)) least = Math.min(least, SUM_LOOK_MS)
    }
  }
  return Math.max(SOONEST_LOOK_MS, least)
}

/** Talk after which a rule ends the call by itself; undefined: never. */
function endAfterMs({ rule, warning, critical }: RuleCheck): number | undefined {
  if (rule.dryRun) return undefined
  const ends = [warning, critical].flatMap((level) => (level?.action === 'endCalls' ? [Number(level.above)] : []))
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** With the answer: so that the end comes in time. */
export async function planFraudEnd(
  context: PolicyContext,
  { ref }: ChargedCall,
  all: readonly FraudTerms[],
  talkMs: number,
): Promise<void> {
  for (const [check] of singlesOf(context, all)) {
    const endMs = endAfterMs(check)
    if (endMs !== undefined) await requestHangUp(context, ref, FRAUD_REASON, Math.max(0, endMs - talkMs))
  }
}

/** What a running call says of itself is not known to who renews it. */
const findingCall = ({ ref, account }: ChargedCall): FindingCall => ({
  ref,
  account,
  source: '',
  caller: '',
  callee: '',
})

function findingFor(check: RuleCheck | undefined, value: bigint, subject: string, atMs: number): Finding[] {
  const level = check && levelFor(check, value)
  return check === undefined || level === undefined ? [] : [{ check, level, value, subject, atMs, detail: 'in a call' }]
}

/** The highest level that a call may reach while it lasts: refusals are for calls that begin. */
function runningFinding(check: RuleCheck | undefined, value: bigint, subject: string, atMs: number): Finding[] {
  if (check === undefined) return []
  const keep = (level: FraudLevel | undefined) => (level && IN_CALL.has(level.action) ? level : undefined)
  const inCall = { ...check, warning: keep(check.warning), critical: keep(check.critical) }
  return findingFor(inCall, value, subject, atMs)
}

async function lookAtSlot(
  context: PolicyContext,
  charged: ChargedCall,
  terms: FraudTerms,
  { talkMs, price, leaseMs }: Talk & { readonly leaseMs: number },
): Promise<Finding[]> {
  const { slot } = terms
  const counters = countersOf(terms)
  if (counters.length === 0) return []
  const renewed = await context.fraud.store?.renew({ slot, ref: charged.ref, counters, leaseMs })
  if (renewed === undefined || !context.health.see(renewed)) return []
  return counters.flatMap(({ counter, kind }, i) => {
    const own = kind === 'talk' ? BigInt(Math.round(talkMs)) : kind === 'spend' ? price : 0n
    const check = checkOf(context, { counter, kind, windowMs: 0, member: '' })
    return runningFinding(check, (renewed.value[i] ?? 0n) + own, slot.subject, charged.nowMs)
  })
}

/** Renews the leases of an answered call, and carries out what its levels say. */
export async function lookAtFraud(
  context: PolicyContext,
  charged: ChargedCall,
  all: readonly FraudTerms[],
  talk: Talk & { readonly leaseMs: number },
): Promise<void> {
  const findings: Finding[] = []
  for (const terms of all) findings.push(...(await lookAtSlot(context, charged, terms, talk)))
  for (const [check, subject] of singlesOf(context, all)) {
    const found = findingFor(check, BigInt(Math.round(talk.talkMs)), subject, charged.nowMs)
    // The end was planned with the answer, and is told of when it has come.
    findings.push(...found.filter((one) => levelOf(one)?.action !== 'endCalls'))
  }
  if (findings.length === 0) return
  await act(context, findings, findingCall(charged))
  const ends = findings.some((one) => levelOf(one)?.action === 'endCalls' && !one.check.rule.dryRun)
  if (ends) await requestHangUp(context, charged.ref, FRAUD_REASON)
}

/** undefined: it counts neither as short nor as not. */
function isShort(check: RuleCheck | undefined, { outcome }: ChargedCall, talkMs: number): boolean | undefined {
  if (check === undefined) return undefined
  if (outcome === 'answered') return talkMs < check.belowMs
  return outcome === 'cancelled' && check.countUnanswered ? true : undefined
}

async function endSlot(context: PolicyContext, charged: ChargedCall, terms: FraudTerms, talk: Talk): Promise<void> {
  const counters = countersOf(terms)
  if (counters.length === 0) return
  const short = counters.map(({ counter, kind }) =>
    kind === 'short'
      ? isShort(checkOf(context, { counter, kind, windowMs: 0, member: '' }), charged, talk.talkMs)
      : undefined,
  )
  const ended = await context.fraud.store?.end({ slot: terms.slot, ref: charged.ref, counters, short, ...talk })
  if (ended !== undefined && !context.health.see(ended)) context.counts.fraudUncounted++
}

/** The call is over: adds its talk and price, ends its leases, and tells of a level that ended it. */
export async function endFraud(
  context: PolicyContext,
  charged: ChargedCall,
  all: readonly FraudTerms[],
  talk: Talk,
): Promise<void> {
  if (all.length === 0) return
  for (const terms of all) await endSlot(context, charged, terms, talk)
  const findings: Finding[] = []
  for (const [check, subject] of singlesOf(context, all)) {
    const endMs = endAfterMs(check)
    if (endMs === undefined || talk.talkMs < endMs - END_SLACK_MS) continue
    const value = BigInt(Math.max(Math.round(talk.talkMs), endMs + 1))
    findings.push(...findingFor(check, value, subject, charged.endedMs))
  }
  if (findings.length > 0) await act(context, findings, findingCall(charged))
}
