// SPDX-License-Identifier: MIT
//
// The challenge: one value per algorithm in the domain's order, all over one nonce. [RFC3261-22.4c] [RFC8760-2.3]
// A challenge leaves nothing behind: no record, no state in the store.
import type { DigestAlgorithm, DomainEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { NonceMaker } from './nonce.ts'

/** Algorithms that a domain offers, in order. */
export function offeredAlgorithms(domain: DomainEntry, byDefault: readonly DigestAlgorithm[]) {
  return domain.challenge ?? byDefault
}

/** The realm's schema allows no quote and no backslash, so nothing needs escaping. */
function challengeValue(realm: string, nonce: string, algorithm: DigestAlgorithm, stale: boolean): string {
  const mark = stale ? ', stale=true' : ''
  return `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${mark}`
}

/**
 * A challenge for REGISTER is 401, for everything else that passes through 407. [RFC3261-22.1a] [RFC3261-22.2a] [RFC3261-22.3a]
 * @param stale the credentials were right but their nonce is used up: no need to ask a person again [RFC7616-3.3]
 */
export function challenge(
  nonces: NonceMaker,
  domain: DomainEntry,
  algorithms: readonly DigestAlgorithm[],
  request: { readonly proxy: boolean; readonly stale: boolean },
): policy.DecideResponse {
  const nonce = nonces.make(domain.realm)
  const values = algorithms.map((algorithm) => challengeValue(domain.realm, nonce, algorithm, request.stale))
  const value = { status: request.proxy ? 407 : 401, values }
  return { verdict: { $case: 'challenge', value }, callRef: '', identity: '', account: '' }
}
