// SPDX-License-Identifier: MIT
//
// The challenge: one value per algorithm in the domain's order, all over one nonce [RFC3261-22.4c] [RFC8760-2.3], and one for
// tokens where the domain takes them [RFC8898-2.2].
// A challenge leaves nothing behind: no record, no state in the store.
import type { DigestAlgorithm, DomainSettings } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { NonceMaker } from './nonce.ts'

/** Algorithms that a domain offers, in order. */
export function offeredAlgorithms(domain: DomainSettings, byDefault: readonly DigestAlgorithm[]) {
  return domain.challenge ?? byDefault
}

/** The realm's schema allows no quote and no backslash, so nothing needs escaping. */
function challengeValue(realm: string, nonce: string, algorithm: DigestAlgorithm, stale: boolean): string {
  const mark = stale ? ', stale=true' : ''
  return `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${mark}`
}

/** [RFC8898-4] What stands in it was checked by the schema: nothing needs escaping. */
function bearerValue({ realm, bearer }: DomainSettings, error: string): string {
  const scope = bearer?.scope.length ? `, scope="${bearer.scope.join(' ')}"` : ''
  const mark = error === '' ? '' : `, error="${error}"`
  return `Bearer realm="${realm}", authz_server="${bearer?.authorizationServer}"${scope}${mark}`
}

export interface Offer {
  /** Empty: no digest. */
  readonly algorithms: readonly DigestAlgorithm[]
  readonly bearer: boolean
  readonly proxy: boolean
  /** The nonce of the credentials can't be used (any more): no need to ask a person again [RFC7616-3.3] */
  readonly stale: boolean
  /** Key of the source that is asked; '' for a nonce that is good for all. */
  readonly source: string
  /** The store is away: a nonce for this node alone. */
  readonly oneTime: boolean
  /** Of a token that came; '' for none. */
  readonly tokenError: string
}

/**
 * A challenge for REGISTER is 401, for everything else that passes through 407. [RFC3261-22.1a] [RFC3261-22.2a] [RFC3261-22.3a]
 * It depends on the domain and on how the request came, never on the user: nobody learns from it who exists or has which hashes.
 */
export function challenge(nonces: NonceMaker, domain: DomainSettings, offer: Offer): policy.DecideResponse {
  const values: string[] = []
  const { realm } = domain
  const nonce = offer.algorithms.length === 0 ? '' : nonces.make({ realm, source: offer.source }, offer.oneTime)
  for (const scheme of domain.schemes) {
    if (scheme === 'bearer' && offer.bearer) values.push(bearerValue(domain, offer.tokenError))
    if (scheme !== 'digest') continue
    for (const algorithm of offer.algorithms) values.push(challengeValue(realm, nonce, algorithm, offer.stale))
  }
  const value = { status: offer.proxy ? 407 : 401, values }
  return { verdict: { $case: 'challenge', value }, callRef: '', identity: '', account: '' }
}
