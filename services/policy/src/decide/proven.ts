// SPDX-License-Identifier: MIT
//
// A caller whose word need not be taken: which user he is, and how that was found out.
import type { UserEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'

export interface Proven {
  readonly outcome: 'proven'
  readonly user: UserEntry
  /** acl: by the address that he sends from; certificate: by that of his TLS connection. */
  readonly method: 'digest' | 'bearer' | 'acl' | 'certificate'
  /** '' where there was no nonce. */
  readonly nonceId: string
  /** 0: no count to check. */
  readonly nonceCount: number
  /** The credentials that proved it, as they came. */
  readonly used: policy.Credentials | undefined
}

/** Proven without a nonce. */
export const provenBy = (method: Proven['method'], user: UserEntry, used?: policy.Credentials): Proven => ({
  outcome: 'proven',
  user,
  method,
  nonceId: '',
  nonceCount: 0,
  used,
})
