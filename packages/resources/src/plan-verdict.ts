// SPDX-License-Identifier: MIT
//
// What the planner answers. Verdicts are built once per revision, frozen and shared between requests; those that depend on
// a request (relayed URIs, GRUUs) are built for it.

import type { PlanAt } from './planner/plan-at.ts'

export interface PlanReason {
  /** Key of the resource that decided, '' for none. */
  readonly resource: string
  readonly text: string
  /** How far it stands below what led to it; absent: 0. */
  readonly depth?: number
}

/** A change to what is forwarded, as HeaderEdit of the policy's wire. */
export interface PlanEdit {
  readonly operation: 'add' | 'remove' | 'rewrite'
  readonly name: string
  readonly value: string
  /** Of a rewriting: how a value begins; '' for any. */
  readonly match?: string
}

/** How a trunk is tried, as TrunkLeg of the policy's wire. */
export interface PlanTrunkLeg {
  readonly trunk: string
  readonly host: string
  readonly firstResponseMs: number
  readonly asks: boolean
  readonly tells: boolean
  readonly answersChallenges: boolean
}

/** Why a request goes to another user than the one who was called. */
export interface PlanRetarget {
  /** The URI that was called, in its canonical form. */
  readonly from: string
  /** Reason as Diversion has it. */
  readonly reason: string
}

/** An address-of-record, resolved by location, or a URI, resolved by RFC 3263: one of the two is ''. */
export interface PlanTarget {
  readonly aor: string
  readonly uri: string
  /** Only this instance [RFC5627-6.1]; '' for all. */
  readonly instanceId: string
  /** Only this registration of the instance; 0 for all. */
  readonly registrationHash: number
  /** Within the trust domain. [RFC3325-5] */
  readonly trusted: boolean
  /** undefined: the target is who was called. */
  readonly retarget: PlanRetarget | undefined
  /** The target is a trunk's host. */
  readonly trunkLeg?: PlanTrunkLeg | undefined
  /** Of a trunk: the number that is called there, canonical. */
  readonly number?: string | undefined
  /** Of a trunk: the account that pays for this leg, because its owner sends the call there; absent: the caller pays. */
  readonly payer?: string | undefined
  /** Of this target, after those of the plan. */
  readonly edits?: readonly PlanEdit[] | undefined
  /** Where it goes while `uri` stands in the Request-URI; '' or absent for `uri`. */
  readonly nextHop?: string | undefined
}

export type Forking = 'parallel' | 'q' | 'serial'

/** How a step went, as Exit.Condition of the policy's wire. */
export type PlanCondition = 'busy' | 'noAnswer' | 'unreachable' | 'failed'

export interface PlanExit {
  readonly conditions: readonly PlanCondition[]
  readonly statuses: readonly number[]
  /** Index of the step that comes then: greater than that of this one. */
  readonly step: number
}

export interface PlanStep {
  readonly targets: readonly PlanTarget[]
  /** For each group that rings at once; 0: the proxy's Timer C. */
  readonly ringMs: number
  /** Final statuses after which the next step is tried; empty: all failures but 6xx. */
  readonly retryStatuses: readonly number[]
  readonly forking: Forking
  /** Where to go on instead of `retryStatuses` and the next one; the first that fits counts, none ends the plan. */
  readonly exits?: readonly PlanExit[] | undefined
  /** Nothing follows, unless an exit fits. */
  readonly last?: boolean | undefined
  /** So many targets ring first, and each `ringMs` so many join them; absent: as `forking` has it. */
  readonly waveSize?: number | undefined
  /** Targets that were tried before are tried again: a round begins. */
  readonly again?: boolean | undefined
}

/** How a plan is carried out as a whole. */
export interface PlanMode {
  /** Never together with accounting: who adds accounting takes this away. */
  readonly stateless: boolean
  /** 3xx responses that are followed; 0: they go upstream. */
  readonly maxRecursions: number
}

/**
 * `status` is set for `answer`, `reject` and `redirect`, `code` for `reject`, `steps` and `mode` for `plan`, `contacts` and
 * `aor` for `redirect`. Frozen and shared: never to be changed.
 */
export interface PlanVerdict {
  readonly kind: 'plan' | 'answer' | 'reject' | 'redirect'
  /** SIP status; 0 for a plan. */
  readonly status: number
  /** Stable, for logs and records: `unknown_user`, `relay_refused`; '' for what is not refused. */
  readonly code: string
  /** Of what is refused; absent: the standard one of the status. */
  readonly reason?: string
  /** Of a call that goes by trunks: the number that is called, canonical. */
  readonly number?: string
  readonly steps: readonly PlanStep[]
  readonly mode: PlanMode
  /** Values of Contact, most wanted first. */
  readonly contacts: readonly string[]
  /** Address-of-record whose bindings follow the contacts; '' for none. */
  readonly aor: string
  readonly reasons: readonly PlanReason[]
  /** The verdict depends on the call: this says what it is. Built once per revision. */
  readonly later?: (at: PlanAt) => PlanVerdict
}

export const PLAIN_MODE: PlanMode = Object.freeze({ stateless: false, maxRecursions: 0 })

const NOTHING = { status: 0, code: '', steps: [], mode: PLAIN_MODE, contacts: [], aor: '' } as const

/** @param resource key of the resource that decides, '' for none */
export function verdictOf(
  parts: Pick<PlanVerdict, 'kind'> & Partial<PlanVerdict>,
  resource: string,
  text: string,
): PlanVerdict {
  const reasons = Object.freeze([Object.freeze({ resource, text })])
  return Object.freeze({ ...NOTHING, ...parts, reasons })
}

const NONE: readonly never[] = Object.freeze([])

/** Of one call, and of nobody else: not frozen. */
export function planOfCall(steps: readonly PlanStep[], mode: PlanMode, reasons: readonly PlanReason[]): PlanVerdict {
  return { kind: 'plan', status: 0, code: '', steps, mode, contacts: NONE, aor: '', reasons }
}

/** Of one call. */
export function refusalOfCall(
  { status, code, reason }: Required<Pick<PlanVerdict, 'status' | 'code' | 'reason'>>,
  reasons: readonly PlanReason[],
): PlanVerdict {
  return { kind: 'reject', status, code, reason, steps: NONE, mode: PLAIN_MODE, contacts: NONE, aor: '', reasons }
}

export const NO_REASONS: readonly PlanReason[] = NONE

/** One reason, or none where nobody reads it. */
export function reasonOf(
  { silent }: { readonly silent?: boolean },
  resource: string,
  text: string,
): readonly PlanReason[] {
  return silent === true ? NO_REASONS : [{ resource, text, depth: 0 }]
}

export function aorTarget(aor: string, trusted: boolean, retarget?: PlanRetarget): PlanTarget {
  return Object.freeze({ aor, uri: '', instanceId: '', registrationHash: 0, trusted, retarget })
}

export function uriTarget(uri: string, trusted: boolean): PlanTarget {
  return Object.freeze({ aor: '', uri, instanceId: '', registrationHash: 0, trusted, retarget: undefined })
}

export function stepOf(targets: readonly PlanTarget[], ringMs: number, forking: Forking): PlanStep {
  return Object.freeze({ targets: Object.freeze(targets), ringMs, retryStatuses: [], forking })
}
