// SPDX-License-Identifier: MIT
//
// A checked set → the index that decisions look at. The first time everything; from then on what changed: domains and their users one by
// one (homes.ts), all else in parts, each of them laid out as a whole when a resource of its kinds changed and taken over when none did.
// Written in slices: 100,000 subscribers are laid out while calls go on.
import { type AccountEntry, accountEntry, type RatePlanEntry, ratePlanEntry } from '../account-entry.ts'
import { AclBuilder, type SourceAcl, type TrunkEntry, trunkEntry } from '../acl.ts'
import type { DomainEntry, IndexOptions } from '../domain-entry.ts'
import { isWildcard } from '../hosts.ts'
import type { ResourceSet } from '../load.ts'
import { inlineTable, type NumberTables } from '../number-list/load-lists.ts'
import { type Kind, resourceKey } from '../resource.ts'
import type { ResourceIndex } from '../resource-index.ts'
import { layOutRouting, ROUTING_KINDS } from '../routing/lay-out-routing.ts'
import { holidaysOf } from '../schedule/holiday-calendar.ts'
import { ScheduleClock } from '../schedule/schedule-clock.ts'
import type { UserEntry } from '../user-entry.ts'
import { type DomainHome, type LayOutChanges, layOutHomes } from './homes.ts'
import { atOnce, eachOf, type Sliced } from './slices.ts'

export type IndexedSet = Pick<ResourceSet, 'resources' | 'revision' | 'decks' | 'lists'>
type Homes = ReadonlyMap<string, DomainHome>

/** A revision that is laid out, and what is different now. */
export interface LayOutBase {
  readonly index: ResourceIndex
  readonly changes: LayOutChanges
}

const hostKey = (address: string): string => {
  const host = address.toLowerCase()
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function hostTables(homes: Homes, options: IndexOptions): Pick<ResourceIndex, 'domains' | 'wildcards' | 'contexts'> {
  const domains = new Map<string, DomainEntry>()
  const wildcards = new Map<string, DomainEntry>()
  const contexts = new Map<string, DomainEntry>()
  for (const { resource, entry } of homes.values()) {
    const addresses = resource.spec.alsoBindAddress ? options.localHosts.map(hostKey) : []
    for (const host of [...addresses, ...resource.spec.aliases, entry.name]) {
      if (isWildcard(host)) wildcards.set(host.slice(1), entry)
      else domains.set(host, entry)
    }
    for (const context of resource.spec.phoneContexts) contexts.set(context, entry)
  }
  return { domains, wildcards, contexts }
}

/** A number that users of two domains claim names neither. */
function* globalNumbers(homes: Homes): Sliced<Map<string, UserEntry>> {
  const found = new Map<string, UserEntry>()
  const claimed = new Set<string>()
  for (const { entry } of homes.values()) {
    yield* eachOf(entry.numbers, ([number, user]) => {
      if (!number.startsWith('+')) return
      if (claimed.has(number)) found.delete(number)
      else found.set(number, user)
      claimed.add(number)
    })
  }
  return found
}

/** [RFC3325-5] Of a trusted trunk, both what it sends and what is sent to it is within the trust domain. */
function layOutTrunks({ resources }: IndexedSet) {
  const acl = new AclBuilder()
  const trustedHosts = new Set<string>()
  const trunkNames = new Map<string, TrunkEntry>()
  const trunkLogins = new Map<string, TrunkEntry>()
  for (const resource of resources) {
    if (resource.kind !== 'Trunk') continue
    const entry = trunkEntry(resource)
    acl.addTrunk(resource, entry)
    const login = resource.spec.inboundCredentials?.username
    if (login !== undefined) trunkLogins.set(login, entry)
    for (const { host, transport } of resource.spec.hosts) {
      if (entry.trusted) trustedHosts.add(host)
      if (transport === 'tls' && !trunkNames.has(host)) trunkNames.set(host, entry)
    }
  }
  return { acl, trustedHosts, trunkNames, trunkLogins }
}

function* layOutAcl(acl: AclBuilder, homes: Homes): Sliced<SourceAcl | undefined> {
  const added = new Set<UserEntry>()
  for (const { entry } of homes.values()) {
    yield* eachOf(entry.users.values(), (user) => {
      if (user.subscriber?.spec.acl === undefined || added.has(user)) return
      added.add(user)
      acl.addUser(user)
    })
  }
  return acl.build()
}

function layOutRatePlans(
  { resources, decks }: IndexedSet,
  schedules: ReadonlyMap<string, ScheduleClock>,
): ReadonlyMap<string, RatePlanEntry> {
  const plans = new Map<string, RatePlanEntry>()
  for (const resource of resources) {
    if (resource.kind !== 'RatePlan') continue
    const { name } = resource.metadata
    plans.set(name, ratePlanEntry(resource, decks?.get(name), schedules))
  }
  return plans
}

/** Accounts and trunks share the tables of their plans. */
function layOutAccounts(
  { resources }: IndexedSet,
  plans: ReadonlyMap<string, RatePlanEntry>,
): Map<string, AccountEntry> {
  const accounts = new Map<string, AccountEntry>()
  for (const resource of resources) {
    if (resource.kind === 'Account') accounts.set(resource.metadata.name, accountEntry(resource, plans))
  }
  return accounts
}

function layOutLists({ resources, lists }: IndexedSet): NumberTables {
  if (lists !== undefined) return lists
  return new Map(
    resources.flatMap((one) => (one.kind === 'NumberList' ? [[one.metadata.name, inlineTable(one)] as const] : [])),
  )
}

/** Days of HolidayCalendars, by name. */
type Calendars = ReadonlyMap<string, readonly string[]>

const calendarsOf = ({ resources }: IndexedSet): Calendars =>
  new Map(
    resources.flatMap((one) =>
      one.kind === 'HolidayCalendar' ? [[one.metadata.name, holidaysOf(one.spec)] as const] : [],
    ),
  )

const daysOf = (calendars: Calendars, names: readonly string[]): readonly string[] =>
  names.flatMap((name) => calendars.get(name) ?? [])

function layOutSchedules(set: IndexedSet): ReadonlyMap<string, ScheduleClock> {
  const calendars = calendarsOf(set)
  const clocks = new Map<string, ScheduleClock>()
  for (const { kind, metadata, spec } of set.resources) {
    if (kind !== 'Schedule') continue
    const holidays = [...spec.holidays, ...daysOf(calendars, spec.calendars)]
    clocks.set(metadata.name, new ScheduleClock({ ...spec, holidays }))
  }
  return clocks
}

/** When call flows have holidays, by key of the CallFlow. */
function layOutHolidays(set: IndexedSet): ReadonlyMap<string, ScheduleClock> {
  const calendars = calendarsOf(set)
  const clocks = new Map<string, ScheduleClock>()
  for (const resource of set.resources) {
    if (resource.kind !== 'CallFlow' || resource.spec.holiday === undefined) continue
    const { timeZone, calendars: names } = resource.spec.holiday
    const holidays = daysOf(calendars, names)
    clocks.set(resourceKey(resource), new ScheduleClock({ timeZone, weekly: [], dates: [], holidays }))
  }
  return clocks
}

/** Some user who is known by an address came, changed or went, or a whole domain did. */
function sourcesChanged({ kinds, put, gone }: LayOutChanges): boolean {
  return kinds.has('Trunk') || kinds.has('Domain') || [...put, ...gone].some(({ spec }) => spec.acl !== undefined)
}

/** In slices. @param from a revision of the same options; the result shares with it what is the same */
export function* layOut(set: IndexedSet, options: IndexOptions, from?: LayOutBase): Sliced<ResourceIndex> {
  const homes = yield* layOutHomes(set.resources, options, from?.index.homes, from?.changes)
  const changed = (kinds: readonly Kind[]) => from === undefined || kinds.some((kind) => from.changes.kinds.has(kind))
  /** A part of the index: as it was, unless something of these kinds changed. */
  const part = <K extends keyof ResourceIndex>(name: K, kinds: readonly Kind[], make: () => ResourceIndex[K]) =>
    from === undefined || changed(kinds) ? make() : from.index[name]
  yield
  const schedules = part('schedules', ['Schedule', 'HolidayCalendar'], () => layOutSchedules(set))
  yield
  const holidays = part('holidays', ['CallFlow', 'HolidayCalendar'], () => layOutHolidays(set))
  yield
  const ratePlans = part('ratePlans', ['RatePlan', 'Schedule', 'HolidayCalendar'], () =>
    layOutRatePlans(set, schedules),
  )
  yield
  const accounts = part('accounts', ['Account', 'RatePlan', 'Schedule', 'HolidayCalendar'], () =>
    layOutAccounts(set, ratePlans),
  )
  yield
  const lists = part('lists', ['NumberList'], () => layOutLists(set))
  yield
  const routing =
    from === undefined || changed(ROUTING_KINDS)
      ? yield* layOutRouting(set.resources, { ratePlans, schedules, lists })
      : from.index.routing
  const { acl: aclBuilder, trustedHosts, trunkNames, trunkLogins } = layOutTrunks(set)
  const acl = from === undefined || sourcesChanged(from.changes) ? yield* layOutAcl(aclBuilder, homes) : from.index.acl
  return {
    revision: set.revision,
    ...hostTables(homes, options),
    numbers: yield* globalNumbers(homes),
    anyAuthenticated: [...homes.values()].some(({ settings }) => settings.authenticated),
    localHosts: new Set(options.localHosts.map(hostKey)),
    acl,
    accounts,
    ratePlans,
    lists,
    routing,
    schedules,
    holidays,
    trustedHosts,
    trunkNames,
    trunkLogins,
    homes,
  }
}

/** Lays out a set that `loadResources` has checked, at once. */
export function indexResources(set: IndexedSet, options: IndexOptions): ResourceIndex {
  return atOnce(layOut(set, options))
}
