// SPDX-License-Identifier: MIT
//
// Digest credentials against a domain: RFC 3261 section 22, RFC 7616 and RFC 8760, qop=auth. auth-int and the -sess
// algorithms are not offered and not accepted; other schemes than Digest are passed over [RFC3261-22b].
// DEVIATION[RFC3261-22.4a]: without qop (RFC 2069) only where the domain says so, for such a digest can be replayed.
// An unknown user and a wrong password do the same work and end the same way: another challenge.
// A password is judged over a fresh nonce only, given to who sends it: whoever guesses over another one is told `stale`, right or wrong,
// which RFC 7616 section 3.3 allows. So there is no answer to a guess that is not counted, and no guess in another's name.
// A trunk with a login is proven by it in the same way, in every realm.
// The nonce count is not judged here: its place is the store, see use-nonce.ts.
import {
  type DigestAlgorithm,
  type DomainSettings,
  findDomain,
  parsePhoneNumber,
  type ResourceIndex,
  type TrunkEntry,
} from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { digestResponse, parseAuth, sameDigest, watchedAorOf } from '@tandem/sip'
import type { Proven } from '../decide/proven.ts'
import { splitUri, type UriParts } from '../decide/uri-parts.ts'
import { type CredentialTable, ha1Of, hasHa1 } from './credentials.ts'
import type { NonceMaker } from './nonce.ts'

/** The nonce of credentials that are right, to be checked against those that were used before. */
export interface NonceToUse {
  readonly nonceId: string
  /** 0: no count to check. */
  readonly nonceCount: number
  readonly isOneTime: boolean
}

export interface DigestProof extends Proven, NonceToUse {
  /** As the credentials name him. */
  readonly username: string
}

export interface TrunkProof extends NonceToUse {
  readonly outcome: 'trunk'
  readonly trunk: TrunkEntry
  readonly username: string
  readonly used: policy.Credentials
}

export type Authentication =
  | DigestProof
  | TrunkProof
  | {
      /** `guessed`: a wrong password, or nobody's. `wrong`: credentials that can't be judged. */
      readonly outcome: 'guessed' | 'barred'
      readonly username: string
      /** Of the digest: another guess has another one. */
      readonly response: string
    }
  | { readonly outcome: 'missing' | 'wrong' | 'forged' | 'stale' | 'otherUri' }

export interface AuthenticationContext {
  readonly index: ResourceIndex
  readonly credentials: CredentialTable
  readonly nonces: NonceMaker
  readonly maxCredentials: number
  /** Key of the source that the request came from; '' where nonces are good for all. */
  readonly source: string
  /** Whether credentials in this name are not to be looked at now. Absent: nobody is banned. */
  readonly isBarred?: ((username: string) => boolean) | undefined
}

/** What is compared of one set of credentials, after the shape was checked. */
interface DigestClaim {
  readonly value: string
  readonly username: string
  readonly algorithm: DigestAlgorithm
  readonly nonce: string
  readonly uri: string
  readonly response: string
  /** '' without qop. */
  readonly nc: string
  readonly cnonce: string
}

const HEX = /^[0-9a-f]+$/i
const COUNT = /^[0-9a-f]{8}$/i

/** Absent is MD5. [RFC7616-3.4] */
function algorithmOf(text: string | undefined): DigestAlgorithm | undefined {
  const name = (text ?? 'MD5').toUpperCase()
  return name === 'MD5' || name === 'SHA-256' ? name : undefined
}

/** qop=auth with its count and cnonce, or neither where the domain allows that. [RFC3261-22.4a] [RFC3261-22.4d] */
function hasProtection(params: ReadonlyMap<string, string>, domain: DomainSettings): boolean {
  const qop = params.get('qop')
  if (qop === undefined) return domain.legacyDigest
  const nc = params.get('nc') ?? ''
  return (
    qop.toLowerCase() === 'auth' && COUNT.test(nc) && Number.parseInt(nc, 16) > 0 && params.get('cnonce') !== undefined
  )
}

function claimOf(value: string, params: ReadonlyMap<string, string>, domain: DomainSettings): DigestClaim | undefined {
  const algorithm = algorithmOf(params.get('algorithm'))
  const response = params.get('response') ?? ''
  const uri = params.get('uri')
  if (algorithm === undefined || uri === undefined || !HEX.test(response) || !hasProtection(params, domain))
    return undefined
  const withQop = params.get('qop') !== undefined
  return {
    value,
    username: params.get('username') ?? '',
    algorithm,
    nonce: params.get('nonce') ?? '',
    uri,
    response,
    nc: withQop ? (params.get('nc') ?? '') : '',
    cnonce: withQop ? (params.get('cnonce') ?? '') : '',
  }
}

/** Credentials for the domain's realm, in the header that answers the challenge of this method. [RFC3261-22.3d] */
function paramsForRealm(
  credentials: readonly policy.Credentials[],
  proxy: boolean,
  domain: DomainSettings,
  limit: number,
) {
  const found: { value: string; params: ReadonlyMap<string, string> }[] = []
  for (const one of credentials) {
    if (one.proxy !== proxy || found.length >= limit) continue
    const auth = parseAuth(one.value)
    if (auth?.scheme !== 'digest') continue
    if (auth.params.get('realm') === domain.realm) found.push({ value: one.value, params: auth.params })
  }
  return found
}

/** Whether somebody who was not asked yet offers credentials of this domain. */
export function offersCredentials(credentials: readonly policy.Credentials[], domain: DomainSettings): boolean {
  return credentials.some(({ value }) => parseAuth(value)?.params.get('realm') === domain.realm)
}

/**
 * The digest's URI names the same thing as the Request-URI: the same domain under any of its names, and the same user
 * where it has one. Phones that send through an outbound proxy, and SIPp, leave the user out. [RFC3261-22.4e]
 */
function isForRequest(index: ResourceIndex, uri: string, request: UriParts): boolean {
  const claimed = splitUri(uri)
  if (isWatchOf(claimed, request)) return true
  if (claimed.host === '') return isSameNumber(claimed, request)
  const sameHost = claimed.host.toLowerCase() === request.host.toLowerCase()
  if (!sameHost && !bothLocal(index, claimed.host, request.host)) return false
  return claimed.user === '' || claimed.user === request.user
}

/** A refresh of a subscription to registrations: it is addressed to our Contact, which names the address-of-record. */
function isWatchOf(claimed: UriParts, { user, host }: UriParts): boolean {
  return watchedAorOf(claimed.user) === `sip:${user}@${host}`
}

/** Two tel URIs of one number. [RFC3966-4a] */
function isSameNumber({ telephone }: UriParts, request: UriParts): boolean {
  if (telephone === '' || request.telephone === '') return false
  const [one, other] = [parsePhoneNumber(telephone), parsePhoneNumber(request.telephone)]
  return one === undefined ? telephone === request.telephone : one.number === other?.number
}

function bothLocal(index: ResourceIndex, a: string, b: string): boolean {
  return findDomain(index, a) !== undefined && (b === '' || findDomain(index, b) !== undefined)
}

function isRight(claim: DigestClaim, ha1: string, method: string): boolean {
  return sameDigest(digestResponse({ ...claim, ha1, method, qop: claim.nc === '' ? '' : 'auth' }), claim.response)
}

const FORGED: Authentication = { outcome: 'forged' }
const STALE: Authentication = { outcome: 'stale' }

function judge(
  context: AuthenticationContext,
  domain: DomainSettings,
  claim: DigestClaim,
  request: { readonly method: string; readonly uri: UriParts; readonly proxy: boolean },
): Authentication {
  const { username, response } = claim
  const nonce = context.nonces.check(claim.nonce, { realm: domain.realm, source: context.source })
  if (nonce.state === 'forged') return FORGED
  if (nonce.state === 'stale' || nonce.state === 'foreign') return STALE
  if (context.isBarred?.(username)) return { outcome: 'barred', username, response }
  const entry = context.credentials.find(domain.realm, username)
  const right = isRight(claim, ha1Of(entry, claim.algorithm), request.method)
  if (!right || !hasHa1(entry, claim.algorithm)) return { outcome: 'guessed', username, response }
  if (!isForRequest(context.index, claim.uri, request.uri)) return { outcome: 'otherUri' }
  const nonceCount = claim.nc === '' ? 0 : Number.parseInt(claim.nc, 16)
  const used = { proxy: request.proxy, value: claim.value }
  const isOneTime = nonce.state === 'oneTime'
  const proof = { nonceId: nonce.id, nonceCount, used, username, isOneTime }
  const { holder } = entry
  return 'domain' in holder
    ? { outcome: 'proven', method: 'digest', user: holder, ...proof }
    : { outcome: 'trunk', trunk: holder, ...proof }
}

/** Judges the credentials for `domain`; of several the first that is right counts. [RFC3261-22.3h] */
export function authenticate(
  context: AuthenticationContext,
  domain: DomainSettings,
  algorithms: readonly DigestAlgorithm[],
  request: {
    readonly method: string
    readonly uri: UriParts
    readonly proxy: boolean
    readonly credentials: readonly policy.Credentials[]
  },
): Authentication {
  let last: Authentication = { outcome: 'missing' }
  for (const { value, params } of paramsForRealm(request.credentials, request.proxy, domain, context.maxCredentials)) {
    const claim = claimOf(value, params, domain)
    if (claim === undefined || !algorithms.includes(claim.algorithm)) last = { outcome: 'wrong' }
    else last = judge(context, domain, claim, request)
    if (last.outcome === 'proven' || last.outcome === 'trunk') return last
  }
  return last
}
