// SPDX-License-Identifier: MIT
//
// Which foreign hosts the authenticated users of a domain may send to through this cluster. [RFC3261-16.5]
// A Request-URI can name two hosts, its own and one in `maddr`, which is where it would really go: both must be allowed.
import type { Domain } from './domain.ts'
import { isAddress, isWildcard, longestSuffix, plainHost } from './hosts.ts'
import type { PlanMode } from './plan-verdict.ts'

export interface RelayRules {
  readonly mode: PlanMode
  /** Any name, but no address. */
  readonly allNames: boolean
  readonly hosts: ReadonlySet<string>
  /** By suffix with its dot. */
  readonly suffixes: ReadonlyMap<string, true>
}

/** undefined where nothing is allowed. */
export function createRelayRules(relay: Domain['spec']['relay'], maxRecursions: number): RelayRules | undefined {
  if (relay.allow.length === 0) return undefined
  return {
    mode: Object.freeze({ stateless: relay.forwarding === 'stateless', maxRecursions }),
    allNames: relay.allow.includes('*'),
    hosts: new Set(relay.allow.filter((host) => !isWildcard(host))),
    suffixes: new Map(relay.allow.filter(isWildcard).map((host) => [host.slice(1), true])),
  }
}

/** Only who was authenticated may relay: a domain that asks nobody lets nobody out. */
export function relayObjection({ authentication, relay }: Domain['spec']): string | undefined {
  if (authentication === 'required' || relay.allow.length === 0) return undefined
  return 'expected an empty list: a domain with authentication: none relays for nobody, or it would be an open relay'
}

/** @param host as it stands in a URI: any case, IPv6 in brackets */
export function allowsRelay(rules: RelayRules, host: string): boolean {
  const name = plainHost(host)
  if (rules.hosts.has(name)) return true
  if (isAddress(name)) return false
  return rules.allNames || longestSuffix(rules.suffixes, name) === true
}
