// SPDX-License-Identifier: MIT
//
// The planner: a pure function from where a request wants to go to what an edge shall do, with the reasons. It neither
// authenticates nor looks at bindings. Numbers, trunks, forwarding and schedules are not planned: a user that no
// subscriber and no hunt group of its domain claims gets 404.
import type { PlanVerdict } from './plan-verdict.ts'
import { findDomain, type ResourceIndex } from './resource-index.ts'

export interface PlanRequest {
  readonly method: string
  /** User part of the Request-URI, escapes undone; '' for none. */
  readonly user: string
  /** Host of the Request-URI; '' for a tel: URI. */
  readonly host: string
}

function constant(kind: 'answer' | 'reject', status: number, code: string, text: string): PlanVerdict {
  const reasons = Object.freeze([Object.freeze({ resource: '', text })])
  return Object.freeze({ kind, status, code, steps: Object.freeze([]), reasons })
}

// [RFC3261-16.5] A domain that this proxy is not responsible for: this one relays to its own domains only.
const RELAY_REFUSED = constant('reject', 403, 'relay_refused', 'the Request-URI names no domain of this cluster')
// [RFC3261-16.5] "If the target set ... is empty", and [RFC3261-21.4.5]
const UNKNOWN_USER = constant('reject', 404, 'unknown_user', 'no subscriber or hunt group of the domain has this user')
const UNKNOWN_NUMBER = constant('reject', 404, 'unknown_number', 'telephone numbers are routed by no resource yet')
// [RFC3261-11] An OPTIONS for the domain itself asks about the proxy.
const ANSWER_OPTIONS = constant('answer', 200, '', 'an OPTIONS without a user asks about the cluster itself')

export function plan(request: PlanRequest, index: ResourceIndex): PlanVerdict {
  if (request.host === '') return UNKNOWN_NUMBER
  const domain = findDomain(index, request.host)
  if (domain === undefined) return RELAY_REFUSED
  if (request.user === '') return request.method === 'OPTIONS' ? ANSWER_OPTIONS : UNKNOWN_USER
  return domain.users.get(request.user)?.plan ?? UNKNOWN_USER
}
