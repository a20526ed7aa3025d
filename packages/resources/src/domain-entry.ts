// SPDX-License-Identifier: MIT
//
// A Domain laid out for decisions: the cluster's settings filled in where the resource leaves them open, lists compiled.
import { type AddressList, addressList } from './addresses.ts'
import type { Bearer } from './bearer.ts'
import type { DigestAlgorithm, Domain, FeatureCodes } from './domain.ts'
import { isWildcard } from './hosts.ts'
import type { NumberPlan } from './phone-number.ts'
import type { Forking, PlanMode } from './plan-verdict.ts'
import { createRelayRules, type RelayRules } from './relay-rules.ts'
import { type StrangerRules, strangerRules } from './strangers.ts'
import type { UserEntry } from './user-entry.ts'

/** Settings of the cluster that complete what domains leave open. */
export interface IndexOptions {
  /** Addresses that count as aliases of the domain with `alsoBindAddress`; without port. */
  readonly localHosts: readonly string[]
  /** `off` takes the credentials away from every domain. */
  readonly authentication: 'digest' | 'off'
  readonly accounting: boolean
  /** 0 where absent. */
  readonly maxDurationMs?: number
  readonly registration: {
    readonly minExpiresMs: number
    readonly maxExpiresMs: number
    readonly defaultExpiresMs: number
    readonly maxContacts: number
  }
}

/** All but who is in it: the same object in every revision in which the Domain is the same. */
export interface DomainSettings {
  readonly name: string
  readonly realm: string
  readonly authenticated: boolean
  readonly identity: 'reject' | 'assert' | 'off'
  /** undefined: the configuration's order. */
  readonly challenge: readonly DigestAlgorithm[] | undefined
  readonly legacyDigest: boolean
  readonly accounting: boolean
  /** Of calls that leave records; 0 for no limit. */
  readonly maxDurationS: number
  /** Its users may hide their name. */
  readonly anonymous: boolean
  /** What callers that nobody knows may do; undefined: nothing. */
  readonly strangers: StrangerRules | undefined
  /** What a challenge offers, in this order. */
  readonly schemes: readonly ('digest' | 'bearer')[]
  /** Where `schemes` has it. */
  readonly bearer: Bearer | undefined
  /** Certificates with a user's address prove the user. */
  readonly clientCertificates: boolean
  readonly minExpiresS: number
  readonly maxExpiresS: number
  readonly defaultExpiresS: number
  readonly maxContacts: number
  readonly replaceOldest: boolean
  readonly serviceRoute: boolean
  /** Its users are answered with where they are. */
  readonly redirects: boolean
  readonly forking: Forking
  /** 0: the proxy's Timer C. */
  readonly ringMs: number
  readonly mode: PlanMode
  /** undefined: nothing is relayed for its users. */
  readonly relay: RelayRules | undefined
  /** Sources that are believed; undefined for none. */
  readonly sources: AddressList | undefined
  /** Its phones are within the trust domain. */
  readonly trustsPhones: boolean
  /** What its users dial to log in to hunt groups and out; undefined: nothing. */
  readonly featureCodes: FeatureCodes | undefined
  /** Contexts in which its local numbers are valid: its names and `phoneContexts`. */
  readonly contexts: ReadonlySet<string>
  /** How its users dial; undefined: numbers are taken as they are. */
  readonly numberPlan: NumberPlan | undefined
  /** Account that pays for what its users send out by a trunk, where they have none of their own; '' for none. */
  readonly forwardingAccount: string
  /** Name of its NumberPlan; '' where it has none, or one of its own. */
  readonly numberPlanName: string
}

/** A domain of one revision. */
export interface DomainEntry extends DomainSettings {
  /** By user part, escapes undone. */
  readonly users: ReadonlyMap<string, UserEntry>
  /** The users whose names are telephone numbers, by canonical number. */
  readonly numbers: ReadonlyMap<string, UserEntry>
  /** Hunt groups of its members, by address-of-record of the member. */
  readonly queues?: ReadonlyMap<string, readonly Queue[]>
}

/** A hunt group of whose members more is known than their names. */
export interface Queue {
  /** Of the HuntGroup. */
  readonly key: string
  /** User part that reaches it. */
  readonly user: string
  /** Members log in and out. */
  readonly login: boolean
  /** The end of each call of a member is noted. */
  readonly idle: boolean
  /** Addresses-of-record of those who are Subscribers of the domain, as written. */
  readonly members: readonly string[]
}

/** Where the users of a domain are put in, while the index is built. */
export interface UserTables {
  readonly users: Map<string, UserEntry>
  readonly numbers: Map<string, UserEntry>
  /** Absent: there is none. */
  queues?: Map<string, Queue[]>
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
    replaceOldest: registration.atMaxContacts === 'replaceOldest',
    serviceRoute: registration.serviceRoute,
  }
}

function routingOf({ spec }: Domain) {
  return {
    redirects: spec.routing === 'redirect',
    forking: spec.forking,
    ringMs: spec.ringMs ?? 0,
    mode: Object.freeze({ stateless: spec.forwarding === 'stateless', maxRecursions: recursionsOf(spec) }),
    relay: createRelayRules(spec.relay, recursionsOf(spec)),
  }
}

const recursionsOf = ({ redirects, maxRecursions }: Domain['spec']): number =>
  redirects === 'recurse' ? maxRecursions : 0

function schemesOf({ spec }: Domain): Pick<DomainEntry, 'schemes' | 'bearer'> {
  const { bearer } = spec
  const schemes = spec.schemes ?? (bearer === undefined ? ['digest'] : ['digest', 'bearer'])
  return { schemes, bearer: schemes.includes('bearer') ? bearer : undefined }
}

function contextsOf({ metadata, spec }: Domain): ReadonlySet<string> {
  return new Set([metadata.name, ...spec.aliases.filter((alias) => !isWildcard(alias)), ...spec.phoneContexts])
}

/** NumberPlans by name. */
export type NumberPlans = ReadonlyMap<string, NumberPlan>

function numberPlanOf({ spec: { numberPlan } }: Domain, plans: NumberPlans) {
  return typeof numberPlan === 'string'
    ? { numberPlan: plans.get(numberPlan), numberPlanName: numberPlan }
    : { numberPlan, numberPlanName: '' }
}

export function domainSettings(domain: Domain, options: IndexOptions, plans: NumberPlans = new Map()): DomainSettings {
  const { metadata, spec } = domain
  return {
    name: metadata.name,
    realm: spec.realm ?? metadata.name,
    authenticated: spec.authentication === 'required' && options.authentication === 'digest',
    identity: spec.identity,
    challenge: spec.challenge,
    legacyDigest: spec.legacyDigest,
    accounting: spec.accounting && options.accounting,
    maxDurationS: Math.ceil((spec.maxDurationMs ?? options.maxDurationMs ?? 0) / 1000),
    anonymous: typeof spec.anonymous === 'string' ? spec.anonymous === 'allow' : spec.anonymous.ownUsersMayHide,
    strangers: strangerRules(spec.anonymous),
    ...schemesOf(domain),
    clientCertificates: spec.clientCertificates === 'accept',
    ...registrationBounds(domain, options),
    ...routingOf(domain),
    sources: addressList(spec.trust.sources),
    trustsPhones: spec.trust.phones,
    contexts: contextsOf(domain),
    featureCodes: spec.featureCodes,
    forwardingAccount: spec.forwardingAccount ?? '',
    ...numberPlanOf(domain, plans),
  }
}
