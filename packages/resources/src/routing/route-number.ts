// SPDX-License-Identifier: MIT
//
// From a number to where it goes: the numbers of ours, the ways of emergency calls, and the routes to the outside. Who may call
// out: users of ours and what comes by trunks, each where a route is open to them. Nobody else: no open relay. [RFC3261-26.3.2]
import type { DomainSettings } from '../domain-entry.ts'
import type { PlanReason } from '../plan-verdict.ts'
import type { ResourceIndex } from '../resource-index.ts'
import type { UserEntry } from '../user-entry.ts'
import { type EmergencyWay, emergencyNumber } from './dialling.ts'
import type { NumberEntry } from './lay-out-routing.ts'
import { matchesPattern } from './number-pattern.ts'
import type { RouteEntry } from './route-table.ts'
import type { OutCall, Refused, Routed, RoutingFacts } from './routed.ts'
import { groupSteps, trunkSteps } from './trunk-steps.ts'

/** Who is called is a number of nobody here, and nothing leads to it outside. */
const UNKNOWN_NUMBER: Refused = Object.freeze({ status: 404, code: 'unknown_number', reason: '' })
/** A route leads there, but not for this caller, or not now. */
const NO_ROUTE: Refused = Object.freeze({ status: 403, code: 'no_route', reason: '' })

/** Routes passed over that are told as reasons. */
const MAX_PASSED = 16

/** The Number that a call by `trunk` reaches. @param trunk '' for one that comes by none */
export function findNumberEntry({ routing }: ResourceIndex, number: string, trunk: string): NumberEntry | undefined {
  return routing.numbers.find(number, ({ trunks }) => trunks === undefined || trunks.has(trunk))
}

/** Name under which his numbers stand. */
const ownerName = (user: UserEntry): string => `${user.subscriber?.metadata.name ?? ''}@${user.domain.name}`

/** A canonical number is one of his: a name of his, or a Number that leads to him. */
export function ownsNumber(index: ResourceIndex, user: UserEntry, number: string): boolean {
  if (number === '') return false
  if (user.subscriber?.spec.callerId === number) return true
  if (index.homes.get(user.domain.name)?.entry.numbers.get(number) === user) return true
  const patterns = index.routing.owned.get(ownerName(user))
  return patterns?.some((one) => matchesPattern(one, number)) === true
}

/** The number that those outside are shown of him; '' for none. */
export function shownNumber(index: ResourceIndex, user: UserEntry): string {
  const { subscriber } = user
  if (subscriber === undefined) return ''
  const { callerId, usernames = [subscriber.metadata.name] } = subscriber.spec
  const own = callerId ?? usernames.find((name) => /^\+\d+$/.test(name))
  if (own !== undefined) return own
  const patterns = index.routing.owned.get(ownerName(user))
  return patterns?.find(({ literal, open }) => literal !== undefined && !open)?.literal ?? ''
}

export interface EmergencyCall {
  readonly way: EmergencyWay
  /** As the plan has it. */
  readonly number: string
}

/** undefined where `dialled` is no emergency number of the domain. */
export function findEmergency(
  { routing }: ResourceIndex,
  { numberPlan, numberPlanName }: DomainSettings,
  dialled: string,
): EmergencyCall | undefined {
  if (numberPlanName === '' || routing.emergency.size === 0) return undefined
  const way = routing.emergency.get(numberPlanName)
  const number = way === undefined ? '' : emergencyNumber(way, numberPlan, dialled)
  return way === undefined || number === '' ? undefined : { way, number }
}

const refuse = (reasons: PlanReason[], refused: Refused, text: string, depth: number): Routed => {
  reasons.push({ resource: '', text, depth })
  return { steps: [], reasons, refused }
}

/** By the way of the number plan: breakers and bounds of trunks do not count. */
export function routeEmergency(
  index: ResourceIndex,
  { way, number }: EmergencyCall,
  asked: OutCall,
  facts: RoutingFacts,
) {
  const { groups, trunks } = index.routing
  const call = { ...asked, number, dialled: number, emergency: true }
  const options = { call, facts, edits: [], depth: 1 }
  const reasons: PlanReason[] = [{ resource: way.key, text: `${number} is an emergency number`, depth: 0 }]
  const group = groups.get(way.trunkGroup)
  const trunk = trunks.get(way.trunk)
  const found = group === undefined ? trunk && trunkSteps(trunk, options) : groupSteps(group, options)
  if (found === undefined) return refuse(reasons, NO_ROUTE, 'its way is not there', 1)
  return { ...found, reasons: [...reasons, ...found.reasons] }
}

function take(route: RouteEntry, call: OutCall, facts: RoutingFacts, reasons: PlanReason[], depth: number): Routed {
  if (facts.silent !== true) {
    const by = route.scheduleName === '' ? '' : `, within Schedule/${route.scheduleName}`
    reasons.push({ resource: route.key, text: `is the longest match for ${call.number}: ${route.text}${by}`, depth })
  }
  if (route.refused !== undefined) {
    return refuse(reasons, route.refused, `refuses with ${route.refused.status}`, depth + 1)
  }
  const options = { call, facts, edits: route.edits, depth: depth + 1 }
  const { group, trunk } = route
  const found = group === undefined ? trunk && trunkSteps(trunk, options) : groupSteps(group, options)
  if (found === undefined) return refuse(reasons, NO_ROUTE, 'its way is not there', depth + 1)
  if (facts.silent === true) return found
  reasons.push(...found.reasons)
  return { ...found, reasons }
}

/** To the outside. @param depth of the first reason */
export function routeNumber({ routing }: ResourceIndex, call: OutCall, facts: RoutingFacts, depth = 0): Routed {
  const reasons: PlanReason[] = []
  let passed = 0
  const route = routing.routes.find(call, (other, why) => {
    if (passed++ < MAX_PASSED && facts.silent !== true)
      reasons.push({ resource: other.key, text: `is passed over: ${why}`, depth })
  })
  if (route !== undefined) return take(route, call, facts, reasons, depth)
  // Who is not ours learns nothing of routes.
  return passed === 0 || call.caller.aor === ''
    ? refuse(reasons, UNKNOWN_NUMBER, `no route leads to ${call.number}`, depth)
    : refuse(reasons, NO_ROUTE, `no route to ${call.number} is open to this caller now`, depth)
}
