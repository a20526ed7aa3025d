// SPDX-License-Identifier: MIT
//
// Who a sender is by what he can't help showing: the certificate of his connection, else the address that he sends from.
// A certificate proves a domain [RFC5922-7.1], which may be a trunk's, or addresses of users (`sip:user@domain` among its
// alternative names). Of several users the one speaks whom the request names: From, for REGISTER To. Who names another user
// of ours is not known by this, and is asked like anybody.
import type { ResourceIndex, TrunkEntry, UserEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { userOf } from './identity.ts'
import { type Proven, provenBy } from './proven.ts'
import { addressOf, splitUri, type UriParts } from './uri-parts.ts'

export interface Sender {
  readonly trunk: TrunkEntry | undefined
  readonly known: Proven | undefined
}

const NOBODY: Sender = { trunk: undefined, known: undefined }

/** Whom the request says it is from, or for whom it registers. */
function namedUser(index: ResourceIndex, request: policy.DecideRequest, from: UriParts): UserEntry | undefined {
  return userOf(index, request.method === 'REGISTER' ? splitUri(addressOf(request.to)) : from)
}

/** The users whose certificates count, by the addresses in one. */
function certifiedUsers(index: ResourceIndex, tls: policy.TlsPeer): readonly UserEntry[] {
  const users = tls.users.flatMap((uri) => userOf(index, splitUri(uri)) ?? [])
  return users.filter(({ domain, kind }) => domain.clientCertificates && kind === 'Subscriber')
}

const trunkOfCertificate = (index: ResourceIndex, tls: policy.TlsPeer): TrunkEntry | undefined => {
  for (const name of tls.names) {
    const trunk = index.trunkNames.get(name)
    if (trunk !== undefined) return trunk
  }
  return undefined
}

/** A name of ours that is not `user` is asked for its own credentials; a REGISTER is for oneself. */
function mayActAs(user: UserEntry, named: UserEntry | undefined, { method }: policy.DecideRequest): boolean {
  if (named === user) return true
  return method !== 'REGISTER' && (named === undefined || !named.domain.authenticated)
}

function byAddress(index: ResourceIndex, request: policy.DecideRequest, source: policy.Source, from: UriParts): Sender {
  if (index.acl === undefined) return NOBODY
  const named = namedUser(index, request, from)
  const match = index.acl.find(source.address, source.transport, named)
  const user = match?.user
  if (match === undefined || user === undefined) return match === undefined ? NOBODY : { ...match, known: undefined }
  const registers = request.method !== 'REGISTER' || user.subscriber?.spec.acl?.register === true
  const known = registers && mayActAs(user, named, request) ? provenBy('acl', user) : undefined
  return { trunk: undefined, known }
}

function byCertificate(index: ResourceIndex, request: policy.DecideRequest, tls: policy.TlsPeer, from: UriParts) {
  const trunk = trunkOfCertificate(index, tls)
  if (trunk !== undefined) return { trunk, known: undefined }
  if (tls.users.length === 0) return undefined
  const users = certifiedUsers(index, tls)
  const named = namedUser(index, request, from)
  const user = users.find((one) => one === named) ?? (users.length === 1 ? users[0] : undefined)
  if (user === undefined || !mayActAs(user, named, request)) return undefined
  return { trunk: undefined, known: provenBy('certificate', user) }
}

export function senderOf(index: ResourceIndex, request: policy.DecideRequest, from: UriParts): Sender {
  const { source } = request
  if (source === undefined) return NOBODY
  const proven = source.tls && byCertificate(index, request, source.tls, from)
  return proven ?? byAddress(index, request, source, from)
}
