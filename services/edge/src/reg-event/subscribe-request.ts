// SPDX-License-Identifier: MIT
//
// What a SUBSCRIBE to the event package "reg" must be (RFC 6665 §4.2.1.1, RFC 3680 §4, RFC 3261 §8.2), and what it says.
import type { policy } from '@tandem/rpc'
import {
  findHeader,
  HEADER,
  headerValue,
  parseContacts,
  parseDeltaSeconds,
  type SipMessage,
  ValueCursor,
} from '@tandem/sip'
import { headerText } from '../initial/describe.ts'
import { REGINFO } from './reginfo.ts'

/** [RFC3680-4.4] */
const DEFAULT_EXPIRES_S = 3_761
const MIN_EXPIRES_S = 60
const MAX_EXPIRES_S = 86_400
/** What a subscription keeps of its dialog, in characters: an AoR holds a few of them. */
const MAX_DIALOG = 4_096

/** [RFC6665-4.2.1.1] No longer interval is too brief. */
const ONE_HOUR_S = 3_600

export interface SubscribeTerms {
  readonly eventId: string
  readonly expiresS: number
  readonly remoteTarget: string
  /** [RFC3261-12.1.1] Record-Route values as they came. */
  readonly routes: string[]
}

export interface Refusal {
  readonly status: number
  readonly reason: string
  /** Whole lines. */
  readonly headers: string
}

export const ALLOW_EVENTS = 'Allow-Events: reg\r\n'

export function readSubscribe(msg: SipMessage, bounds: policy.WatchRegistrations): SubscribeTerms | Refusal {
  const required = valuesOf(msg, HEADER.REQUIRE)
  if (required.length > 0) return refusal(420, '', `Unsupported: ${required.join(', ')}\r\n`) // [RFC3261-8.2.2.3]
  const event = headerText(msg, HEADER.EVENT).split(';')
  if ((event[0] ?? '').trim().toLowerCase() !== 'reg') return refusal(489, '', ALLOW_EVENTS) // [RFC6665-4.2.1.1]
  if (!acceptsReginfo(msg)) return refusal(406, '', `Accept: ${REGINFO}\r\n`) // [RFC3680-4.5]
  if (hasForeignBody(msg)) return refusal(415, '', 'Accept: \r\n') // [RFC3261-8.2.3] filters are none of ours
  const expiresS = expiresOf(msg, bounds)
  if (typeof expiresS !== 'number') return expiresS
  const contacts = parseContacts(msg)
  const target = contacts?.contacts[0]
  if (target === undefined || contacts?.contacts.length !== 1 || !/^sips?:/i.test(target.uriText))
    return refusal(400, 'Bad Request: expected one Contact', '') // [RFC3261-12.1.1]
  const terms = { eventId: paramValue(event.slice(1), 'id'), expiresS, remoteTarget: target.uriText }
  const routes = valuesOf(msg, HEADER.RECORD_ROUTE)
  if (!TOKEN.test(terms.eventId)) return refusal(400, 'Bad Request: malformed Event', '')
  return isTooLong(msg, routes, target.uriText) ? refusal(513, '', '') : { ...terms, routes }
}

/** [RFC3261-25.1] */
const TOKEN = /^[\w.!%*+`'~-]*$/

function isTooLong(msg: SipMessage, routes: readonly string[], target: string): boolean {
  const addresses = msg.toEnd - msg.toStart + msg.fromEnd - msg.fromStart + msg.callIdEnd - msg.callIdStart
  return routes.join('').length + target.length + addresses > MAX_DIALOG
}

function refusal(status: number, reason: string, headers: string): Refusal {
  return { status, reason, headers }
}

/** [RFC6665-4.2.1.1] 423 if and only if greater than zero, smaller than one hour and less than the minimum. */
function expiresOf(msg: SipMessage, bounds: policy.WatchRegistrations): number | Refusal {
  const minS = bounds.minExpiresS || MIN_EXPIRES_S
  const named = parseDeltaSeconds(headerText(msg, HEADER.EXPIRES).trim())
  const askedS = named < 0 ? bounds.defaultExpiresS || DEFAULT_EXPIRES_S : named
  if (named > 0 && named < ONE_HOUR_S && named < minS) return refusal(423, '', `Min-Expires: ${minS}\r\n`)
  return Math.min(askedS, bounds.maxExpiresS || MAX_EXPIRES_S)
}

/** Without Accept it is understood [RFC3680-4.5]; a range that covers it will do [RFC3261-20.1]. */
function acceptsReginfo(msg: SipMessage): boolean {
  if (findHeader(msg, HEADER.ACCEPT) < 0) return true
  return valuesOf(msg, HEADER.ACCEPT).some((value) => {
    const range = (value.split(';')[0] ?? '').trim().toLowerCase()
    return range === REGINFO || range === 'application/*' || range === '*/*'
  })
}

function hasForeignBody(msg: SipMessage): boolean {
  if (msg.bodyStart >= msg.end || headerText(msg, HEADER.CONTENT_TYPE) === '') return false
  return !/;\s*handling\s*=\s*"?optional/i.test(headerText(msg, HEADER.CONTENT_DISPOSITION))
}

function valuesOf(msg: SipMessage, id: number): string[] {
  const cursor = new ValueCursor().reset(msg, id)
  const values: string[] = []
  while (cursor.next()) if (cursor.end > cursor.start) values.push(msg.text(cursor.start, cursor.end))
  return values
}

function paramValue(params: readonly string[], name: string): string {
  for (const param of params) {
    const [key = '', value = ''] = param.split('=')
    if (key.trim().toLowerCase() === name) return value.trim()
  }
  return ''
}

/** Seconds of Retry-After, 0 without one. */
export function retryAfterOf(msg: SipMessage): number {
  const index = findHeader(msg, HEADER.RETRY_AFTER)
  return index < 0 ? 0 : Math.max(0, Number.parseInt(headerValue(msg, index), 10) || 0)
}
