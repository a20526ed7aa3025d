// SPDX-License-Identifier: MIT
//
// The plan of a call to a telephone number: a user of ours who has it, a Number, else a Route to the outside. What is ours never
// leaves the cluster. Pure, as all of the planner.
import type { DomainEntry } from '../domain-entry.ts'
import type { PlanVerdict } from '../plan-verdict.ts'
import { findNumber } from '../resource-index.ts'
import { findNumberEntry, routeNumber } from '../routing/route-number.ts'
import { type PlanAt, planned } from './plan-at.ts'
import { resolveDestination, verdictFrom } from './resolve-destination.ts'

/** @param domain whose users are looked at first: the caller's, or the one that was called */
export function planToNumber(at: PlanAt, domain: DomainEntry | undefined): PlanVerdict {
  const { index, call, facts } = at
  const user = (domain && findNumber(domain, call.number)) ?? index.numbers.get(call.number)
  if (user !== undefined) return planned(user.plan, at)
  const entry = findNumberEntry(index, call.number, call.caller.trunk)
  if (entry === undefined) return verdictFrom(routeNumber(index, call, facts), call.number)
  const { key, domain: owner, to } = entry
  return resolveDestination(at, to, { key, domain: owner, text: `${call.number} is a number of ours` })
}
