// SPDX-License-Identifier: MIT
//
// Verdicts as values. What does not depend on the request is built once and frozen: nobody changes a verdict.
import type {
  Forking,
  PlanCondition,
  PlanEdit,
  PlanExit,
  PlanStep,
  PlanTarget,
  PlanVerdict,
  UserEntry,
} from '@tandem/resources'
import { policy } from '@tandem/rpc'
import { POLICY_ERRORS, type PolicyErrorCode } from '../errors.ts'

/** Who speaks, and who answers for the call; both '' for nobody. */
export interface Caller {
  readonly identity: string
  readonly account: string
}

export const NOBODY: Caller = Object.freeze({ identity: '', account: '' })

const withCaller = (verdict: policy.DecideResponse['verdict'], caller: Caller): policy.DecideResponse => ({
  verdict,
  callRef: '',
  identity: caller.identity,
  account: caller.account,
})

export function reject(code: PolicyErrorCode, caller: Caller = NOBODY): policy.DecideResponse {
  const value = { status: POLICY_ERRORS[code].sipStatus, reason: '', retryAfterS: 0, code }
  return withCaller({ $case: 'reject', value }, caller)
}

const FORKING = {
  parallel: policy.Step_Forking.UNSPECIFIED,
  q: policy.Step_Forking.BY_Q,
  serial: policy.Step_Forking.SERIAL,
} as const satisfies Record<Forking, policy.Step_Forking>

const OPERATIONS = {
  add: policy.HeaderEdit_Operation.ADD,
  remove: policy.HeaderEdit_Operation.REMOVE,
  rewrite: policy.HeaderEdit_Operation.REWRITE,
} as const satisfies Record<PlanEdit['operation'], policy.HeaderEdit_Operation>

export const toEdit = ({ operation, name, value, match }: PlanEdit): policy.HeaderEdit => ({
  operation: OPERATIONS[operation],
  name,
  value,
  ...(match !== undefined && { match }),
})

/** What a target of a trunk has besides. */
function trunkParts({ trunkLeg, edits = [], nextHop = '' }: PlanTarget): Partial<policy.Target> {
  return {
    ...(trunkLeg !== undefined && { trunkLeg: { ...trunkLeg }, trunk: trunkLeg.trunk }),
    ...(edits.length > 0 && { edits: { edits: edits.map(toEdit) } }),
    ...(nextHop !== '' && { nextHop }),
  }
}

const toTarget = (target: PlanTarget): policy.Target =>
  target.trunkLeg === undefined ? plainTarget(target) : { ...plainTarget(target), ...trunkParts(target) }

const plainTarget = ({ aor, uri, retarget, ...rest }: PlanTarget): policy.Target => ({
  where: uri === '' ? { $case: 'aor', value: aor } : { $case: 'uri', value: uri },
  instanceId: rest.instanceId,
  registrationHash: rest.registrationHash,
  trusted: rest.trusted,
  retarget: retarget && { ...retarget },
  qMilli: 0,
})

const CONDITIONS = {
  busy: policy.Exit_Condition.BUSY,
  noAnswer: policy.Exit_Condition.NO_ANSWER,
  unreachable: policy.Exit_Condition.UNREACHABLE,
  failed: policy.Exit_Condition.FAILED,
} as const satisfies Record<PlanCondition, policy.Exit_Condition>

const toExit = ({ conditions, statuses, step }: PlanExit): policy.Exit => ({
  conditions: conditions.map((one) => CONDITIONS[one]),
  statuses: [...statuses],
  step,
})

const toStep = ({ targets, ringMs, retryStatuses, forking, exits, last, waveSize, again }: PlanStep): policy.Step => ({
  targets: targets.map(toTarget),
  ringMs,
  retryStatuses: [...retryStatuses],
  forking: FORKING[forking],
  ...(exits !== undefined && { exits: { exits: exits.map(toExit) } }),
  ...(last === true && { last }),
  ...(waveSize !== undefined && { waveSize }),
  ...(again === true && { again }),
})

/** What a plan gets besides what the planner says. */
export interface PlanAdditions {
  readonly edits: policy.HeaderEdit[]
  readonly accounting: boolean
  readonly sourceTrusted: boolean
  /** With accounting only; 0 or absent for no limit. */
  readonly maxDurationS?: number
}

function toPlan({ steps, mode }: PlanVerdict, additions: PlanAdditions): policy.Plan {
  const { edits, accounting, sourceTrusted, maxDurationS = 0 } = additions
  return {
    steps: steps.map(toStep),
    edits,
    maxDurationS,
    accounting,
    // A call of another domain's user may be accounted: then it is not forwarded without state. [RFC3261-16.11]
    stateless: mode.stateless && !accounting,
    maxRecursions: mode.maxRecursions,
    sourceTrusted,
  }
}

/** `verdict` of the planner as an answer to an edge. */
export function toResponse(verdict: PlanVerdict, caller: Caller, more: PlanAdditions): policy.DecideResponse {
  const { kind, status, code, reason = '', contacts, aor } = verdict
  switch (kind) {
    case 'answer':
      return withCaller({ $case: 'answer', value: { status } }, caller)
    case 'reject':
      return withCaller({ $case: 'reject', value: { status, reason, retryAfterS: 0, code } }, caller)
    case 'redirect':
      return withCaller({ $case: 'redirect', value: { status, contacts: [...contacts], aor } }, caller)
    default:
      return withCaller({ $case: 'plan', value: toPlan(verdict, more) }, caller)
  }
}

/** REGISTER may go on, for the address-of-record of `user`. */
export function admit(user: UserEntry, caller: Caller): policy.DecideResponse {
  const { minExpiresS, maxExpiresS, defaultExpiresS, replaceOldest, serviceRoute } = user.domain
  const value = {
    aor: user.aor,
    minExpiresS,
    maxExpiresS,
    defaultExpiresS,
    maxContacts: user.maxContacts,
    replaceOldest,
    serviceRoute,
  }
  return withCaller({ $case: 'admit', value }, caller)
}

/** The default of RFC 3680 section 4.4: longer than a registration usually lives. */
const DEFAULT_WATCH_S = 3_761

/** The subscription to the registrations of `user` may go on. */
export function watch(user: UserEntry, caller: Caller): policy.DecideResponse {
  const { minExpiresS, maxExpiresS } = user.domain
  const defaultExpiresS = Math.min(Math.max(DEFAULT_WATCH_S, minExpiresS), maxExpiresS)
  return withCaller(
    { $case: 'watchRegistrations', value: { aor: user.aor, minExpiresS, maxExpiresS, defaultExpiresS } },
    caller,
  )
}

export const callerOf = (user: UserEntry): Caller => ({ identity: user.aor, account: user.account })
