// SPDX-License-Identifier: MIT
//
// Which rules a call would meet, and what would come of it, without a trace: values are asked of the store by a beginning
// that each check stops, which counts nothing. Values are those of now, also where the call is tried at another time.
import { countryOfNumber } from '@tandem/resources'
import { done, type policy, type Result } from '@tandem/rpc'
import { createReference, type FraudCheck, type FraudFinding, type FraudSlot } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { destinationOf, subjectOf } from '../fraud/fraud-call.ts'
import { levelFor, type RuleCheck } from '../fraud/rule-checks.ts'
import { listedPrefix, type Selected } from '../fraud/rule-index.ts'
import { type TrialCall, trialCall } from './trial-call.ts'
import { whyNot } from './why-not.ts'

/** Answers of one request. */
const MAX_FINDINGS = 1_000
const LEASE_MS = 1_000

const COUNTED: ReadonlySet<string> = new Set([
  'calls',
  'live',
  'sequence',
  'distinct',
  'countries',
  'talk',
  'spend',
  'short',
  'fresh',
])

interface Trial {
  readonly context: PolicyContext
  readonly call: TrialCall
  readonly asked: policy.TryFraudRulesRequest
  readonly unixMs: number
}

interface Judged {
  readonly value: bigint
  readonly why: string
}

/** Price a minute and prefix of the number's rate. */
function rateOf({ context, call, unixMs }: Trial) {
  return context.state.index.accounts.get(call.account)?.ratePlan?.find(call.number, unixMs)
}

function memberOf(trial: Trial, { kind }: RuleCheck): string {
  if (kind === 'sequence' || kind === 'distinct') return destinationOf(trial.call).replace(/\s/g, '').slice(0, 128)
  if (kind === 'countries') return trial.call.country()
  return kind === 'fresh' ? (rateOf(trial)?.prefix ?? '') : ''
}

function probe(trial: Trial, check: RuleCheck): FraudCheck {
  const { kind, counter, windowMs, minCalls } = check
  const fresh = kind === 'fresh' ? (rateOf(trial)?.rate.perMinute ?? 0n) : 0n
  return {
    counter,
    kind: kind as FraudCheck['kind'],
    windowMs,
    member: memberOf(trial, check),
    warning: undefined,
    // Every value is above: all are told, and the beginning is stopped.
    critical: -1n,
    warningStops: true,
    criticalStops: true,
    amount: kind === 'short' ? BigInt(minCalls) : fresh,
  }
}

const WITHOUT_COUNTRY = 'nobody knows the country of the source'

function unasked({ context, call, unixMs, asked }: Trial, check: RuleCheck): Judged {
  const { ports } = context.fraud
  if (check.kind === 'hours') {
    const isWithin = ports.isWithin(check.schedule, unixMs)
    return { value: isWithin ? 0n : 1n, why: `${isWithin ? 'within' : 'outside of'} ${check.schedule}` }
  }
  if (check.kind === 'list') {
    const prefix = listedPrefix(check.lists, call, ports)
    return prefix === undefined ? { value: 0n, why: 'on no list' } : { value: 1n, why: `${prefix} is on a list` }
  }
  if (check.kind === 'agent') {
    const text = asked.userAgent.toLowerCase()
    const found = text === '' ? undefined : check.patterns.find((one) => text.includes(one))
    return found === undefined ? { value: 0n, why: 'no pattern' } : { value: 1n, why: `has ${found}` }
  }
  return { value: 0n, why: 'looked at while the call lasts' }
}

/** Values of the checks of one subject; undefined where the store does not say. */
async function valuesOf(trial: Trial, slot: FraudSlot, checks: readonly RuleCheck[]): Promise<bigint[] | undefined> {
  const { fraud, health } = trial.context
  const probes = checks.map((check) => probe(trial, check))
  const begun = await fraud.store?.begin({ slot, ref: createReference(), leaseMs: LEASE_MS, checks: probes })
  if (begun === undefined || !health.see(begun)) return undefined
  const values = checks.map(() => 0n)
  for (const { index, value } of begun.value.findings as readonly FraudFinding[]) values[index] = value
  return values
}

const isAsked = (check: RuleCheck, { country }: TrialCall): boolean =>
  COUNTED.has(check.kind) && (check.kind !== 'countries' || country() !== '')

function finding(check: RuleCheck, subject: string, { value, why }: Judged): policy.FraudFinding {
  const { rule, measure, warning, critical } = check
  const level = levelFor(check, value)
  const reached = level === 'critical' ? critical : warning
  return {
    rule: rule.name,
    scope: rule.scope,
    subject,
    measure,
    level: level ?? '',
    value,
    warningAbove: warning?.above,
    criticalAbove: critical?.above,
    action: level === undefined ? '' : (reached?.action ?? ''),
    dryRun: rule.dryRun,
    why,
  }
}

async function findingsOf(trial: Trial, { rule, prefix }: Selected): Promise<policy.FraudFinding[]> {
  const subject = subjectOf(rule.scope, trial.call, prefix)
  if (subject === '') return [unmet(rule, `the call has no ${rule.scope}`)]
  const asked = rule.checks.filter((check) => isAsked(check, trial.call))
  const values = asked.length === 0 ? [] : await valuesOf(trial, { scope: rule.scope, subject }, asked)
  return rule.checks
    .filter(({ warning, critical }) => warning !== undefined || critical !== undefined)
    .map((check) => {
      const at = asked.indexOf(check)
      if (at < 0 && check.kind === 'countries') return finding(check, subject, { value: 0n, why: WITHOUT_COUNTRY })
      if (at < 0) return finding(check, subject, unasked(trial, check))
      const why = values === undefined ? 'the store does not say' : 'this call counted'
      return finding(check, subject, { value: values?.[at] ?? 0n, why })
    })
}

type Named = Pick<RuleCheck['rule'], 'name' | 'scope' | 'dryRun'>

const unmet = ({ name, scope, dryRun }: Named, why: string): policy.FraudFinding => ({
  rule: name,
  scope,
  subject: '',
  measure: '',
  level: '',
  value: 0n,
  action: '',
  dryRun,
  why,
})

const ORDER = ['endCalls', 'blockAccount', 'reject', 'challenge']

/** Of actions that are done, the gravest; `pass` where none stops the call. */
function verdictOf(findings: readonly policy.FraudFinding[]): string {
  const done = findings.filter(({ dryRun }) => !dryRun).map(({ action }) => action)
  return ORDER.find((action) => done.includes(action)) ?? 'pass'
}

export async function tryFraudRules(
  context: PolicyContext,
  asked: policy.TryFraudRulesRequest,
): Promise<Result<policy.TryFraudRulesResponse>> {
  const { state, fraud } = context
  const unixMs = asked.unixMs === 0n ? context.now() : Number(asked.unixMs)
  const call = trialCall(state.index, asked, (address) => fraud.ports.countryOf(address))
  const trial = { context, call, asked, unixMs }
  const selected = state.fraud.select(call, fraud.ports, unixMs)
  const met = new Set(selected.map(({ rule }) => rule))
  const findings: policy.FraudFinding[] = []
  for (const one of selected) {
    if (findings.length < MAX_FINDINGS) findings.push(...(await findingsOf(trial, one)))
  }
  for (const rule of state.fraud.rules) {
    if (!met.has(rule)) findings.push(unmet(rule, whyNot(rule, call, fraud.ports, unixMs)))
  }
  return done({
    account: call.account,
    subscriber: call.subscriber,
    number: call.number,
    numberCountry: countryOfNumber(call.number) ?? '',
    sourceCountry: call.country(),
    findings: findings.slice(0, MAX_FINDINGS),
    verdict: verdictOf(findings),
  })
}
