// SPDX-License-Identifier: MIT
//
// Who says who the caller is, and who may know: P-Asserted-Identity and P-Preferred-Identity at the edges of the trust domain
// (RFC 3325 with RFC 5876) and what of a privacy service (RFC 3323) a proxy can do, as splices over a message on its way.
//
// Done: `id` and `none`, `user` as far as informational headers go, `critical`. Left out, because only a back-to-back user agent
// can: Via stripping, Contact and Record-Route of `header`, From and Call-ID of `user`, media of `session`; a request that calls
// these critical is refused with 500 [RFC3323-5].
// Invariant: a message that has none of these headers costs one test and gets no edit.

import { PRIVACY, parseNameAddr, privacyBit, privacyNames, privacyOf, splitPrivacy } from '../header/index.ts'
import {
  type Edits,
  findHeader,
  findHeaderByName,
  HEADER,
  headerId,
  headerLineEnd,
  headerLineStart,
  headerValue,
  headerValueEnd,
  headerValueStart,
  type SipMessage,
  ValueCursor,
} from '../message/index.ts'

/** Both ends of a hop as the trust domain sees them. For a response the source is the one that answered. */
export interface IdentityFacts {
  readonly sourceTrusted: boolean
  readonly targetTrusted: boolean
  /** P-Asserted-Identity goes to an untrusted target when the caller asked for no privacy [RFC3325-7]. */
  readonly tellsUntrusted: boolean
}

const IDENTITY_BITS = (1 << HEADER.P_ASSERTED_IDENTITY) | (1 << HEADER.P_PREFERRED_IDENTITY) | (1 << HEADER.PRIVACY)
/** What no proxy can do: all of it, or the part that hides most. */
const BEYOND_A_PROXY = PRIVACY.HEADER | PRIVACY.SESSION | PRIVACY.USER | PRIVACY.OTHER
/** `id` says it; who wants headers or himself hidden wants this too. */
const HIDES_IDENTITY = PRIVACY.ID | PRIVACY.USER | PRIVACY.HEADER
/** [RFC3323-5.3] */
const INFORMATIONAL = ['Call-Info', 'Reply-To', 'In-Reply-To'] as const

/** Whether a message has anything that editIdentity could touch. */
export function concernsIdentity(msg: SipMessage): boolean {
  return (msg.seen & IDENTITY_BITS) !== 0
}

/** True where no asserted identity of the caller may reach the target, whoever asserted it. */
export function withholdsIdentity(msg: SipMessage, facts: IdentityFacts): boolean {
  if (facts.targetTrusted) return false
  const privacy = privacyOf(msg)
  if ((privacy & PRIVACY.NONE) !== 0) return false // [RFC3325-7] "none": MUST NOT be removed
  return !facts.tellsUntrusted || (privacy & HIDES_IDENTITY) !== 0
}

/**
 * The reason phrase for the 500 that a request gets whose caller calls a privacy critical that we can't give, '' when it may go on.
 * To be asked before it is forwarded to an untrusted target. @param handlesHistory History-Info is handled here
 */
export function privacyFailure(request: SipMessage, handlesHistory: boolean): string {
  const privacy = privacyOf(request)
  if ((privacy & PRIVACY.CRITICAL) === 0 || (privacy & PRIVACY.NONE) !== 0) return ''
  const missing = privacy & (handlesHistory ? BEYOND_A_PROXY : BEYOND_A_PROXY | PRIVACY.HISTORY)
  return missing === 0 ? '' : `Privacy Failure (${privacyNames(missing).join(', ')})` // [RFC3323-5]
}

/**
 * Adds to `edits` what the trust domain asks of a request. Lines that other edits have taken out already are left alone.
 * @param done PRIVACY bits that have been seen to elsewhere
 */
export function editIdentity(request: SipMessage, edits: Edits, facts: IdentityFacts, done = 0): void {
  if (!concernsIdentity(request)) return
  editAsserted(request, edits, facts)
  removeAll(request, edits, HEADER.P_PREFERRED_IDENTITY) // [RFC3325-6]
  if (!facts.targetTrusted) applyPrivacy(request, edits, done)
}

/** The same for a response: nobody can challenge a UAS, so that only one of the trust domain is believed [RFC3325-5]. */
export function editIdentityOfResponse(response: SipMessage, edits: Edits, facts: IdentityFacts): void {
  if (!concernsIdentity(response)) return
  editAsserted(response, edits, facts)
  removeAll(response, edits, HEADER.P_PREFERRED_IDENTITY)
}

function editAsserted(msg: SipMessage, edits: Edits, facts: IdentityFacts): void {
  if (!msg.has(HEADER.P_ASSERTED_IDENTITY)) return
  // [RFC3325-5] of an untrusted source it is replaced (the plan adds the right one) or goes; [RFC3325-7] all values of it
  const goes = !facts.sourceTrusted || withholdsIdentity(msg, facts)
  if (goes) removeAll(msg, edits, HEADER.P_ASSERTED_IDENTITY)
  else removeUnexpected(msg, edits)
}

const values = new ValueCursor()

/** [RFC5876-4.5] At most one sip or sips URI and one tel URI go on; the first of each counts. */
function removeUnexpected(msg: SipMessage, edits: Edits): void {
  let taken = 0
  for (
    let k = findHeader(msg, HEADER.P_ASSERTED_IDENTITY);
    k >= 0;
    k = findHeader(msg, HEADER.P_ASSERTED_IDENTITY, k + 1)
  ) {
    const kept: string[] = []
    let dropped = 0
    values.resetToHeader(msg, k)
    while (values.next()) {
      const text = msg.text(values.start, values.end)
      const kind = identityKind(text)
      if (kind === 0 || (taken & kind) !== 0) dropped += 1
      else kept.push(text)
      taken |= kind
    }
    if (dropped === 0 || edits.touches(headerLineStart(msg, k), headerLineEnd(msg, k))) continue
    if (kept.length === 0) edits.remove(headerLineStart(msg, k), headerLineEnd(msg, k))
    else edits.replace(headerValueStart(msg, k), headerValueEnd(msg, k), kept.join(', '))
  }
}

/** 1 for sip and sips, which exclude each other, 2 for tel, 0 for what is to be ignored. */
function identityKind(value: string): number {
  const uri = parseNameAddr(value)?.uri ?? ''
  const scheme = uri.slice(0, Math.max(uri.indexOf(':'), 0))
  switch (scheme.toLowerCase()) {
    case 'sip':
    case 'sips':
      return 1
    case 'tel':
      return 2
    default:
      return 0
  }
}

/** Removes every header with this id that no other edit has touched. */
function removeAll(msg: SipMessage, edits: Edits, id: number): void {
  for (let k = findHeader(msg, id); k >= 0; k = findHeader(msg, id, k + 1)) removeLine(msg, edits, k)
}

function removeLine(msg: SipMessage, edits: Edits, index: number): void {
  const start = headerLineStart(msg, index)
  const end = headerLineEnd(msg, index)
  if (!edits.touches(start, end)) edits.remove(start, end)
}

/** What the caller asked of privacy services, at the border of the trust domain. */
function applyPrivacy(request: SipMessage, edits: Edits, done: number): void {
  const privacy = privacyOf(request)
  if (privacy === 0 || (privacy & PRIVACY.NONE) !== 0) return // [RFC3323-5] "none": nothing is done, nothing changed
  if ((privacy & PRIVACY.USER) !== 0) removeInformational(request, edits)
  // `user`, `header` and `session` stay: they are not done, and another service may do them.
  removePrivacy(request, edits, PRIVACY.ID | done)
}

/** [RFC3323-5.3] Headers of the user agent that no call needs. */
function removeInformational(request: SipMessage, edits: Edits): void {
  removeAll(request, edits, HEADER.SUBJECT)
  removeAll(request, edits, HEADER.ORGANIZATION)
  removeAll(request, edits, HEADER.USER_AGENT)
  for (const name of INFORMATIONAL) {
    for (let k = findHeaderByName(request, name); k >= 0; k = findHeaderByName(request, name, k + 1)) {
      removeLine(request, edits, k)
    }
  }
}

/** [RFC3323-5] Takes out the values that have been seen to; with the last one the header goes, and its option tag. */
function removePrivacy(msg: SipMessage, edits: Edits, done: number): void {
  const privacy = privacyOf(msg)
  if ((privacy & done) === 0) return
  const isEmpty = (privacy & ~(done | PRIVACY.CRITICAL)) === 0
  for (let k = findHeader(msg, HEADER.PRIVACY); k >= 0; k = findHeader(msg, HEADER.PRIVACY, k + 1)) {
    const kept = isEmpty ? [] : splitPrivacy(headerValue(msg, k)).filter((value) => (privacyBit(value) & done) === 0)
    if (kept.length === 0) removeLine(msg, edits, k)
    else if (!edits.touches(headerLineStart(msg, k), headerLineEnd(msg, k)))
      edits.replace(headerValueStart(msg, k), headerValueEnd(msg, k), kept.join(';'))
  }
  if (isEmpty && msg.isRequest) removeOptionTag(msg, edits)
}

/** The option tag `privacy` of Proxy-Require. */
function removeOptionTag(request: SipMessage, edits: Edits): void {
  for (let k = 0; k < request.headerCount; k += 1) {
    if (headerId(request, k) !== HEADER.PROXY_REQUIRE) continue
    const tags = headerValue(request, k).split(',')
    const kept = tags.filter((tag) => tag.trim().toLowerCase() !== 'privacy')
    if (kept.length === tags.length || edits.touches(headerLineStart(request, k), headerLineEnd(request, k))) continue
    if (kept.length === 0) removeLine(request, edits, k)
    else edits.replace(headerValueStart(request, k), headerValueEnd(request, k), kept.join(',').trim())
  }
}
