// SPDX-License-Identifier: MIT
//
// A call that a carrier sends to what a trunk has registered there: the Request-URI has the Contact of the registration, which names nobody of ours;
// who is called stands in To. [RFC3261-10.2] It is the trunk's, whatever address it comes from, as far as the contact is a token that only the
// registrar was told (trunk-desk.ts has the rule).
import type { TrunkEntry } from '@tandem/resources'
import { parsePhoneNumber } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { addressOf, splitUri, type UriParts } from '../decide/uri-parts.ts'

export interface RegisteredCall {
  readonly trunk: TrunkEntry
  /** In the place of the Request-URI: a number without a host, or the user that To names at the cluster's own host. */
  readonly uri: UriParts
}

/** @param sender whom the address or certificate shows */
export function registeredCall(
  { trunks }: PolicyContext,
  request: policy.DecideRequest,
  uri: UriParts,
  sender: TrunkEntry | undefined,
): RegisteredCall | undefined {
  if (request.method === 'REGISTER' || uri.user === '') return undefined
  const name = trunks.trunkOfContact(uri.user, request.source?.address ?? '', (trunk) => sender?.name === trunk)
  const trunk = name === undefined ? undefined : trunks.terms.get(name)?.entry
  if (trunk === undefined) return undefined
  const to = splitUri(addressOf(request.to))
  const number = parsePhoneNumber(to.telephone || to.user) === undefined ? '' : to.telephone || to.user
  if (number !== '') return { trunk, uri: { ...uri, user: '', host: '', telephone: number, params: '' } }
  return { trunk, uri: { ...uri, user: to.user, params: '' } }
}
