// SPDX-License-Identifier: MIT
//
// Plans of users that depend on the call: subscribers with forwardings, call flows. Each is a verdict for the index whose `later`
// makes the plan of one call. [RFC3261-16.5]
import type { Destination } from '../destination.ts'
import type { DomainSettings } from '../domain-entry.ts'
import { aorTarget, type PlanReason, type PlanVerdict, stepOf, verdictOf } from '../plan-verdict.ts'
import type { PlanAt } from '../planner/plan-at.ts'
import type { CallFlow } from './call-flow.ts'
import { type Attached, attach, deeper } from './compose.ts'
import { type FlowSource, goTo } from './destinations.ts'
import type { Forwarding } from './forwarding.ts'
import { type Overflow, waysOf } from './overflow.ts'

/** Reasons of Diversion. [RFC5806-7] */
const DIVERSION = { busy: 'user-busy', noAnswer: 'no-answer', unreachable: 'unavailable', failed: 'unknown' } as const

const SAID = {
  busy: 'when it is busy',
  noAnswer: 'when nobody answers',
  unreachable: 'when nobody can be reached',
  failed: 'when it fails',
} as const

/** `main`, and what follows when nobody answers; main alone where it is no plan. */
export function withOverflow(
  at: PlanAt,
  main: PlanVerdict,
  ways: Overflow | undefined,
  source: FlowSource,
): PlanVerdict {
  if (ways === undefined) return main
  if (main.kind === 'reject') return insteadOf(at, main, ways, source)
  if (main.kind !== 'plan') return main
  const isSilent = at.facts.silent === true
  const reasons: PlanReason[] = isSilent ? [] : [...main.reasons]
  const attached: Attached[] = []
  for (const [condition, to] of waysOf(ways)) {
    const found = goTo(at, to, source, SAID[condition], DIVERSION[condition])
    if (!isSilent) reasons.push(...deeper(found.reasons))
    if (found.kind === 'plan') attached.push({ condition, steps: found.steps })
  }
  return { ...main, steps: attach(main.steps, attached), reasons }
}

/** Nobody can even be tried: what is for that comes at once. */
function insteadOf(at: PlanAt, main: PlanVerdict, ways: Overflow, source: FlowSource): PlanVerdict {
  const condition = (['unreachable', 'failed'] as const).find((one) => ways[one] !== undefined)
  const isMeant = main.code === 'destination_refused' || main.code === 'destination_loop'
  if (condition === undefined || isMeant) return main
  const found = goTo(at, ways[condition] as Destination, source, SAID[condition], DIVERSION[condition])
  return { ...found, reasons: [...main.reasons, ...deeper(found.reasons)] }
}

/** Never changed; `later` says what it is for a call. */
export function dynamic(fallback: PlanVerdict, later: (at: PlanAt) => PlanVerdict): PlanVerdict {
  return Object.freeze({ ...fallback, later })
}

const isCall = ({ method = 'INVITE' }: PlanAt): boolean => method === 'INVITE'

/** @param own the plan without forwardings */
export function forwardedPlan(
  source: FlowSource,
  spec: Forwarding,
  domain: DomainSettings,
  own: PlanVerdict,
): PlanVerdict {
  const { always, noAnswer, busy, unreachable } = spec
  if (always !== undefined) {
    return dynamic(own, (at) => (isCall(at) ? goTo(at, always, source, 'forwards all calls', 'unconditional') : own))
  }
  const ringMs = noAnswer?.afterMs ?? domain.ringMs
  const steps = [stepOf([aorTarget(source.aor, domain.trustsPhones)], ringMs, domain.forking)]
  const main = own.kind === 'plan' ? Object.freeze({ ...own, steps: Object.freeze(steps) }) : own
  const ways: Overflow = { busy, noAnswer: noAnswer?.to, unreachable }
  return dynamic(own, (at) => (isCall(at) ? withOverflow(at, main, ways, source) : own))
}

type Way = CallFlow['spec']['default']

function chosen(
  at: PlanAt,
  key: string,
  { holiday, branches, default: last }: CallFlow['spec'],
): readonly [Way, string] {
  const { nowMs } = at.call
  const { schedules, holidays } = at.index
  if (holiday !== undefined && holidays.get(key)?.isHoliday(nowMs) === true) return [holiday, 'today is a holiday']
  for (const branch of branches) {
    if (schedules.get(branch.schedule)?.isWithin(nowMs) === true)
      return [branch, `Schedule/${branch.schedule} holds now`]
  }
  return [last, branches.length === 0 ? 'nothing else holds' : 'no schedule holds now']
}

const EMPTY = verdictOf({ kind: 'reject', status: 480, code: 'unknown_user' }, '', 'depends on the time')

export function callFlowPlan(source: FlowSource, spec: CallFlow['spec']): PlanVerdict {
  return dynamic(EMPTY, (at) => {
    const [way, why] = chosen(at, source.key, spec)
    const main = goTo(at, way.to, source, why, '')
    return withOverflow(at, main, way.overflow, source)
  })
}
