// SPDX-License-Identifier: MIT
//
// Domains with the users that are in them. From one revision to the next the settings of a domain that is the same are the same object, and
// so are the entries of subscribers that are the same: only the maps of domains in which something changed are copied. Users that depend on
// others (hunt groups, redirects) are laid out anew in each domain that was touched.
import type { Domain } from '../domain.ts'
import {
  type DomainEntry,
  type DomainSettings,
  domainSettings,
  type IndexOptions,
  type UserTables,
} from '../domain-entry.ts'
import type { CallFlow } from '../flow/call-flow.ts'
import type { HuntGroup } from '../hunt-group.ts'
import { canonicalNumber } from '../phone-number.ts'
import type { Redirect } from '../redirect.ts'
import type { Kind, Resource } from '../resource.ts'
import { plansByName } from '../routing/lay-out-routing.ts'
import { aorOf, type Subscriber } from '../subscriber.ts'
import { type AorTable, addCallFlow, addHuntGroup, addRedirect, addSubscriber } from '../user-entry.ts'
import { eachOf, type Sliced } from './slices.ts'

export interface DomainHome {
  readonly resource: Domain
  readonly settings: DomainSettings
  readonly entry: DomainEntry
  /** It has users that are no subscribers. */
  readonly hasOthers: boolean
}

/** What differs from a revision that is laid out. Resources that are the same are the same objects. */
export interface LayOutChanges {
  /** Kinds of which something was added, changed or removed. */
  readonly kinds: ReadonlySet<Kind>
  /** Subscribers as they are now: added and changed ones. */
  readonly put: readonly Subscriber[]
  /** As they were before: changed and removed ones. */
  readonly gone: readonly Subscriber[]
  /** A resource of the new revision. */
  readonly find: (key: string) => Resource | undefined
}

/** Users that depend on other resources. */
type Other = HuntGroup | Redirect | CallFlow
const OTHER_KINDS: readonly Kind[] = ['HuntGroup', 'Redirect', 'CallFlow']

interface Members {
  readonly subscribers: Subscriber[]
  readonly others: Other[]
}

const isOther = (resource: Resource): resource is Other => OTHER_KINDS.includes(resource.kind)

/** @param withSubscribers else others alone: of domains that are the same, subscribers are taken over */
function* membersByDomain(resources: readonly Resource[], withSubscribers: boolean): Sliced<Map<string, Members>> {
  const found = new Map<string, Members>()
  const of = (domain: string): Members => {
    const known = found.get(domain)
    if (known !== undefined) return known
    const made: Members = { subscribers: [], others: [] }
    found.set(domain, made)
    return made
  }
  yield* eachOf(resources, (resource) => {
    if (resource.kind === 'Subscriber') {
      if (withSubscribers) of(resource.metadata.domain).subscribers.push(resource)
    } else if (isOther(resource)) of(resource.metadata.domain).others.push(resource)
  })
  return found
}

function* addressTable(resources: readonly Resource[]): Sliced<AorTable> {
  const aors = new Map<string, string>()
  yield* eachOf(resources, (one) => {
    if (one.kind === 'Subscriber') aors.set(`Subscriber/${one.metadata.domain}/${one.metadata.name}`, aorOf(one))
  })
  return aors
}

const addressesBy = (find: LayOutChanges['find']): AorTable => ({
  get(key) {
    const found = find(key)
    return found?.kind === 'Subscriber' ? aorOf(found) : undefined
  },
})

/** The subscribers of a domain as they were, without those that changed or went. */
function* staying(before: DomainEntry, gone: readonly Subscriber[]): Sliced<UserTables> {
  const tables: UserTables = { users: new Map(), numbers: new Map() }
  yield* eachOf(before.users, ([name, user]) => {
    if (user.kind === 'Subscriber') tables.users.set(name, user)
  })
  yield* eachOf(before.numbers, ([number, user]) => {
    if (user.kind === 'Subscriber') tables.numbers.set(number, user)
  })
  yield* eachOf(gone, ({ metadata, spec }) => {
    for (const name of spec.usernames ?? [metadata.name]) {
      tables.users.delete(name)
      tables.numbers.delete(canonicalNumber(name))
    }
  })
  return tables
}

function addOther(resource: Other, domain: DomainSettings, tables: UserTables, aors: AorTable): void {
  if (resource.kind === 'HuntGroup') addHuntGroup(resource, domain, tables, aors)
  else if (resource.kind === 'CallFlow') addCallFlow(resource, domain, tables)
  else addRedirect(resource, domain, tables, aors)
}

function byDomain(subscribers: readonly Subscriber[]): Map<string, Subscriber[]> {
  const found = new Map<string, Subscriber[]>()
  for (const one of subscribers) {
    const known = found.get(one.metadata.domain)
    if (known === undefined) found.set(one.metadata.domain, [one])
    else known.push(one)
  }
  return found
}

const NOBODY: readonly Subscriber[] = []
const NO_PLANS: ReturnType<typeof plansByName> = new Map()

/** Every Domain of a revision, by its own name. */
export function* layOutHomes(
  resources: readonly Resource[],
  options: IndexOptions,
  before?: ReadonlyMap<string, DomainHome>,
  changes?: LayOutChanges,
): Sliced<Map<string, DomainHome>> {
  const isAnew = changes === undefined || changes.kinds.has('Domain') || changes.kinds.has('NumberPlan')
  const members = yield* membersByDomain(resources, isAnew)
  const aors = changes === undefined ? yield* addressTable(resources) : addressesBy(changes.find)
  const put = byDomain(changes?.put ?? NOBODY)
  const gone = byDomain(changes?.gone ?? NOBODY)
  const othersChanged = changes === undefined || OTHER_KINDS.some((kind) => changes.kinds.has(kind))
  const plans = isAnew ? plansByName(resources) : NO_PLANS
  const plansChanged = changes === undefined || changes.kinds.has('NumberPlan')
  const homes = new Map<string, DomainHome>()
  for (const resource of resources) {
    if (resource.kind !== 'Domain') continue
    const { name } = resource.metadata
    const { subscribers = NOBODY, others = [] } = members.get(name) ?? {}
    const known = before?.get(name)
    const isSame = known?.resource === resource && !(plansChanged && known.settings.numberPlanName !== '')
    const touched =
      put.has(name) || gone.has(name) || (othersChanged && (others.length > 0 || known?.hasOthers === true))
    if (isSame && !touched) {
      homes.set(name, known)
      continue
    }
    const settings = isSame ? known.settings : domainSettings(resource, options, plans)
    const tables: UserTables = isSame
      ? yield* staying(known.entry, gone.get(name) ?? NOBODY)
      : { users: new Map(), numbers: new Map() }
    const added = isSame ? (put.get(name) ?? NOBODY) : subscribers
    yield* eachOf(added, (one) => addSubscriber(one, settings, tables))
    yield* eachOf(others, (one) => addOther(one, settings, tables, aors))
    homes.set(name, { resource, settings, entry: { ...settings, ...tables }, hasOthers: others.length > 0 })
  }
  return homes
}
