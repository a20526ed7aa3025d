// SPDX-License-Identifier: MIT
//
// What the planner answers. Verdicts are built once per revision, frozen and shared between requests.

export interface PlanReason {
  /** Key of the resource that decided, '' for none. */
  readonly resource: string
  readonly text: string
}

/** An address-of-record, resolved by location. */
export interface PlanTarget {
  readonly aor: string
}

export interface PlanStep {
  /** Rung in parallel. */
  readonly targets: readonly PlanTarget[]
  /** 0: the proxy's Timer C. */
  readonly ringMs: number
  /** Final statuses after which the next step is tried; empty: all failures but 6xx. */
  readonly retryStatuses: readonly number[]
}

/** `status` and `code` are set for `answer` and `reject`, `steps` for `plan`. Frozen and shared: never to be changed. */
export interface PlanVerdict {
  readonly kind: 'plan' | 'answer' | 'reject'
  /** SIP status; 0 for a plan. */
  readonly status: number
  /** Stable, for logs and records: `unknown_user`, `relay_refused`; '' for what is not refused. */
  readonly code: string
  readonly steps: readonly PlanStep[]
  readonly reasons: readonly PlanReason[]
}
