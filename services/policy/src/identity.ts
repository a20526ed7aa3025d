// SPDX-License-Identifier: MIT
//
// Whether a caller is who it says: From against the authenticated user, by the domain's `identity` setting, and what an
// edge does to the identity headers. No peer is trusted yet, so P-Asserted-Identity of others never passes, except where
// a domain says `off`. [RFC3325-5] [RFC3325-6]
// Leaves out: Privacy (RFC 3323, RFC 3325 section 7), which a decision is not told of; a caller whose From is anonymous
// gets no P-Asserted-Identity added.
import { findDomain, type ResourceIndex, type UserEntry } from '@tandem/resources'
import { policy } from '@tandem/rpc'
import type { UriParts } from './uri-parts.ts'

const { ADD, REMOVE } = policy.HeaderEdit_Operation

/** From of somebody who hides. [RFC3323-4.1.1.3] */
const ANONYMOUS_HOST = 'anonymous.invalid'

export const isAnonymous = (from: UriParts): boolean => from.host.toLowerCase() === ANONYMOUS_HOST

/** `from` is one of the addresses of `user`. */
export function isUser(index: ResourceIndex, from: UriParts, user: UserEntry): boolean {
  return findDomain(index, from.host)?.users.get(from.user) === user
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

/** In the order in which an edge applies them: what came is removed before ours is added. */
export function identityEdits(from: UriParts, user: UserEntry): policy.HeaderEdit[] {
  if (user.domain.identity === 'off') return []
  if (user.domain.identity !== 'assert' || isAnonymous(from)) return UNPROVEN_EDITS
  const asserted = { operation: ADD, name: 'P-Asserted-Identity', value: `<${user.aor}>` }
  return [REMOVE_ASSERTED, REMOVE_PREFERRED, asserted]
}
