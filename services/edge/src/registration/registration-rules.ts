// SPDX-License-Identifier: MIT
//
// What a REGISTER must fulfil before location hears of it: option tags (RFC 3261 section 8.2.2), Path (RFC 3327 section 5.3),
// outbound (RFC 5626 section 6), contacts that would lead a request back to where it came from (RFC 5627 section 5.1), and
// those of sips (RFC 3261 section 10.2.1, RFC 5630 section 5.2).

import type { policy } from '@tandem/rpc'
import {
  type Contact,
  canonicalAor,
  findHeader,
  HEADER,
  type NameAddr,
  openTemporaryGruu,
  parseNameAddr,
  parseUri,
  type SipMessage,
  URI_SCHEME,
  type Uri,
  unfold,
  uriParam,
  ValueCursor,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { headerText } from '../initial/describe.ts'

/** A response other than 200. `headers` are whole lines. */
export interface RegistrationRefusal {
  readonly status: number
  readonly reason: string
  readonly headers: string
}

/** What both sides can do, as far as it changes the answer. */
export interface Extensions {
  readonly gruu: boolean
  /** The phone knows Path. */
  readonly path: boolean
  /** The phone knows outbound. */
  readonly outbound: boolean
}

const SUPPORTED = new Set(['path', 'gruu', 'outbound'])

export function extensionsOf(request: SipMessage): Extensions {
  const tags = new Set([...optionTags(request, HEADER.SUPPORTED), ...optionTags(request, HEADER.REQUIRE)])
  return { gruu: tags.has('gruu'), path: tags.has('path'), outbound: tags.has('outbound') }
}

/** [RFC3261-10.3.2] [RFC3261-8.2.2.3] What is required must be understood. */
export function refuseRequired(request: SipMessage): RegistrationRefusal | undefined {
  const unknown = optionTags(request, HEADER.REQUIRE).filter((tag) => !SUPPORTED.has(tag))
  return unknown.length === 0 ? undefined : badExtension(unknown.join(', '))
}

/** [RFC3327-5.3] A Path that the phone knows nothing of, put in by a proxy on the way: refused unless the setting says otherwise. */
export function refusePath(core: EdgeCore, path: readonly string[], { path: known }: Extensions) {
  const isRefused = path.length > 0 && !known && core.config.pathUnsupported === 'reject'
  return isRefused ? badExtension('path') : undefined
}

function badExtension(tags: string): RegistrationRefusal {
  return { status: 420, reason: '', headers: `Unsupported: ${tags}\r\n` }
}

/** Option tags are tokens, compared without case. */
function optionTags(request: SipMessage, id: number): string[] {
  const tags: string[] = []
  const cursor = new ValueCursor().reset(request, id)
  while (cursor.next()) tags.push(unfold(request.text(cursor.start, cursor.end)).trim().toLowerCase())
  return tags.filter((tag) => tag !== '')
}

export type Outbound =
  /** Bindings of this request that name a flow are flows [RFC5626-6]. `direct`: the phone's first hop is this edge. */
  | { readonly applies: true; readonly direct: boolean }
  | { readonly applies: false; readonly refusal?: RegistrationRefusal }

/**
 * [RFC5626-6] Flows are for phones whose first hop keeps them: this edge when the request has come through nobody else, or
 * a proxy that says `ob` in its Path. DEVIATION[RFC5626-6c]: "the first URI" of Path is taken for that of the phone's first hop,
 * the last value, since each proxy puts its own before those that are there [RFC3327-5.2].
 */
export function outboundOf(
  request: SipMessage,
  path: readonly string[],
  contacts: readonly Contact[],
  { outbound }: Extensions,
): Outbound {
  const direct = viaCount(request) === 1
  if (direct || hasOb(path.at(-1))) return { applies: true, direct }
  const wantsFlow = outbound && contacts.some((contact) => contact.regId > 0)
  return wantsFlow ? { applies: false, refusal: { status: 439, reason: '', headers: '' } } : { applies: false }
}

function viaCount(request: SipMessage): number {
  let count = 0
  const cursor = new ValueCursor().reset(request, HEADER.VIA)
  while (cursor.next()) count += 1
  return count
}

function hasOb(value: string | undefined): boolean {
  const hop = value === undefined ? undefined : parseNameAddr(value)
  const uri = hop && parseUri(hop.uri)
  return uri !== undefined && uriParam(uri, 'ob') !== undefined
}

/** [RFC5626-6] A flow is registered alone. */
export function refuseFlows(contacts: readonly Contact[]): RegistrationRefusal | undefined {
  const bound = contacts.filter((contact) => contact.expiresS !== 0)
  const isMixed = bound.length > 1 && bound.some((contact) => contact.regId > 0 && contact.instanceId !== '')
  return isMixed ? badRequest('reg-id beside another Contact') : undefined
}

/** Where a request to the contact would come back to the address-of-record itself, or the contact's scheme does not fit. */
export function refuseContact(
  core: EdgeCore,
  request: SipMessage,
  { aor }: policy.Admit,
  contact: Contact,
): RegistrationRefusal | undefined {
  const { uri } = contact
  const isSip = uri.scheme === 'sip' || uri.scheme === 'sips'
  if (!isSip) return contact.instanceId === '' ? undefined : forbidden('an instance needs a SIP Contact') // [RFC5627-5.1]
  if (isAddressOfRecord(uri, request, aor) || isOwnGruu(core, uri, aor)) {
    return forbidden('Contact is the address-of-record') // [RFC5627-5.1]
  }
  if (core.membership.isOwnAddress(uri.host, uri.port)) return forbidden('Contact is this server')
  return refuseSips(request, uri)
}

function isAddressOfRecord(uri: Uri, request: SipMessage, aor: string): boolean {
  const contact = canonicalAor(uri)
  if (contact === aor) return true
  const to = toUri(request)
  return to !== undefined && contact === canonicalAor(to)
}

/** [RFC5627-5.1] A public one equals the address-of-record. */
function isOwnGruu(core: EdgeCore, uri: Uri, aor: string): boolean {
  return uriParam(uri, 'gr') !== undefined && openTemporaryGruu(core.ring, uri.user, uri.host)?.aor === aor
}

/** [RFC5630-5.2] A sips Contact needs sips all the way; [RFC3261-10.2.1] an address-of-record of sips binds no plain sip. */
function refuseSips(request: SipMessage, uri: Uri): RegistrationRefusal | undefined {
  if (uri.scheme === 'sip')
    return toUri(request)?.scheme === 'sips' ? badRequest('a sips address needs a sips Contact') : undefined
  const isSecure = request.uriScheme === URI_SCHEME.SIPS && pathOf(request).every(isSipsHop)
  return isSecure ? undefined : badRequest('a sips Contact needs a sips Request-URI and Path')
}

function isSipsHop(value: string): boolean {
  return /^sips:/i.test(parseNameAddr(value)?.uri ?? '')
}

function toUri(request: SipMessage): Uri | undefined {
  const to: NameAddr | undefined = parseNameAddr(headerText(request, HEADER.TO))
  return to && parseUri(to.uri)
}

/** Values of Path, nearest to us first. */
export function pathOf(request: SipMessage): string[] {
  if (findHeader(request, HEADER.PATH) < 0) return []
  const values: string[] = []
  const cursor = new ValueCursor().reset(request, HEADER.PATH)
  while (cursor.next()) values.push(unfold(request.text(cursor.start, cursor.end)))
  return values
}

function forbidden(why: string): RegistrationRefusal {
  return { status: 403, reason: `Forbidden: ${why}`, headers: '' }
}

export function badRequest(why: string): RegistrationRefusal {
  return { status: 400, reason: `Bad Request: ${why}`, headers: '' }
}
