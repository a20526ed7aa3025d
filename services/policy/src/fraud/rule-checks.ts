// SPDX-License-Identifier: MIT
//
// A FraudRule compiled: its measures as checks with levels, each with the name of its counter. The name has the rule, the measure and the window in
// it, so that a changed window begins anew and two rules never share a count.
import {
  type FraudAction,
  type FraudLevelSpec,
  type FraudMeasure,
  type FraudMeasures,
  type FraudRule,
  type FraudScope,
  SCANNER_PATTERNS,
} from '@tandem/resources'
import type { FraudKind } from '@tandem/store'

export interface FraudLevel {
  /** Reached by values above it. */
  readonly above: bigint
  readonly action: FraudAction
  readonly status: number
  readonly reason: string | undefined
  readonly warning: string | undefined
  readonly blockMs: number
}

/** What is counted in the store, and what needs no count: a list, hours, the talk of one call, a User-Agent. */
export type CheckKind = FraudKind | 'list' | 'hours' | 'single' | 'agent'

export interface RuleCheck {
  readonly rule: RuleEntry
  readonly measure: FraudMeasure | 'calls that run'
  /** Unique among all checks. */
  readonly counter: string
  readonly kind: CheckKind
  readonly windowMs: number
  readonly warning: FraudLevel | undefined
  readonly critical: FraudLevel | undefined
  /** `list` */
  readonly lists: readonly string[]
  /** `hours` */
  readonly schedule: string
  /** `agent`, lower case. */
  readonly patterns: readonly string[]
  /** `short` */
  readonly minCalls: number
  readonly belowMs: number
  readonly countUnanswered: boolean
}

export interface RuleEntry {
  readonly name: string
  readonly scope: FraudScope
  /** Its own, or the cluster's. */
  readonly dryRun: boolean
  readonly eventEveryMs: number
  readonly spec: FraudRule['spec']
  readonly checks: readonly RuleCheck[]
  /** Some level ends the calls that run: they are tracked by the check of this counter. */
  readonly tracker: string
}

const HOUR_MS = 3_600_000

type LevelSpec = FraudLevelSpec & { readonly above?: number | undefined }

function levelFrom(spec: LevelSpec | undefined): FraudLevel | undefined {
  if (spec === undefined) return undefined
  const { above = 0, action, status = 403, reason, warning, blockMs = HOUR_MS } = spec
  return { above: BigInt(above), action, status, reason, warning, blockMs }
}

/** Kind and short name of each measure that the store or this service counts. */
const KINDS: Readonly<Record<FraudMeasure, CheckKind>> = {
  callsPerWindow: 'calls',
  concurrentCalls: 'live',
  sequentialCallsToOneNumber: 'sequence',
  totalDurationPerWindow: 'talk',
  singleDuration: 'single',
  spendPerWindow: 'spend',
  distinctDestinations: 'distinct',
  shortCallRatio: 'short',
  destinationList: 'list',
  newDestinationAbovePrice: 'fresh',
  countriesAtOnce: 'countries',
  offHours: 'hours',
  userAgent: 'agent',
}

const NOTHING = {
  lists: [],
  schedule: '',
  patterns: [],
  minCalls: 0,
  belowMs: 0,
  countUnanswered: false,
}

const counterName = (rule: string, kind: CheckKind, windowMs: number): string =>
  windowMs === 0 ? `${rule}.${kind}` : `${rule}.${kind}.${windowMs.toString(36)}`

function windowOf(measure: FraudMeasure, all: FraudMeasures): number {
  const spec = all[measure]
  if (spec === undefined) return 0
  if ('rememberMs' in spec) return spec.rememberMs
  return 'windowMs' in spec ? spec.windowMs : 0
}

function ratioOf({ shortCallRatio }: FraudMeasures) {
  if (shortCallRatio === undefined) return {}
  const { minCalls, belowMs, countUnanswered } = shortCallRatio
  return { minCalls, belowMs, countUnanswered }
}

function checkFrom(rule: RuleEntry, measure: FraudMeasure, all: FraudMeasures): RuleCheck | undefined {
  const levels: { readonly warning?: LevelSpec | undefined; readonly critical?: LevelSpec | undefined } | undefined =
    all[measure]
  if (levels === undefined) return undefined
  const kind = KINDS[measure]
  const windowMs = windowOf(measure, all)
  return {
    ...NOTHING,
    rule,
    measure,
    counter: counterName(rule.name, kind, windowMs),
    kind,
    windowMs,
    lists: all.destinationList?.lists ?? [],
    schedule: all.offHours?.schedule ?? '',
    patterns: measure === 'userAgent' ? (all.userAgent?.patterns ?? SCANNER_PATTERNS) : [],
    ...(measure === 'shortCallRatio' && ratioOf(all)),
    warning: levelFrom(levels.warning),
    critical: levelFrom(levels.critical),
  }
}

const endsCalls = ({ warning, critical }: RuleCheck): boolean =>
  warning?.action === 'endCalls' || critical?.action === 'endCalls'

/** Calls of the subject that run, for a rule that may have to end them; with concurrentCalls they are known anyway. */
function trackerOf(rule: RuleEntry): RuleCheck {
  const counter = counterName(rule.name, 'live', 0)
  const levels = { warning: undefined, critical: undefined }
  return { ...NOTHING, ...levels, rule, measure: 'calls that run', counter, kind: 'live', windowMs: 0 }
}

/** @param dryRun of the cluster */
export function compileRule({ metadata, spec }: FraudRule, dryRun: boolean): RuleEntry {
  const checks: RuleCheck[] = []
  const rule = {
    name: metadata.name,
    scope: spec.scope,
    dryRun: dryRun || spec.dryRun,
    eventEveryMs: spec.eventEveryMs,
    spec,
    checks,
    tracker: '',
  }
  for (const measure of Object.keys(KINDS) as FraudMeasure[]) {
    const check = checkFrom(rule, measure, spec.measures)
    if (check !== undefined) checks.push(check)
  }
  if (!checks.some((check) => endsCalls(check) && check.kind !== 'single')) return rule
  rule.tracker = counterName(rule.name, 'live', 0)
  if (!checks.some(({ counter }) => counter === rule.tracker)) checks.push(trackerOf(rule))
  return rule
}

/** The level that a value reaches. */
export function levelFor({ warning, critical }: RuleCheck, value: bigint): 'warning' | 'critical' | undefined {
  if (critical !== undefined && value > critical.above) return 'critical'
  return warning !== undefined && value > warning.above ? 'warning' : undefined
}
