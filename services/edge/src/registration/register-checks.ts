// SPDX-License-Identifier: MIT
//
// What a REGISTER says beside its Contacts, judged before anything is bound: its body, and lifetimes that are none. Pure.

import { type Contact, findHeader, HEADER, headerValue, parseDeltaSeconds, type SipMessage } from '@tandem/sip'

/** What a lifetime that cannot be read counts as. [RFC3261-10.2b] */
const MALFORMED_EXPIRES_S = 3_600

/**
 * Lines of the 415 that the body of a request gets, undefined where it has none or may be passed over. No body is read by
 * the registrar: each must be marked optional. [RFC3261-8.2.3]
 */
export function refusedBody(request: SipMessage): string | undefined {
  if (request.bodyStart < 0 || request.bodyStart >= request.end || isOptional(request)) return undefined
  const encoding = findHeader(request, HEADER.CONTENT_ENCODING)
  if (encoding >= 0 && headerValue(request, encoding).trim().toLowerCase() !== 'identity') {
    return 'Accept-Encoding: identity\r\n'
  }
  return 'Accept: \r\n'
}

/** Without the parameter a body is required. [RFC3261-20.11a] */
function isOptional(request: SipMessage): boolean {
  const index = findHeader(request, HEADER.CONTENT_DISPOSITION)
  return index >= 0 && /;\s*handling\s*=\s*"?optional\b/i.test(headerValue(request, index))
}

/** Expires in seconds, -1 where it is absent. */
export function expiresHeaderOf(request: SipMessage): number {
  const index = findHeader(request, HEADER.EXPIRES)
  return index < 0 ? -1 : secondsOf(headerValue(request, index).trim())
}

/** The lifetime that a Contact asks for, -1 where nothing names one. [RFC3261-10.3.7a] [RFC3261-10.3.7b] */
export function askedExpiresOf(contact: Contact, headerExpiresS: number): number {
  const own = contact.params.find(({ name }) => name.toLowerCase() === 'expires')
  return own === undefined ? headerExpiresS : secondsOf(own.value)
}

function secondsOf(text: string): number {
  const seconds = parseDeltaSeconds(text)
  return seconds < 0 ? MALFORMED_EXPIRES_S : seconds
}
