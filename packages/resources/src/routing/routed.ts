// SPDX-License-Identifier: MIT
//
// What routing is asked and what it answers, in the planner's terms.
import type { PlanEdit, PlanReason, PlanStep } from '../plan-verdict.ts'

/** Live state of a trunk, as policy knows it. */
export interface TrunkFacts {
  /** Breakers of all hosts are open. */
  readonly open: boolean
  /** By `trunkHostKey`. */
  readonly openHosts: ReadonlySet<string>
  /** One call may try each of these: it asks before it does. */
  readonly trialHosts?: ReadonlySet<string>
  /** No more calls, or none in this second. */
  readonly full: boolean
  /** Share of attempts that were answered, 0 to 1; undefined: too few to tell. */
  readonly asr?: number | undefined
  /** Mean time until the first 18x. */
  readonly pddMs?: number | undefined
}

/** What routing reads of live state, at once. */
export interface RoutingFacts {
  /** undefined: nothing is known against it. */
  trunk(name: string): TrunkFacts | undefined
  /** Nobody reads the reasons of this plan: they are left out. */
  readonly silent?: boolean
  /** How many calls have taken a turn before; undefined: not known yet. */
  turn(key: string): number | undefined
}

export const NO_FACTS: RoutingFacts = Object.freeze({ trunk: () => undefined, turn: () => undefined })

/** Who wants to reach a number. */
export interface OutCaller {
  /** Of a user of ours; '' for none. */
  readonly aor: string
  /** Name of his Domain; '' for none. */
  readonly domain: string
  readonly labels: Readonly<Record<string, string>>
  /** By which the call came; '' for none. */
  readonly trunk: string
  /** That he shows to the outside unless he shows another that he may; '' for none. */
  readonly number: string
}

export interface OutCall {
  /** Canonical: E.164 where the caller's number plan gives it, else as dialled. */
  readonly number: string
  /** Canonical, as dialled. */
  readonly dialled: string
  readonly caller: OutCaller
  /** Number that the caller shows, canonical; '' for none. */
  readonly shown: string
  /** It is one of his. */
  readonly ownsShown: boolean
  /** He hides who he is, and says nothing in Privacy. */
  readonly hides?: boolean
  /** Wall clock. */
  readonly nowMs: number
  /** 0 <= draw < 1: decides what is left to chance. */
  readonly draw: number
  /** What the caller, or `payer`, pays a minute, in micro-units of `currency`; undefined: nothing is known. */
  readonly sellPerMinute?: { readonly perMinute: bigint; readonly currency: string } | undefined
  /** Account of who sends the call on, and pays for that leg; absent: the caller pays. */
  readonly payer?: string | undefined
  /** To an emergency number: no breaker and no bound of a trunk counts. */
  readonly emergency?: boolean
}

export interface Refused {
  readonly status: number
  readonly code: string
  readonly reason: string
}

/** Steps to try one after another; none: `refused` says why. */
export interface Routed {
  readonly steps: readonly PlanStep[]
  readonly reasons: readonly PlanReason[]
  readonly refused: Refused | undefined
}

export type { PlanEdit }
