// SPDX-License-Identifier: MIT
//
// What no single document can show: names that are taken twice, names that lead nowhere, and settings that contradict one
// another. Each host name belongs to one domain, each user part of a domain to one subscriber, hunt group or redirect; two
// forms of one telephone number are one user part.
import { isIP } from 'node:net'
import { SOURCE_TRANSPORTS, type SourceRange } from './addresses.ts'
import { contactHost, contactUser } from './contact.ts'
import type { ProblemCode, ResourceProblem } from './errors.ts'
import { callFlowReferences } from './flow/call-flow.ts'
import { FlowGraph } from './flow/cycles.ts'
import { forwardingReferences } from './flow/forwarding.ts'
import { fraudReferences, type NamedResource } from './fraud-references.ts'
import { isWildcard, longestSuffix } from './hosts.ts'
import { huntGroupReferences } from './hunt-group.ts'
import { atOnce, eachOf, type Sliced } from './lay-out/slices.ts'
import { suggestion } from './nearest.ts'
import type { LocatedResource } from './parse-yaml.ts'
import { canonicalNumber } from './phone-number.ts'
import { relayObjection } from './relay-rules.ts'
import { type Resource, resourceKey } from './resource.ts'
import { PatternClaims, patternClaim, routingReferences } from './routing/routing-references.ts'
import { statelessObjections } from './stateless-rules.ts'
import type { Trunk } from './trunk.ts'

type Claims = Map<string, string>

/** Dangling names that a likely one is looked for: each look goes through all there are. */
const MAX_SUGGESTIONS = 20

/** Resources that hold together already and are not looked at again: only what they have taken counts. */
export interface Standing {
  has(key: string): boolean
  /** Key of who has a user part of a domain. @param name canonical where it is a number */
  userOf(name: string, domain: string): string | undefined
  /** Key of who has a digest username in a realm. */
  loginOf(username: string, realm: string): string | undefined
}

const NOTHING_STANDS: Standing = { has: () => false, userOf: () => undefined, loginOf: () => undefined }

class References {
  readonly #standing: Standing

  constructor(standing: Standing) {
    this.#standing = standing
  }

  readonly problems: ResourceProblem[] = []
  readonly keys: Claims = new Map()
  readonly hosts: Claims = new Map()
  readonly users: Claims = new Map()
  /** Realm of each domain, by name. */
  readonly realms: Claims = new Map()
  readonly logins: Claims = new Map()
  readonly contexts: Claims = new Map()
  /** By suffix with its dot: `.example.test` for `*.example.test`. */
  readonly wildcards: Claims = new Map()
  /** Currency of each rate plan, by name. */
  readonly currencies: Claims = new Map()
  /** Explicit sources of trunks, each with a transport. */
  readonly sources: Claims = new Map()
  /** Digest usernames by which trunks are known. */
  readonly trunkLogins: Claims = new Map()
  readonly patterns = new PatternClaims()
  /** Names of domains that forward without state. */
  readonly stateless = new Set<string>()

  report({ origin }: LocatedResource, code: ProblemCode, path: string, expected: string): void {
    this.problems.push({ ...origin, code, path, expected })
  }

  userAt(name: string, domain: string): string | undefined {
    return this.users.get(`${name}@${domain}`) ?? this.#standing.userOf(name, domain)
  }

  loginAt(username: string, realm: string): string | undefined {
    return this.logins.get(`${username} in ${realm}`) ?? this.#standing.loginOf(username, realm)
  }

  /** @param holder who has it already */
  claim(claims: Claims, name: string, located: LocatedResource, path: string, holder = claims.get(name)): void {
    const key = resourceKey(located.resource)
    if (holder === undefined) claims.set(name, key)
    else this.report(located, 'duplicate', path, `expected a name of its own; ${holder} has this one`)
  }

  require(key: string, located: LocatedResource, path: string): void {
    if (this.keys.has(key) || this.#standing.has(key)) return
    const meant = this.problems.length < MAX_SUGGESTIONS ? suggestion(key, this.keysLike(key)) : ''
    this.report(located, 'dangling', path, `expected an existing resource; there is no ${key}${meant}`)
  }

  /** Of the same kind. */
  private *keysLike(key: string): Generator<string> {
    const prefix = key.slice(0, key.indexOf('/') + 1)
    for (const known of this.keys.keys()) if (known.startsWith(prefix)) yield known
  }
}

function claimHosts(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Domain') return
  const { metadata, spec } = resource
  refs.claim(refs.hosts, metadata.name, located, 'metadata.name')
  for (const [i, alias] of spec.aliases.entries()) {
    refs.claim(refs.hosts, alias, located, `spec.aliases[${i}]`)
    if (isWildcard(alias)) refs.wildcards.set(alias.slice(1), resourceKey(resource))
  }
  for (const [i, context] of spec.phoneContexts.entries()) {
    refs.claim(refs.contexts, context, located, `spec.phoneContexts[${i}]`)
  }
  if (spec.alsoBindAddress) refs.claim(refs.hosts, 'bind address', located, 'spec.alsoBindAddress')
  if (spec.forwarding === 'stateless') refs.stateless.add(metadata.name)
}

/** The user parts that reach a resource, and the key that names them. */
function usernamesOf(resource: Resource): { readonly users: readonly string[]; readonly path: string } {
  const { kind, metadata, spec } = resource
  if (kind === 'Subscriber') return { users: spec.usernames ?? [metadata.name], path: 'spec.usernames' }
  if (kind === 'HuntGroup' || kind === 'Redirect' || kind === 'CallFlow') {
    return { users: [spec.username ?? metadata.name], path: 'spec.username' }
  }
  return { users: [], path: '' }
}

function claimUsers(refs: References, located: LocatedResource): void {
  const { metadata } = located.resource
  const { users, path } = usernamesOf(located.resource)
  const domain = 'domain' in metadata ? metadata.domain : ''
  // [RFC3966-4] 1000 and 10-00 are one number: whoever dials either must reach the same.
  const names = new Set(users.map((user) => canonicalNumber(user) || user))
  for (const name of names) refs.claim(refs.users, `${name}@${domain}`, located, path, refs.userAt(name, domain))
}

function claimNames(refs: References, located: LocatedResource): void {
  refs.claim(refs.keys, resourceKey(located.resource), located, 'metadata.name')
  claimHosts(refs, located)
  claimUsers(refs, located)
}

/** A contact in a domain of this cluster would come back to where it was looked up. */
function checkContacts(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Subscriber') return
  for (const [i, { uri, path = [] }] of (resource.spec.contacts ?? []).entries()) {
    const host = contactHost(path[0] ?? uri)
    const domain = refs.hosts.get(host) ?? longestSuffix(refs.wildcards, host)
    if (domain === undefined) continue
    const expected = `expected an address outside of this cluster; ${host} is a name of ${domain}`
    refs.report(located, 'invalid', `spec.contacts[${i}]`, expected)
  }
}

/** [RFC3261-8.3b] Sent to where he called, a caller would call there for ever. */
function checkRedirect(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Redirect') return
  const { metadata, spec } = resource
  for (const [i, { uri }] of spec.contacts.entries()) {
    const sameHost = refs.hosts.get(contactHost(uri)) === `Domain/${metadata.domain}`
    if (!sameHost || contactUser(uri) !== (spec.username ?? metadata.name)) continue
    refs.report(
      located,
      'invalid',
      `spec.contacts[${i}].uri`,
      'expected another address than the one that is redirected',
    )
  }
}

function checkTargets(refs: References, located: LocatedResource): void {
  const { resource } = located
  for (const { key, path } of flowReferences(resource)) refs.require(key, located, path)
  if (resource.kind === 'Domain' && resource.spec.forwardingAccount !== undefined) {
    refs.require(`Account/${resource.spec.forwardingAccount}`, located, 'spec.forwardingAccount')
  }
  if (!('domain' in resource.metadata)) return
  const { domain } = resource.metadata
  refs.require(`Domain/${domain}`, located, 'metadata.domain')
  const isPayer = resource.kind === 'Subscriber' || resource.kind === 'HuntGroup' || resource.kind === 'CallFlow'
  if (isPayer && resource.spec.account !== undefined) {
    refs.require(`Account/${resource.spec.account}`, located, 'spec.account')
  }
  if (resource.kind === 'Redirect' && resource.spec.subscriber !== undefined) {
    refs.require(`Subscriber/${domain}/${resource.spec.subscriber}`, located, 'spec.subscriber')
  }
}

/** What flows of calls name. */
function* flowReferences(resource: Resource): Generator<NamedResource> {
  if (resource.kind === 'HuntGroup') yield* huntGroupReferences(resource)
  else if (resource.kind === 'CallFlow') yield* callFlowReferences(resource)
  else if (resource.kind === 'Subscriber' && resource.spec.forwarding !== undefined) {
    yield* forwardingReferences(resource.spec.forwarding, resource.metadata.domain)
  } else if (resource.kind === 'Schedule') {
    for (const [i, name] of resource.spec.calendars.entries()) {
      yield { key: `HolidayCalendar/${name}`, path: `spec.calendars[${i}]` }
    }
  }
}

/** Calls that would go round for ever. */
function* checkingCycles(refs: References, located: readonly LocatedResource[]): Sliced<void> {
  const graph = new FlowGraph((number, domain) => refs.userAt(number, domain))
  yield* eachOf(located, ({ resource }) => graph.noteNumber(resource))
  yield* eachOf(located, (one) => graph.add(one))
  for (const { located: one, path, cycle } of graph.cycles()) {
    refs.report(one, 'contradiction', path, `expected a way that ends; this one goes round: ${cycle.join(' → ')}`)
  }
}

/** An account pays in the currency in which its calls are rated. */
function checkAccount(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Account' || resource.spec.ratePlan === undefined) return
  const { ratePlan, currency } = resource.spec
  refs.require(`RatePlan/${ratePlan}`, located, 'spec.ratePlan')
  const rated = refs.currencies.get(ratePlan)
  if (currency === undefined || rated === undefined || currency === rated) return
  refs.report(located, 'contradiction', 'spec.currency', `expected ${rated}, the currency of RatePlan/${ratePlan}`)
}

function checkPeak(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'RatePlan' || resource.spec.peakSchedule === undefined) return
  refs.require(`Schedule/${resource.spec.peakSchedule}`, located, 'spec.peakSchedule')
}

function checkFraudRule(refs: References, located: LocatedResource): void {
  if (located.resource.kind !== 'FraudRule') return
  for (const { key, path } of fraudReferences(located.resource)) refs.require(key, located, path)
}

/** A number has one owner, and a call one route. */
function claimNumbers(refs: References, located: LocatedResource): void {
  const claim = patternClaim(located.resource)
  if (claim === undefined) return
  const { pattern, path } = claim
  const holder = refs.patterns.claim(claim, resourceKey(located.resource))
  if (holder !== undefined) {
    const expected = `expected numbers of its own; ${holder} has ${pattern.text} too, or a pattern that says as much of them`
    refs.report(located, 'duplicate', path, expected)
  }
  if (located.resource.kind !== 'Number' || pattern.literal === undefined || pattern.open) return
  const user = refs.userAt(pattern.literal, located.resource.spec.domain)
  if (user !== undefined) refs.report(located, 'duplicate', path, `expected a number that no user has; ${user} has it`)
}

/** A host of ours would send the call back to where it came from. */
function checkTrunk(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Trunk') return
  const { hosts, numbersOut, numbersIn, numberPlan, inboundCredentials } = resource.spec
  for (const [i, { host }] of hosts.entries()) {
    const domain = refs.hosts.get(host) ?? longestSuffix(refs.wildcards, host)
    if (domain === undefined) continue
    const expected = `expected a host outside of this cluster; ${host} is a name of ${domain}`
    refs.report(located, 'invalid', `spec.hosts[${i}].host`, expected)
  }
  if (numberPlan === undefined && (numbersOut.form === 'national' || numbersIn.form === 'national')) {
    refs.report(
      located,
      'contradiction',
      'spec.numberPlan',
      'expected a NumberPlan: national numbers are written by one',
    )
  }
  if (inboundCredentials === undefined) return
  const path = 'spec.inboundCredentials.username'
  refs.claim(refs.trunkLogins, inboundCredentials.username, located, path)
}

/** Each realm asks for trunks' credentials too: no subscriber of any may have such a username. */
function checkTrunkLogin(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Domain' || refs.trunkLogins.size === 0) return
  const { name } = resource.metadata
  const realm = refs.realms.get(name) ?? name
  for (const [username, trunk] of refs.trunkLogins) {
    const holder = refs.loginAt(username, realm)
    if (holder === undefined) continue
    const expected = `expected other usernames than those of trunks; ${holder} and ${trunk} both have ${username}`
    refs.report(located, 'duplicate', 'metadata.name', expected)
  }
}

function checkRouting(refs: References, located: LocatedResource): void {
  for (const { key, path } of routingReferences(located.resource)) refs.require(key, located, path)
}

/** Schemes that are offered must be there, and what is there must be offered. */
function checkSchemes(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Domain' || resource.spec.schemes === undefined) return
  const { schemes, bearer } = resource.spec
  if (schemes.includes('bearer') === (bearer !== undefined)) return
  const expected =
    bearer === undefined ? 'expected bearer to be set for the scheme bearer' : 'expected bearer among them'
  refs.report(located, 'contradiction', 'spec.schemes', expected)
}

/** A range of one trunk is not another one's: nobody could tell whose call it is. */
function claimSources(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Trunk') return
  for (const [i, source] of resource.spec.sources.entries()) claimSource(refs, located, source, `spec.sources[${i}]`)
  if (!isKnownByAddress(resource)) return
  for (const [i, { host, transport }] of resource.spec.hosts.entries()) {
    const range = host.replace(/^\[|\]$/g, '')
    if (transport === 'tls' || isIP(range) === 0) continue
    claimSource(refs, located, { range, transports: [] }, `spec.hosts[${i}].host`)
  }
}

function claimSource(refs: References, located: LocatedResource, { range, transports }: SourceRange, path: string) {
  for (const transport of new Set(transports.length === 0 ? SOURCE_TRANSPORTS : transports)) {
    const name = `${range} ${transport}`
    const holder = refs.sources.get(name)
    if (holder === resourceKey(located.resource)) return
    refs.claim(refs.sources, name, located, path)
    if (holder !== undefined) return
  }
}

/** Its calls are let in for their address alone. Several trunks to one host are told apart by a login, or by the contact that is called. */
function isKnownByAddress({ spec }: Trunk): boolean {
  const { inbound, trusted, inboundCredentials, registration } = spec
  return (inbound ?? (trusted ? 'allow' : 'refuse')) === 'allow' && (inboundCredentials ?? registration) === undefined
}

function checkContradictions(refs: References, located: LocatedResource): void {
  const { resource } = located
  const relay = resource.kind === 'Domain' ? relayObjection(resource.spec) : undefined
  if (relay !== undefined) refs.report(located, 'contradiction', 'spec.relay.allow', relay)
  const domain = 'domain' in resource.metadata ? resource.metadata.domain : ''
  for (const { path, expected } of statelessObjections(resource, refs.stateless.has(domain))) {
    refs.report(located, 'contradiction', path, expected)
  }
}

/** Domains may share a realm; within it each digest username is one subscriber's. */
function claimLogin(refs: References, located: LocatedResource): void {
  const { resource } = located
  if (resource.kind !== 'Subscriber' || resource.spec.credentials === undefined) return
  const { metadata, spec } = resource
  const username = spec.credentials?.username ?? spec.usernames?.[0] ?? metadata.name
  const realm = refs.realms.get(metadata.domain) ?? metadata.domain
  const path = 'spec.credentials.username'
  refs.claim(refs.logins, `${username} in ${realm}`, located, path, refs.loginAt(username, realm))
}

function noteNames(refs: References, { resource }: LocatedResource): void {
  if (resource.kind === 'RatePlan') refs.currencies.set(resource.metadata.name, resource.spec.currency)
  if (resource.kind === 'Domain' && resource.spec.realm !== undefined) {
    refs.realms.set(resource.metadata.name, resource.spec.realm)
  }
}

/**
 * Problems between resources, found in slices; empty when the set holds together.
 *
 * @param standing others of the set, who need nothing that could have changed; a name is likely meant among `located` alone
 */
export function* checkingReferences(
  located: readonly LocatedResource[],
  standing = NOTHING_STANDS,
): Sliced<readonly ResourceProblem[]> {
  const refs = new References(standing)
  yield* eachOf(located, (one) => claimNames(refs, one))
  yield* eachOf(located, (one) => noteNames(refs, one))
  yield* eachOf(located, (one) => {
    claimLogin(refs, one)
    checkTrunk(refs, one)
  })
  yield* eachOf(located, (one) => {
    checkTargets(refs, one)
    checkAccount(refs, one)
    checkPeak(refs, one)
    checkFraudRule(refs, one)
    checkContacts(refs, one)
    checkRedirect(refs, one)
    checkContradictions(refs, one)
    checkSchemes(refs, one)
    claimSources(refs, one)
    claimNumbers(refs, one)
    checkRouting(refs, one)
    checkTrunkLogin(refs, one)
  })
  yield* checkingCycles(refs, located)
  return refs.problems
}

/** The same at once. */
export const checkReferences = (located: readonly LocatedResource[]): readonly ResourceProblem[] =>
  atOnce(checkingReferences(located))
