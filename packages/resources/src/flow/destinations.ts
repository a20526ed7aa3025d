// SPDX-License-Identifier: MIT
//
// A Destination in a flow of calls: asked for once on a way, never where the call has been, and within what one call may ask for. Loops of
// resources are refused when they are applied (cycles.ts); what comes back through other systems is found here, by Diversion and
// History-Info. Of those who send a call on, the last one who has an account pays for the leg that leaves by a trunk.
import type { Destination } from '../destination.ts'
import { type PlanRetarget, type PlanStep, type PlanTarget, type PlanVerdict, refusalOfCall } from '../plan-verdict.ts'
import type { PlanAt } from '../planner/plan-at.ts'
import { paidBy, resolveDestination } from '../planner/resolve-destination.ts'
import type { Refused } from '../routing/routed.ts'

/** Destinations that one call asks for, on all its ways. */
const MAX_ASKED = 64

const LOOP: Refused = Object.freeze({ status: 482, code: 'destination_loop', reason: '' })
const TOO_MANY: Refused = Object.freeze({ status: 482, code: 'destination_limit', reason: '' })

/** Of the resource in which a destination stands. */
export interface FlowSource {
  readonly key: string
  readonly domain: string
  readonly aor: string
  /** That pays for what leaves by a trunk because of it: its own, else that of its domain; '' for none. */
  readonly account: string
}

const refuse = (why: Refused, resource: string, text: string): PlanVerdict =>
  refusalOfCall(why, [{ resource, text, depth: 0 }])

/** @param reason as Diversion has it; '' where nobody is told that the call was diverted */
export function goTo(at: PlanAt, to: Destination, source: FlowSource, text: string, reason: string): PlanVerdict {
  const { key, domain, aor, account } = source
  const asked = at.asked ?? { count: 0 }
  const passed = at.passed ?? []
  if (passed.includes(key)) return refuse(LOOP, key, `${text}: comes back to where the call has been`)
  if (++asked.count > MAX_ASKED) return refuse(TOO_MANY, key, `${text}: asks for too many destinations`)
  const call = account === '' ? at.call : paidBy(at, account)
  const verdict = resolveDestination({ ...at, call, asked, passed: [...passed, key] }, to, { key, domain, text })
  if (verdict.kind !== 'plan') return verdict
  if (at.diverted.length > 0 && verdict.steps.some((step) => leadsBack(step, at.diverted))) {
    return refuse(LOOP, key, `${text}: the call comes from there`)
  }
  return reason === '' ? verdict : { ...verdict, steps: diverted(verdict.steps, { from: aor, reason }) }
}

const leadsBack = ({ targets }: PlanStep, before: readonly string[]): boolean =>
  targets.some(({ aor, uri }) => before.includes(aor || uri))

/** [RFC5806-4] Each target says who was called; who diverted it before, later ones say. */
function diverted(steps: readonly PlanStep[], retarget: PlanRetarget): readonly PlanStep[] {
  const told = (target: PlanTarget): PlanTarget => (target.retarget === undefined ? { ...target, retarget } : target)
  return steps.map((step) => ({ ...step, targets: step.targets.map(told) }))
}
