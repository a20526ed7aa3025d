// SPDX-License-Identifier: MIT
//
// What a plan that depends on more than its user looks at: who calls, when, what is left to chance, how things stand, and who was
// called before. Plans without any of that are built once per revision and never look at this.
import type { PlanVerdict } from '../plan-verdict.ts'
import type { ResourceIndex } from '../resource-index.ts'
import type { OutCall, RoutingFacts } from '../routing/routed.ts'

/** Live state, read at once. What has to be fetched first is undefined, and is noted in `wants`. */
export interface PlanFacts extends RoutingFacts {
  /** Wall clock of the end of the last call of a user; undefined: not known here. */
  idleSince(aor: string): number | undefined
  /** Addresses-of-record of those who have logged in; undefined: not known here. */
  loggedIn(group: string): ReadonlySet<string> | undefined
}

export const NO_PLAN_FACTS: PlanFacts = Object.freeze({
  trunk: () => undefined,
  turn: () => undefined,
  idleSince: () => undefined,
  loggedIn: () => undefined,
})

export interface PlanAt {
  readonly index: ResourceIndex
  /** `number` and `dialled` are '' where a name was called. */
  readonly call: OutCall
  readonly facts: PlanFacts
  /** Canonical URIs that were called before, from Diversion and History-Info: for loops. */
  readonly diverted: readonly string[]
  /** Destinations passed so far. */
  readonly depth: number
  /** Of the request; absent: INVITE. */
  readonly method?: string
  /** Keys of the resources that led here, for loops; absent: none. */
  readonly passed?: readonly string[]
  /** How many destinations were asked for, on all ways of this call. */
  readonly asked?: { count: number }
}

/** Longer chains of destinations are refused: whoever writes one has a loop. */
export const MAX_DESTINATIONS = 16

/** The verdict itself, or what it says of this call. */
export function planned(verdict: PlanVerdict, at: PlanAt): PlanVerdict {
  return verdict.later === undefined ? verdict : verdict.later(at)
}
