// SPDX-License-Identifier: MIT
//
// A checked set of resources, laid out for lookups per request: hosts and users in Maps, one object shape for every user,
// and the plan for each user built once and frozen, so that a decision on the plain path allocates nothing.
// Built anew for each revision and never changed.
import { type AccountEntry, accountEntry, type RatePlanEntry, ratePlanEntry } from './account-entry.ts'
import { AclBuilder, type SourceAcl, type TrunkEntry, trunkEntry } from './acl.ts'
import type { Domain } from './domain.ts'
import { type DomainEntry, domainEntry, type IndexOptions, type UserTables } from './domain-entry.ts'
import { isWildcard, longestSuffix, plainHost } from './hosts.ts'
import type { HuntGroup } from './hunt-group.ts'
import type { ResourceSet } from './load.ts'
import { inlineTable, type NumberTables } from './number-list/load-lists.ts'
import { dialledNumber, type PhoneNumber, parsePhoneNumber } from './phone-number.ts'
import type { Redirect } from './redirect.ts'
import { type Resource, resourceKey } from './resource.ts'
import { ScheduleClock } from './schedule/schedule-clock.ts'
import { aorOf, type Subscriber } from './subscriber.ts'
import type { Trunk } from './trunk.ts'
import { addHuntGroup, addRedirect, addSubscriber, type UserEntry } from './user-entry.ts'

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
  /** By name of the NumberList. */
  readonly lists: NumberTables
  /** By name. */
  readonly schedules: ReadonlyMap<string, ScheduleClock>
  /** Hosts of trusted trunks. */
  readonly trustedHosts: ReadonlySet<string>
  /** By their hosts that speak TLS: a certificate that proves one of them is as good as an address. */
  readonly trunkNames: ReadonlyMap<string, TrunkEntry>
}

const hostKey = (address: string): string => {
  const host = address.toLowerCase()
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

interface Layout {
  readonly domains: Map<string, DomainEntry>
  readonly wildcards: Map<string, DomainEntry>
  readonly contexts: Map<string, DomainEntry>
  /** By the domain's own name. */
  readonly tables: Map<string, UserTables>
  /** Address-of-record by the key of a Subscriber. */
  readonly aors: Map<string, string>
  readonly acl: AclBuilder
  readonly trustedHosts: Set<string>
  readonly trunkNames: Map<string, TrunkEntry>
}

function addDomain(resource: Domain, into: Layout, options: IndexOptions): void {
  const tables: UserTables = { users: new Map(), numbers: new Map() }
  const entry = domainEntry(resource, tables, options)
  into.tables.set(entry.name, tables)
  const addresses = resource.spec.alsoBindAddress ? options.localHosts.map(hostKey) : []
  for (const host of [...addresses, ...resource.spec.aliases, entry.name]) {
    if (isWildcard(host)) into.wildcards.set(host.slice(1), entry)
    else into.domains.set(host, entry)
  }
  for (const context of resource.spec.phoneContexts) into.contexts.set(context, entry)
}

/** [RFC3325-5] Of a trusted trunk, both what it sends and what is sent to it is within the trust domain. */
function addTrunk(resource: Trunk, into: Layout): void {
  const entry = trunkEntry(resource)
  into.acl.addTrunk(resource, entry)
  for (const { host, transport } of resource.spec.hosts) {
    if (entry.trusted) into.trustedHosts.add(host)
    if (transport === 'tls' && !into.trunkNames.has(host)) into.trunkNames.set(host, entry)
  }
}

function addNames(resource: Resource, into: Layout, options: IndexOptions): void {
  if (resource.kind === 'Domain') addDomain(resource, into, options)
  if (resource.kind === 'Trunk') addTrunk(resource, into)
  if (resource.kind === 'Subscriber') into.aors.set(resourceKey(resource), aorOf(resource))
}

function addUser(resource: Subscriber | HuntGroup | Redirect, into: Layout): void {
  const domain = into.domains.get(resource.metadata.domain)
  const tables = into.tables.get(resource.metadata.domain)
  if (domain === undefined || tables === undefined) return
  if (resource.kind === 'Subscriber') addSubscriber(resource, domain, tables)
  else if (resource.kind === 'HuntGroup') addHuntGroup(resource, domain, tables, into.aors)
  else addRedirect(resource, domain, tables, into.aors)
}

/** A number that users of two domains claim names neither. */
function globalNumbers(tables: Iterable<UserTables>): Map<string, UserEntry> {
  const found = new Map<string, UserEntry>()
  const claimed = new Set<string>()
  for (const { numbers } of tables) {
    for (const [number, user] of numbers) {
      if (!number.startsWith('+')) continue
      if (claimed.has(number)) found.delete(number)
      else found.set(number, user)
      claimed.add(number)
    }
  }
  return found
}

/** Accounts share the tables of their plans. */
function layOutAccounts(
  { resources, decks }: IndexedSet,
  schedules: ReadonlyMap<string, ScheduleClock>,
): Map<string, AccountEntry> {
  const plans = new Map<string, RatePlanEntry>()
  for (const resource of resources) {
    if (resource.kind !== 'RatePlan') continue
    const { name } = resource.metadata
    plans.set(name, ratePlanEntry(resource, decks?.get(name), schedules))
  }
  const accounts = new Map<string, AccountEntry>()
  for (const resource of resources) {
    if (resource.kind === 'Account') accounts.set(resource.metadata.name, accountEntry(resource, plans))
  }
  return accounts
}

type IndexedSet = Pick<ResourceSet, 'resources' | 'revision' | 'decks' | 'lists'>

function layOutLists({ resources, lists }: IndexedSet): NumberTables {
  if (lists !== undefined) return lists
  return new Map(
    resources.flatMap((one) => (one.kind === 'NumberList' ? [[one.metadata.name, inlineTable(one)] as const] : [])),
  )
}

function layOutSchedules({ resources }: IndexedSet): ReadonlyMap<string, ScheduleClock> {
  return new Map(
    resources.flatMap((one) =>
      one.kind === 'Schedule' ? [[one.metadata.name, new ScheduleClock(one.spec)] as const] : [],
    ),
  )
}

/** Lays out a set that `loadResources` has checked. */
export function indexResources(set: IndexedSet, options: IndexOptions): ResourceIndex {
  const layout: Layout = {
    domains: new Map(),
    wildcards: new Map(),
    contexts: new Map(),
    tables: new Map(),
    aors: new Map(),
    acl: new AclBuilder(),
    trustedHosts: new Set(),
    trunkNames: new Map(),
  }
  for (const resource of set.resources) addNames(resource, layout, options)
  for (const resource of set.resources) {
    if (resource.kind === 'Subscriber' || resource.kind === 'HuntGroup' || resource.kind === 'Redirect') {
      addUser(resource, layout)
    }
  }
  for (const { users } of layout.tables.values()) for (const user of new Set(users.values())) layout.acl.addUser(user)
  const { domains, wildcards, contexts, trustedHosts, trunkNames } = layout
  const schedules = layOutSchedules(set)
  return {
    revision: set.revision,
    domains,
    wildcards,
    contexts,
    numbers: globalNumbers(layout.tables.values()),
    anyAuthenticated: [...domains.values()].some((domain) => domain.authenticated),
    localHosts: new Set(options.localHosts.map(hostKey)),
    acl: layout.acl.build(),
    accounts: layOutAccounts(set, schedules),
    lists: layOutLists(set),
    schedules,
    trustedHosts,
    trunkNames,
  }
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
  caller: DomainEntry | undefined,
): DomainEntry | undefined {
  if (context !== '') return index.contexts.get(context) ?? findDomain(index, context)
  if (!number.startsWith('+')) return undefined
  if (caller?.numbers.has(number)) return caller
  return index.numbers.get(number)?.domain ?? caller
}
