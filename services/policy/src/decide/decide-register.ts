// SPDX-License-Identifier: MIT
//
// REGISTER: whether this caller may bind contacts to the address in To. [RFC3261-10.3] steps 1 to 5; the bindings
// themselves are location's. Fails closed: no REGISTER passes without the store's word about its nonce.
import { findDomain, findUser, type UserEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyState } from '../state.ts'
import { addressOf, splitUri } from './uri-parts.ts'
import { admit, callerOf, NOBODY, reject } from './verdicts.ts'

/** The user whose address-of-record is in To. [RFC3261-10.3.5] */
function registered(state: PolicyState, to: string): UserEntry | undefined {
  const { user, host } = splitUri(addressOf(to))
  const domain = host === '' ? undefined : findDomain(state.index, host)
  return domain && findUser(domain, user)
}

/** @param speaker the authenticated user; undefined where the domain asks nobody */
export function decideRegister(
  state: PolicyState,
  request: policy.DecideRequest,
  speaker: UserEntry | undefined,
): policy.DecideResponse {
  const user = registered(state, request.to)
  if (speaker !== undefined) {
    // [RFC3261-10.3.4a] "the registrar ... SHOULD ... determine if the authenticated user is authorized"
    return user === speaker ? admit(user, callerOf(speaker)) : reject('not_your_address', callerOf(speaker))
  }
  // [RFC3261-10.3.5a] Not valid for the domain: 404. An address that asks for credentials elsewhere is none of this domain.
  if (user === undefined || user.kind !== 'Subscriber' || user.domain.authenticated) return reject('unknown_address')
  return admit(user, NOBODY)
}
