// SPDX-License-Identifier: MIT
//
// The planner: pure functions from where a request wants to go to what an edge shall do, with the reasons. It neither
// authenticates nor looks at bindings. Trunks and schedules are not planned: a user that nobody of its domain is gets 404.

import type { DomainEntry, DomainSettings } from './domain-entry.ts'
import { plainHost } from './hosts.ts'
import { aorTarget, type PlanTarget, type PlanVerdict, stepOf, uriTarget, verdictOf } from './plan-verdict.ts'
import { allowsRelay } from './relay-rules.ts'
import { findDomain, findNumber, findUser, isOurs, type ResourceIndex } from './resource-index.ts'
import type { UserEntry } from './user-entry.ts'

export interface PlanRequest {
  readonly method: string
  /** User part of the Request-URI, escapes undone; '' for none. For a tel URI its number. */
  readonly user: string
  /** Host of the Request-URI; for a tel URI the name of the domain that it belongs to, '' for none. */
  readonly host: string
}

function constant(kind: 'answer' | 'reject', status: number, code: string, text: string): PlanVerdict {
  return verdictOf({ kind, status, code }, '', text)
}

// [RFC3261-16.5] A domain that this proxy is not responsible for, and nobody who may send there through it.
const RELAY_REFUSED = constant('reject', 403, 'relay_refused', 'the Request-URI names no domain of this cluster')
// [RFC3261-16.5] "If the target set ... is empty", and [RFC3261-21.4.5]
const UNKNOWN_USER = constant('reject', 404, 'unknown_user', 'nobody of the domain has this user')
const UNKNOWN_NUMBER = constant('reject', 404, 'unknown_number', 'nobody of the domain has this number')
// [RFC5627-6.1] A GRUU that this cluster did not make, or of a user that is no subscriber.
const UNKNOWN_GRUU = constant('reject', 404, 'unknown_gruu', 'the GRUU names no instance of a subscriber')
// [RFC3261-11.1] An OPTIONS for the domain itself asks about the proxy.
const ANSWER_OPTIONS = constant('answer', 200, '', 'an OPTIONS without a user asks about the cluster itself')
// [RFC3261-8.2.1b] Everything else for the domain itself would be for a user agent, which the cluster is not.
const NOT_SERVED = constant('reject', 405, 'method_not_allowed', 'the cluster itself answers OPTIONS and REGISTER only')

export function plan(request: PlanRequest, index: ResourceIndex): PlanVerdict {
  if (request.host === '') return UNKNOWN_NUMBER
  const domain = findDomain(index, request.host)
  if (domain === undefined) return RELAY_REFUSED
  if (request.user === '') return request.method === 'OPTIONS' ? ANSWER_OPTIONS : NOT_SERVED
  return findUser(domain, request.user)?.plan ?? UNKNOWN_USER
}

/** A tel URI of a domain. */
export function planNumber(number: string, domain: DomainEntry | undefined): PlanVerdict {
  return (domain && findNumber(domain, number))?.plan ?? UNKNOWN_NUMBER
}

/** What a Request-URI with a `gr` parameter names; '' and 0 for everything. */
export interface InstanceChoice {
  readonly instanceId: string
  readonly registrationHash: number
}

/** The plan of a subscriber for one instance alone; never a redirection. [RFC5627-6.1a] [RFC5627-6.1i] */
export function planInstance(user: UserEntry | undefined, choice: InstanceChoice | undefined): PlanVerdict {
  if (user?.kind !== 'Subscriber' || choice === undefined) return UNKNOWN_GRUU
  const { aor, domain, key } = user
  const target: PlanTarget = { ...aorTarget(aor, domain.trustsPhones), ...choice }
  const steps = [stepOf([target], domain.ringMs, domain.forking)]
  return verdictOf({ kind: 'plan', steps, mode: domain.mode }, key, `the GRUU names one instance of ${aor}`)
}

/** Where a Request-URI would take a request. */
export interface RelayRequest {
  /** The Request-URI as it came. */
  readonly uri: string
  readonly host: string
  /** Value of its `maddr` parameter, '' for none: where it would really go. */
  readonly maddr: string
}

/** Whether a Request-URI leads out of this cluster, by its host or by its maddr. [RFC3261-16.5a] [RFC3261-16.5b] */
export function leadsAway({ host, maddr }: Pick<RelayRequest, 'host' | 'maddr'>, index: ResourceIndex): boolean {
  return (host !== '' && findDomain(index, host) === undefined) || (maddr !== '' && !isOurs(index, maddr))
}

/** A request that leads away has its Request-URI as the only target. @param sender domain of the authenticated sender */
export function planRelay(request: RelayRequest, sender: DomainSettings, index: ResourceIndex): PlanVerdict {
  const { relay } = sender
  const { host, maddr } = request
  const allowed = (name: string) => name === '' || isOurs(index, name) || (relay && allowsRelay(relay, name))
  if (relay === undefined || !allowed(host) || !allowed(maddr)) return RELAY_REFUSED
  const trusted = index.trustedHosts.has(plainHost(maddr || host))
  const steps = [stepOf([uriTarget(request.uri, trusted)], sender.ringMs, 'parallel')]
  return verdictOf({ kind: 'plan', steps, mode: relay.mode }, `Domain/${sender.name}`, `relays to ${maddr || host}`)
}
