// SPDX-License-Identifier: MIT
//
// A contact or another URI as the Request-URI of a branch.

import { encodeUri, parseUri, type SipMessage, URI_SCHEME } from '@tandem/sip'

const SMALL_S = 0x73
const LOWER_CASE = 0x20

/** Latin1 text of a URI. */
export function isSips(uri: string): boolean {
  return (uri.charCodeAt(3) | LOWER_CASE) === SMALL_S && /^sips:/i.test(uri)
}

/** [RFC5630-5.3d] What was called as sip reaches a sips contact as sip; over TLS all the same, which the contact itself decides. */
export function asCalled(request: SipMessage, contact: string): string {
  return request.uriScheme !== URI_SCHEME.SIPS && isSips(contact) ? `sip:${contact.slice('sips:'.length)}` : contact
}

/** [RFC3261-16.6.2] [RFC3261-19.1.1] A URI without what no Request-URI may have: headers and the method parameter. */
export function requestUriOf(text: string): string {
  if (!text.includes('?') && !/;method=/i.test(text)) return text
  const uri = parseUri(text)
  if (uri === undefined) return text
  return encodeUri({ ...uri, headers: '', params: uri.params.filter(({ name }) => name.toLowerCase() !== 'method') })
}
