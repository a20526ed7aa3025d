// SPDX-License-Identifier: MIT
//
// A user of a domain (subscriber, hunt group, redirect) laid out for decisions: its names, and its plan, built once.
import { milliOf } from './contact.ts'
import type { DomainSettings, Queue, UserTables } from './domain-entry.ts'
import type { CallFlow } from './flow/call-flow.ts'
import { huntGroupPlan, memberAor } from './flow/group-plan.ts'
import { callFlowPlan, forwardedPlan } from './flow/user-plans.ts'
import type { HuntGroup } from './hunt-group.ts'
import { canonicalNumber } from './phone-number.ts'
import { aorTarget, type PlanVerdict, stepOf, verdictOf } from './plan-verdict.ts'
import type { Redirect } from './redirect.ts'
import { resourceKey } from './resource.ts'
import { aorOf, type Subscriber } from './subscriber.ts'

export interface UserEntry {
  readonly key: string
  readonly kind: 'Subscriber' | 'HuntGroup' | 'Redirect' | 'CallFlow'
  readonly domain: DomainSettings
  /** `sip:user@domain` with the first username and the domain's own name. [RFC3261-10.3.5] */
  readonly aor: string
  /** '' for none. */
  readonly account: string
  readonly maxContacts: number
  /** The resource, where it is a subscriber. */
  readonly subscriber: Subscriber | undefined
  readonly plan: PlanVerdict
}

/** Where to find addresses-of-record, by the key of a Subscriber. */
export type AorTable = Pick<ReadonlyMap<string, string>, 'get'>

/** Puts in a user under its names, and under its numbers where they are any. */
export function putUser(tables: UserTables, usernames: readonly string[], entry: UserEntry): void {
  for (const username of usernames) {
    tables.users.set(username, entry)
    const number = canonicalNumber(username)
    if (number !== '') tables.numbers.set(number, entry)
  }
}

/** A user of a redirect domain is answered with where he is. [RFC3261-8.3] */
function subscriberPlan(key: string, aor: string, domain: DomainSettings): PlanVerdict {
  if (domain.redirects)
    return verdictOf({ kind: 'redirect', status: 302, aor }, key, `answers with the contacts of ${aor}`)
  const steps = Object.freeze([stepOf([aorTarget(aor, domain.trustsPhones)], domain.ringMs, domain.forking)])
  const text = `the user is a subscriber: rings the phones of ${aor}`
  return verdictOf({ kind: 'plan', steps, mode: domain.mode }, key, text)
}

export function addSubscriber(resource: Subscriber, domain: DomainSettings, tables: UserTables): void {
  const aor = aorOf(resource)
  const key = resourceKey(resource)
  const own = subscriberPlan(key, aor, domain)
  const { forwarding } = resource.spec
  const source = { key, domain: domain.name, aor, account: resource.spec.account ?? domain.forwardingAccount }
  putUser(tables, resource.spec.usernames ?? [resource.metadata.name], {
    key,
    kind: 'Subscriber',
    domain,
    aor,
    account: resource.spec.account ?? '',
    maxContacts: resource.spec.maxContacts ?? domain.maxContacts,
    subscriber: resource,
    plan: forwarding === undefined ? own : forwardedPlan(source, forwarding, domain, own),
  })
}

export function addHuntGroup(resource: HuntGroup, domain: DomainSettings, tables: UserTables, aors: AorTable): void {
  const { metadata, spec } = resource
  const user = spec.username ?? metadata.name
  const aor = `sip:${user}@${metadata.domain}`
  const key = resourceKey(resource)
  const aorOf = (name: string) => aors.get(`Subscriber/${metadata.domain}/${name}`)
  const source = { key, domain: metadata.domain, aor, account: spec.account ?? domain.forwardingAccount }
  const plan = huntGroupPlan({ source, spec, domain, aorOf })
  putUser(tables, [user], { ...nobodysEntry(key, domain, aor, plan), kind: 'HuntGroup' })
  const idle = spec.strategy === 'longest-idle'
  if (!spec.login && !idle) return
  const members = spec.members.flatMap((member) => memberAor(member, aorOf) ?? [])
  const queue: Queue = { key, user, login: spec.login, idle, members }
  tables.queues ??= new Map()
  for (const member of members) tables.queues.set(member, [...(tables.queues.get(member) ?? []), queue])
}

export function addCallFlow({ metadata, spec }: CallFlow, domain: DomainSettings, tables: UserTables): void {
  const user = spec.username ?? metadata.name
  const aor = `sip:${user}@${metadata.domain}`
  const key = `CallFlow/${metadata.domain}/${metadata.name}`
  const account = spec.account ?? domain.forwardingAccount
  const plan = callFlowPlan({ key, domain: metadata.domain, aor, account }, spec)
  putUser(tables, [user], { ...nobodysEntry(key, domain, aor, plan), kind: 'CallFlow' })
}

/** A user who can neither register nor call. */
function nobodysEntry(key: string, domain: DomainSettings, aor: string, plan: PlanVerdict) {
  return { key, domain, aor, account: '', maxContacts: domain.maxContacts, subscriber: undefined, plan }
}

/** `<sip:bob@192.0.2.4>;q=0.5`, highest q first; those of equal q in their order. [RFC3261-8.3] */
function contactValues(contacts: Redirect['spec']['contacts']): readonly string[] {
  const sorted = [...contacts].sort((a, b) => (b.q ?? 1) - (a.q ?? 1))
  return Object.freeze(sorted.map(({ uri, q }) => (q === undefined ? `<${uri}>` : `<${uri}>;q=${milliOf(q) / 1000}`)))
}

export function addRedirect(resource: Redirect, domain: DomainSettings, tables: UserTables, aors: AorTable): void {
  const { metadata, spec } = resource
  const user = spec.username ?? metadata.name
  const key = resourceKey(resource)
  const contacts = contactValues(spec.contacts)
  const aor = aors.get(`Subscriber/${metadata.domain}/${spec.subscriber}`) ?? ''
  const plan = verdictOf({ kind: 'redirect', status: spec.status, contacts, aor }, key, 'redirects its callers')
  putUser(tables, [user], { ...nobodysEntry(key, domain, `sip:${user}@${metadata.domain}`, plan), kind: 'Redirect' })
}
