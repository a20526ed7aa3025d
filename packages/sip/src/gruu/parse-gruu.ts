// SPDX-License-Identifier: MIT
// What a Request-URI or a Contact with a `gr` parameter says [RFC5627-6.1]. Whether its instance is registered is for who has
// the bindings: those with `instanceId`, and for a temporary one with `registrationHash` as well.
import type { KeyRing } from '../proxy/key-ring.ts'
import { instanceOfGr } from './public-gruu.ts'
import { openTemporaryGruu } from './temporary-gruu.ts'

export interface Gruu {
  /** Canonical address-of-record. */
  readonly aor: string
  readonly instanceId: string
  /** 0 for a public GRUU: every registration of the instance. */
  readonly registrationHash: number
}

/**
 * @param user user part with its escapes undone
 * @param domain canonical name of the address-of-record's domain, with its port if it has one
 * @param gr value of the parameter, '' without one
 * @returns undefined for what is no GRUU of this cluster: 404. Never throws.
 */
export function parseGruu(ring: KeyRing, user: string, domain: string, gr: string): Gruu | undefined {
  if (gr === '') return openTemporaryGruu(ring, user, domain)
  const instanceId = instanceOfGr(gr)
  return instanceId === undefined || user === ''
    ? undefined
    : { aor: `sip:${user}@${domain}`, instanceId, registrationHash: 0 }
}
