// SPDX-License-Identifier: MIT
//
// Destination → plan: users of ours, numbers, trunks, addresses, redirections and refusals; and number → plan, for either leads to the other. What stands in a resource was meant by an
// operator: it may lead out of the cluster, whoever calls.
import type { Destination } from '../destination.ts'
import type { DomainEntry } from '../domain-entry.ts'
import type { NamedResource } from '../fraud-references.ts'
import {
  PLAIN_MODE,
  type PlanReason,
  type PlanVerdict,
  planOfCall,
  reasonOf,
  refusalOfCall,
  stepOf,
  uriTarget,
  verdictOf,
} from '../plan-verdict.ts'
import { findNumber, type ResourceIndex } from '../resource-index.ts'
import { NO_EDITS } from '../routing/header-edits.ts'
import { findNumberEntry, routeNumber } from '../routing/route-number.ts'
import type { OutCall, Refused, Routed } from '../routing/routed.ts'
import { groupSteps, trunkSteps } from '../routing/trunk-steps.ts'
import type { UserEntry } from '../user-entry.ts'
import { MAX_DESTINATIONS, type PlanAt, planned } from './plan-at.ts'

/** Users of a domain by the key of their resource, found when somebody first asks: for names that are no user parts. */
const byKey = new WeakMap<DomainEntry, ReadonlyMap<string, UserEntry>>()

function keysOf(domain: DomainEntry): ReadonlyMap<string, UserEntry> {
  const known = byKey.get(domain)
  if (known !== undefined) return known
  const made = new Map<string, UserEntry>()
  for (const user of domain.users.values()) made.set(user.key, user)
  byKey.set(domain, made)
  return made
}

const splitName = (name: string, domain: string): readonly [own: string, domain: string] => {
  const at = name.indexOf('@')
  return at < 0 ? [name, domain] : [name.slice(0, at), name.slice(at + 1)]
}

/** The user that a resource of a domain is. @param name `NAME`, or `NAME@DOMAIN` of another domain */
export function findByName(index: ResourceIndex, kind: string, name: string, domain: string): UserEntry | undefined {
  const [own, host] = splitName(name, domain)
  const entry = index.homes.get(host)?.entry
  if (entry === undefined) return undefined
  const key = `${kind}/${host}/${own}`
  const direct = entry.users.get(own)
  return direct?.key === key ? direct : keysOf(entry).get(key)
}

const USERS = [
  ['subscriber', 'Subscriber'],
  ['huntGroup', 'HuntGroup'],
  ['callFlow', 'CallFlow'],
] as const

/** What a destination names. @param path of the destination in its resource */
export function* destinationReferences(to: Destination, domain: string, path: string): Generator<NamedResource> {
  for (const [field, kind] of USERS) {
    const name = to[field]
    if (name === undefined) continue
    const [own, host] = splitName(name, domain)
    yield { key: `${kind}/${host}/${own}`, path: `${path}.${field}` }
  }
  if (to.trunkGroup !== undefined) yield { key: `TrunkGroup/${to.trunkGroup.name}`, path: `${path}.trunkGroup` }
  if (to.trunk !== undefined) yield { key: `Trunk/${to.trunk.name}`, path: `${path}.trunk` }
}

/** Of what routing says. @param before reasons that led there */
export function verdictFrom(
  { steps, reasons, refused }: Routed,
  number: string,
  before: readonly PlanReason[] = [],
): PlanVerdict {
  const all = before.length === 0 ? reasons : [...before, ...reasons]
  const verdict = refused === undefined ? planOfCall(steps, PLAIN_MODE, all) : refusalOfCall(refused, all)
  return { ...verdict, number }
}

function below(verdict: PlanVerdict, before: readonly PlanReason[], { facts }: PlanAt): PlanVerdict {
  if (facts.silent === true) return verdict
  const deeper = verdict.reasons.map((one) => ({ ...one, depth: (one.depth ?? 0) + 1 }))
  return { ...verdict, reasons: [...before, ...deeper] }
}

const GONE: Refused = Object.freeze({ status: 404, code: 'unknown_number', reason: '' })
const LOOP: Refused = Object.freeze({ status: 482, code: 'destination_loop', reason: '' })

const sellOf = ({ index, call }: PlanAt, payer: string, number: string): OutCall['sellPerMinute'] => {
  const ratePlan = index.accounts.get(payer)?.ratePlan
  const found = ratePlan?.find(number, call.nowMs)
  return ratePlan && found && { perMinute: found.rate.perMinute, currency: ratePlan.currency }
}

/** The call as it leaves at the cost of somebody else than the caller. */
export function paidBy(at: PlanAt, payer: string): OutCall {
  const { call } = at
  return { ...call, payer, sellPerMinute: sellOf(at, payer, call.number) }
}

/** The same call to another number. */
function toNumber(at: PlanAt, number: string): OutCall {
  const { call } = at
  const next = { ...call, number, dialled: number }
  return call.payer === undefined ? next : { ...next, sellPerMinute: sellOf(at, call.payer, number) }
}

function byWay(at: PlanAt, { trunkGroup, trunk }: Destination, reasons: readonly PlanReason[]) {
  const { index, facts } = at
  const way = trunkGroup ?? trunk
  if (way === undefined) return refusalOfCall(GONE, reasons)
  const call = way.number === undefined ? at.call : toNumber(at, way.number)
  const options = { call, facts, edits: NO_EDITS, depth: 1 }
  const group = trunkGroup && index.routing.groups.get(way.name)
  const one = trunk && index.routing.trunks.get(way.name)
  const routed = group === undefined ? one && trunkSteps(one, options) : groupSteps(group, options)
  return routed === undefined ? refusalOfCall(GONE, reasons) : verdictFrom(routed, call.number, reasons)
}

/**
 * The plan of a call to a telephone number: a user of ours who has it, a Number, else a Route to the outside. What is ours never leaves
 * the cluster.
 *
 * @param domain whose users are looked at first: the caller's, or the one that was called
 */
export function planToNumber(at: PlanAt, domain: DomainEntry | undefined): PlanVerdict {
  const { index, call, facts } = at
  const user = (domain && findNumber(domain, call.number)) ?? index.numbers.get(call.number)
  if (user !== undefined) return planned(user.plan, at)
  const entry = findNumberEntry(index, call.number, call.caller.trunk)
  if (entry === undefined) return verdictFrom(routeNumber(index, call, facts), call.number)
  const { key, domain: owner, to } = entry
  const text = facts.silent === true ? '' : `${call.number} is a number of ours`
  return resolveDestination(at, to, { key, domain: owner, text })
}

/** A number in a resource is called by its domain, whoever calls the resource. */
function byNumber(at: PlanAt, number: string, domain: string, reasons: readonly PlanReason[]): PlanVerdict {
  const { index } = at
  const call = toNumber(at, number)
  const caller = { ...call.caller, aor: call.caller.aor || `sip:${domain}`, domain, trunk: '' }
  const next: PlanAt = { ...at, call: { ...call, caller }, depth: at.depth + 1 }
  return below(planToNumber(next, index.homes.get(domain)?.entry), reasons, at)
}

/** @param key of the resource in which it stands; `domain` of names without one; `text` why it is asked */
export function resolveDestination(
  at: PlanAt,
  to: Destination,
  { key, domain, text }: { readonly key: string; readonly domain: string; readonly text: string },
): PlanVerdict {
  const reasons = reasonOf(at.facts, key, text)
  if (at.depth >= MAX_DESTINATIONS) return refusalOfCall(LOOP, reasons)
  for (const [field, kind] of USERS) {
    const name = to[field]
    if (name === undefined) continue
    const user = findByName(at.index, kind, name, domain)
    if (user === undefined) return refusalOfCall(GONE, reasons)
    const { plan } = user
    return below(plan.later === undefined ? plan : plan.later({ ...at, depth: at.depth + 1 }), reasons, at)
  }
  if (to.reject !== undefined) return refusalOfCall({ ...to.reject, code: 'destination_refused' }, reasons)
  if (to.redirect !== undefined) {
    const contacts = to.redirect.contacts.map(({ uri, q }) => (q === undefined ? `<${uri}>` : `<${uri}>;q=${q}`))
    return { ...verdictOf({ kind: 'redirect', status: to.redirect.status, contacts }, '', ''), reasons }
  }
  if (to.uri !== undefined) {
    const steps = [stepOf([uriTarget(to.uri, false)], 0, 'parallel')]
    return planOfCall(steps, PLAIN_MODE, reasons)
  }
  if (to.number !== undefined) return byNumber(at, to.number, domain, reasons)
  return byWay(at, to, reasons)
}
