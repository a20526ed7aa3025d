// SPDX-License-Identifier: MIT
//
// A checked set of resources, laid out for lookups per request: hosts and users in Maps, one object shape for every user,
// and the plan for each user built once and frozen, so that a decision on the plain path allocates nothing.
// Of one revision and never changed; what stays the same from one revision to the next is shared (lay-out/lay-out.ts).
import type { AccountEntry, RatePlanEntry } from './account-entry.ts'
import type { SourceAcl, TrunkEntry } from './acl.ts'
import type { DomainEntry, DomainSettings } from './domain-entry.ts'
import { longestSuffix, plainHost } from './hosts.ts'
import type { DomainHome } from './lay-out/homes.ts'
import type { NumberTables } from './number-list/load-lists.ts'
import { dialledNumber, type PhoneNumber, parsePhoneNumber } from './phone-number.ts'
import type { RoutingTables } from './routing/lay-out-routing.ts'
import type { ScheduleClock } from './schedule/schedule-clock.ts'
import type { UserEntry } from './user-entry.ts'

export interface ResourceIndex {
  readonly revision: string
  /** By lower-case host name, alias or bind address (IPv6 in brackets). */
  readonly domains: ReadonlyMap<string, DomainEntry>
  /** By suffix with its leading dot: `.example.test` for `*.example.test`. */
  readonly wildcards: ReadonlyMap<string, DomainEntry>
  /** By canonical phone context that is no host name of a domain. */
  readonly contexts: ReadonlyMap<string, DomainEntry>
  /** Global numbers of one user alone in all domains, by canonical number. */
  readonly numbers: ReadonlyMap<string, UserEntry>
  /** Any domain asks for credentials: when none does, nobody needs to look at From. */
  readonly anyAuthenticated: boolean
  /** The edges' own addresses, IPv6 in brackets. */
  readonly localHosts: ReadonlySet<string>
  /** Who is known by where a request comes from: trunks and subscribers; undefined for nobody. */
  readonly acl: SourceAcl | undefined
  /** By name. */
  readonly accounts: ReadonlyMap<string, AccountEntry>
  /** By name. */
  readonly ratePlans: ReadonlyMap<string, RatePlanEntry>
  /** Numbers, trunks and the ways to them. */
  readonly routing: RoutingTables
  /** By name of the NumberList. */
  readonly lists: NumberTables
  /** By name. */
  readonly schedules: ReadonlyMap<string, ScheduleClock>
  /** Holidays of call flows, by key of the CallFlow. */
  readonly holidays: ReadonlyMap<string, ScheduleClock>
  /** Hosts of trusted trunks. */
  readonly trustedHosts: ReadonlySet<string>
  /** By their hosts that speak TLS: a certificate that proves one of them is as good as an address. */
  readonly trunkNames: ReadonlyMap<string, TrunkEntry>
  /** By the username of their `inboundCredentials`, which is good in every realm. */
  readonly trunkLogins: ReadonlyMap<string, TrunkEntry>
  /** Each Domain with what it was laid out to, by its own name: for laying out the next revision. */
  readonly homes: ReadonlyMap<string, DomainHome>
}

/** The domain of a host as it came in a URI: any case, an optional last dot; a name written out before a wildcard. */
export function findDomain(index: ResourceIndex, host: string): DomainEntry | undefined {
  const found = index.domains.get(host)
  if (found !== undefined) return found
  const plain = plainHost(host)
  return index.domains.get(plain) ?? longestSuffix(index.wildcards, plain)
}

/** A name of one of our domains, or an address of an edge. */
export function isOurs(index: ResourceIndex, host: string): boolean {
  return findDomain(index, host) !== undefined || index.localHosts.has(plainHost(host))
}

/**
 * The user of a domain by the user part of a URI, escapes undone. A name is compared as it stands [RFC3261-19.1.4]; a
 * number reaches its user in any visual form [RFC3966-4], also without user=phone [RFC3261-19.1.1].
 */
export function findUser(domain: DomainEntry, user: string): UserEntry | undefined {
  const found = domain.users.get(user)
  if (found !== undefined || domain.numbers.size === 0) return found
  const number = parsePhoneNumber(user)
  if (number === undefined || (number.context !== '' && !domain.contexts.has(number.context))) return undefined
  return findNumber(domain, number.number)
}

/** The user of a domain by a canonical number: as it is, or as the domain's users dial it. */
export function findNumber({ numbers, numberPlan }: DomainEntry, number: string): UserEntry | undefined {
  const found = numbers.get(number)
  if (found !== undefined || numberPlan === undefined || number.startsWith('+')) return found
  return numbers.get(dialledNumber(numberPlan, number))
}

/**
 * The domain to which a tel URI belongs: that of its context, none for a local number without one [RFC3966-3c]; for a
 * global number the caller's where it knows the number, else the one that has it, else the caller's. [RFC3966-5.1.5a]
 */
export function domainOfNumber(
  index: ResourceIndex,
  { number, context }: PhoneNumber,
  caller: DomainSettings | undefined,
): DomainEntry | undefined {
  if (context !== '') return index.contexts.get(context) ?? findDomain(index, context)
  if (!number.startsWith('+')) return undefined
  const own = caller && index.homes.get(caller.name)?.entry
  if (own?.numbers.has(number)) return own
  const holder = index.numbers.get(number)
  return holder === undefined ? own : index.homes.get(holder.domain.name)?.entry
}
