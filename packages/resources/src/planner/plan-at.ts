// SPDX-License-Identifier: MIT
//
// What a plan that depends on more than its user looks at: who calls, when, what is left to chance, how things stand, and who was
// called before. Plans without any of that are built once per revision and never look at this.
import type { PlanVerdict } from '../plan-verdict.ts'
import type { ResourceIndex } from '../resource-index.ts'
import type { OutCall, RoutingFacts } from '../routing/routed.ts'

/** How a hunt group stands, by address-of-record of its members. */
export interface GroupState {
  /** Whose turn it is, counted over all calls. */
  readonly turn: number
  readonly loggedIn: ReadonlySet<string>
  /** Wall clock of the end of the last call; those of whom none is known are not in it. */
  readonly idleSince: ReadonlyMap<string, number>
}

/** Live state, read at once. What has to be fetched first is undefined: who plans fetches it, and plans once more. */
export interface PlanFacts extends RoutingFacts {
  /**
   * undefined: not known here, now or at all. Then turns go by lot, everybody counts as logged in, and all as idle for the same time.
   *
   * @param group its key
   * @param takesTurn the call uses up a turn
   */
  group(group: string, takesTurn: boolean): GroupState | undefined
}

export const NO_PLAN_FACTS: PlanFacts = Object.freeze({
  trunk: () => undefined,
  turn: () => undefined,
  group: () => undefined,
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
