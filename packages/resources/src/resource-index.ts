// SPDX-License-Identifier: MIT
//
// A checked set of resources, laid out for lookups per request: hosts and users in Maps, one object shape for every user,
// and the plan for each user built once and frozen, so that a decision on the plain path allocates nothing.
// Built anew for each revision and never changed.
import type { DigestAlgorithm, Domain } from './domain.ts'
import type { HuntGroup } from './hunt-group.ts'
import type { ResourceSet } from './load.ts'
import type { PlanStep, PlanVerdict } from './plan-verdict.ts'
import type { Resource } from './resource.ts'
import { resourceKey } from './resource.ts'
import { aorOf, type Subscriber } from './subscriber.ts'

export interface DomainEntry {
  readonly name: string
  readonly realm: string
  readonly authenticated: boolean
  readonly identity: 'reject' | 'assert' | 'off'
  /** undefined: the configuration's order. */
  readonly challenge: readonly DigestAlgorithm[] | undefined
  readonly legacyDigest: boolean
  readonly accounting: boolean
  readonly anonymous: boolean
  readonly minExpiresS: number
  readonly maxExpiresS: number
  readonly defaultExpiresS: number
  readonly maxContacts: number
  /** By user part, escapes undone. */
  readonly users: ReadonlyMap<string, UserEntry>
}

export interface UserEntry {
  readonly key: string
  readonly kind: 'Subscriber' | 'HuntGroup'
  readonly domain: DomainEntry
  /** `sip:user@domain` with the first username and the domain's own name. [RFC3261-10.3.5] */
  readonly aor: string
  /** '' for none. */
  readonly account: string
  readonly maxContacts: number
  /** The resource, where it is a subscriber. */
  readonly subscriber: Subscriber | undefined
  readonly plan: PlanVerdict
}

export interface ResourceIndex {
  readonly revision: string
  /** By lower-case host name, alias or bind address (IPv6 in brackets). */
  readonly domains: ReadonlyMap<string, DomainEntry>
  /** Any domain asks for credentials: when none does, nobody needs to look at From. */
  readonly anyAuthenticated: boolean
}

/** Settings of the cluster that complete what domains leave open. */
export interface IndexOptions {
  /** Addresses that count as aliases of the domain with `alsoBindAddress`; without port. */
  readonly localHosts: readonly string[]
  /** `off` takes the credentials away from every domain. */
  readonly authentication: 'digest' | 'off'
  readonly accounting: boolean
  readonly registration: {
    readonly minExpiresMs: number
    readonly maxExpiresMs: number
    readonly defaultExpiresMs: number
    readonly maxContacts: number
  }
}

type MutableUsers = Map<string, UserEntry>

const hostKey = (address: string): string => {
  const host = address.toLowerCase()
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/** Seconds of Expires; a domain's bounds win over the settings', and the default is kept within them. */
function registrationBounds({ spec: { registration } }: Domain, options: IndexOptions) {
  const settings = options.registration
  const max = Math.floor((registration.maxExpiresMs ?? settings.maxExpiresMs) / 1000)
  const min = Math.min(Math.ceil((registration.minExpiresMs ?? settings.minExpiresMs) / 1000), max)
  const wished = Math.round((registration.defaultExpiresMs ?? settings.defaultExpiresMs) / 1000)
  return {
    minExpiresS: min,
    maxExpiresS: max,
    defaultExpiresS: Math.min(Math.max(wished, min), max),
    maxContacts: registration.maxContacts ?? settings.maxContacts,
  }
}

function domainEntry(domain: Domain, users: MutableUsers, options: IndexOptions): DomainEntry {
  const { metadata, spec } = domain
  return {
    name: metadata.name,
    realm: spec.realm ?? metadata.name,
    authenticated: spec.authentication === 'required' && options.authentication === 'digest',
    identity: spec.identity,
    challenge: spec.challenge,
    legacyDigest: spec.legacyDigest,
    accounting: spec.accounting && options.accounting,
    anonymous: spec.anonymous === 'allow',
    ...registrationBounds(domain, options),
    users,
  }
}

function planVerdict(steps: readonly PlanStep[], resource: Resource, text: string): PlanVerdict {
  const reasons = [{ resource: resourceKey(resource), text }]
  return Object.freeze({
    kind: 'plan',
    status: 0,
    code: '',
    steps: Object.freeze(steps),
    reasons: Object.freeze(reasons),
  })
}

const step = (aors: readonly string[], ringMs: number): PlanStep =>
  Object.freeze({ targets: Object.freeze(aors.map((aor) => Object.freeze({ aor }))), ringMs, retryStatuses: [] })

function addSubscriber(resource: Subscriber, domain: DomainEntry, users: MutableUsers): void {
  const aor = aorOf(resource)
  const entry: UserEntry = {
    key: resourceKey(resource),
    kind: 'Subscriber',
    domain,
    aor,
    account: resource.spec.account ?? '',
    maxContacts: resource.spec.maxContacts ?? domain.maxContacts,
    subscriber: resource,
    plan: planVerdict([step([aor], 0)], resource, `the user is a subscriber: rings the phones of ${aor}`),
  }
  for (const username of resource.spec.usernames ?? [resource.metadata.name]) users.set(username, entry)
}

function addHuntGroup(resource: HuntGroup, domain: DomainEntry, users: MutableUsers, aors: Map<string, string>): void {
  const { metadata, spec } = resource
  const members = spec.members.flatMap((member) => aors.get(`Subscriber/${metadata.domain}/${member}`) ?? [])
  const user = spec.username ?? metadata.name
  users.set(user, {
    key: resourceKey(resource),
    kind: 'HuntGroup',
    domain,
    aor: `sip:${user}@${metadata.domain}`,
    account: '',
    maxContacts: domain.maxContacts,
    subscriber: undefined,
    plan: planVerdict([step(members, spec.ringMs ?? 0)], resource, `rings all ${members.length} members at once`),
  })
}

interface Layout {
  readonly domains: Map<string, DomainEntry>
  /** By the domain's own name. */
  readonly users: Map<string, MutableUsers>
  /** Address-of-record by the key of a Subscriber. */
  readonly aors: Map<string, string>
}

function addDomain(resource: Domain, into: Layout, options: IndexOptions): void {
  const users: MutableUsers = new Map()
  const entry = domainEntry(resource, users, options)
  into.users.set(entry.name, users)
  const addresses = resource.spec.alsoBindAddress ? options.localHosts.map(hostKey) : []
  for (const host of [...addresses, ...resource.spec.aliases, entry.name]) into.domains.set(host, entry)
}

function addUser(resource: Subscriber | HuntGroup, into: Layout): void {
  const domain = into.domains.get(resource.metadata.domain)
  const users = into.users.get(resource.metadata.domain)
  if (domain === undefined || users === undefined) return
  if (resource.kind === 'Subscriber') addSubscriber(resource, domain, users)
  else addHuntGroup(resource, domain, users, into.aors)
}

/** Lays out a set that `loadResources` has checked. */
export function indexResources(set: Pick<ResourceSet, 'resources' | 'revision'>, options: IndexOptions): ResourceIndex {
  const layout: Layout = { domains: new Map(), users: new Map(), aors: new Map() }
  for (const resource of set.resources) {
    if (resource.kind === 'Domain') addDomain(resource, layout, options)
    if (resource.kind === 'Subscriber') layout.aors.set(resourceKey(resource), aorOf(resource))
  }
  for (const resource of set.resources) {
    if (resource.kind === 'Subscriber' || resource.kind === 'HuntGroup') addUser(resource, layout)
  }
  const anyAuthenticated = [...layout.domains.values()].some((domain) => domain.authenticated)
  return { revision: set.revision, domains: layout.domains, anyAuthenticated }
}

/** The domain of a host as it came in a URI: any case, an optional last dot. */
export function findDomain(index: ResourceIndex, host: string): DomainEntry | undefined {
  const found = index.domains.get(host)
  if (found !== undefined) return found
  const lower = host.toLowerCase()
  return index.domains.get(lower.endsWith('.') ? lower.slice(0, -1) : lower)
}
