// SPDX-License-Identifier: MIT
//
// Whether a caller is who it says: From against the authenticated user, by the domain's `identity` setting; and which
// identity the network asserts for it. [RFC3325-5a]
// Who is not trusted asserts nothing: its P-Asserted-Identity goes. Who was authenticated gets one of his own addresses
// asserted, the one that P-Preferred-Identity asks for where it is his. [RFC3325-6]
// What leaves toward whom, by Privacy, is the edge's work: it knows each target (services/edge, header-work.ts).
// A caller with an anonymous From who says nothing in Privacy gets no identity asserted: no privacy service of his would
// keep it from the one he hides from. [RFC3325-7]
import {
  findDomain,
  findNumber,
  findUser,
  parsePhoneNumber,
  type ResourceIndex,
  type UserEntry,
} from '@tandem/resources'
import { policy } from '@tandem/rpc'
import { addressOf, splitUri, type UriParts } from './uri-parts.ts'

const { ADD, REMOVE } = policy.HeaderEdit_Operation

/** From of somebody who hides. [RFC3323-4.1.1.3] */
const ANONYMOUS_HOST = 'anonymous.invalid'

export const isAnonymous = (from: UriParts): boolean => from.host.toLowerCase() === ANONYMOUS_HOST

/** The user whose number a tel URI shows. */
function userOfNumber(index: ResourceIndex, telephone: string): UserEntry | undefined {
  const number = parsePhoneNumber(telephone)
  if (number === undefined) return undefined
  if (number.context === '') return index.numbers.get(number.number)
  const domain = index.contexts.get(number.context) ?? findDomain(index, number.context)
  return domain && findNumber(domain, number.number)
}

/** The user whose address this is, by name or by number. */
export function userOf(index: ResourceIndex, { host, user, telephone }: UriParts): UserEntry | undefined {
  if (telephone !== '') return userOfNumber(index, telephone)
  const domain = host === '' ? undefined : findDomain(index, host)
  return domain && findUser(domain, user)
}

/** `address` is one of the addresses of `user`. A number of his counts also where others have it too. */
function isUser(index: ResourceIndex, address: UriParts, user: UserEntry): boolean {
  if (userOf(index, address) === user) return true
  const number = address.telephone === '' ? undefined : parsePhoneNumber(address.telephone)
  if (number?.context !== '') return false
  return index.homes.get(user.domain.name)?.entry.numbers.get(number.number) === user
}

/** False: the request is to be rejected with 403. */
export function maySay(index: ResourceIndex, from: UriParts, user: UserEntry): boolean {
  if (user.domain.identity !== 'reject' || isUser(index, from, user)) return true
  return user.domain.anonymous && isAnonymous(from)
}

const REMOVE_ASSERTED: policy.HeaderEdit = { operation: REMOVE, name: 'P-Asserted-Identity', value: '' }
const REMOVE_PREFERRED: policy.HeaderEdit = { operation: REMOVE, name: 'P-Preferred-Identity', value: '' }

/** What nobody proved is taken out. */
export const UNPROVEN_EDITS: policy.HeaderEdit[] = [REMOVE_ASSERTED, REMOVE_PREFERRED]

/** What somebody of the trust domain asserts passes; a preference is never passed on. [RFC3325-5e] [RFC3325-6a] */
export const TRUSTED_EDITS: policy.HeaderEdit[] = [REMOVE_PREFERRED]

const assert = (uri: string): policy.HeaderEdit => ({ operation: ADD, name: 'P-Asserted-Identity', value: `<${uri}>` })

/** A Privacy that says whether the identity may be told: the edge acts on it. */
const speaksOfIdentity = (privacy: string): boolean => /\b(none|id|user|header)\b/i.test(privacy)

interface Wishes {
  readonly from: UriParts
  readonly preferred: readonly string[]
  readonly privacy: string
}

/** The addresses of `user` that he prefers: at most one sip or sips URI, and at most one tel URI. [RFC3325-9.1] */
function preferredAddresses(index: ResourceIndex, user: UserEntry, preferred: readonly string[]) {
  let sip = ''
  let tel = ''
  for (const value of preferred) {
    const uri = splitUri(addressOf(value))
    if (!isUser(index, uri, user)) continue
    if (uri.telephone !== '') tel ||= `tel:${parsePhoneNumber(uri.telephone)?.number}`
    else sip ||= `${uri.scheme}:${uri.user}@${user.domain.name}`
  }
  return { sip, tel }
}

/** In the order in which an edge applies them: what came is removed before ours is added. [RFC3325-5b] [RFC3325-5c] */
export function identityEdits(index: ResourceIndex, user: UserEntry, wishes: Wishes): policy.HeaderEdit[] {
  if (user.domain.identity === 'off') return []
  if (isAnonymous(wishes.from) && !speaksOfIdentity(wishes.privacy)) return [...UNPROVEN_EDITS]
  if (wishes.preferred.length === 0) return [REMOVE_ASSERTED, REMOVE_PREFERRED, assert(user.aor)]
  const { sip, tel } = preferredAddresses(index, user, wishes.preferred)
  const edits = [REMOVE_ASSERTED, REMOVE_PREFERRED, assert(sip || user.aor)]
  return tel === '' ? edits : [...edits, assert(tel)]
}
