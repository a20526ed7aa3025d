// SPDX-License-Identifier: MIT
// Header names as small integers, recognised from bytes in any case and in compact form [RFC3261-7.3.3].
// The ids below 8 are decoded by scan(); the ids below 32 have a bit in `SipMessage.seen`, so that asking for an absent one is one test.
import { Buffer } from 'node:buffer'

/** Header numbers as found in the records of `SipMessage.headers`. */
export const HEADER = {
  OTHER: 0,
  VIA: 1,
  FROM: 2,
  TO: 3,
  CALL_ID: 4,
  CSEQ: 5,
  MAX_FORWARDS: 6,
  CONTENT_LENGTH: 7,
  ROUTE: 8,
  RECORD_ROUTE: 9,
  CONTACT: 10,
  REQUIRE: 11,
  PROXY_REQUIRE: 12,
  SUPPORTED: 13,
  AUTHORIZATION: 14,
  PROXY_AUTHORIZATION: 15,
  WWW_AUTHENTICATE: 16,
  PROXY_AUTHENTICATE: 17,
  EXPIRES: 18,
  PATH: 19,
  CONTENT_TYPE: 20,
  P_ASSERTED_IDENTITY: 21,
  P_PREFERRED_IDENTITY: 22,
  PRIVACY: 23,
  USER_AGENT: 24,
  REASON: 25,
  MAX_BREADTH: 26,
  TIMESTAMP: 27,
  EVENT: 28,
  REFER_TO: 29,
  REPLACES: 30,
  RETRY_AFTER: 31,
  MIN_EXPIRES: 32,
  ALLOW: 33,
  UNSUPPORTED: 34,
  SERVICE_ROUTE: 35,
  SERVER: 36,
  DATE: 37,
  WARNING: 38,
  SUBJECT: 39,
  CONTENT_ENCODING: 40,
  SESSION_EXPIRES: 41,
  MIN_SE: 42,
  RACK: 43,
  RSEQ: 44,
  REFERRED_BY: 45,
  ALLOW_EVENTS: 46,
  SUBSCRIPTION_STATE: 47,
  ACCEPT: 48,
  ACCEPT_CONTACT: 49,
  REJECT_CONTACT: 50,
  REQUEST_DISPOSITION: 51,
  IDENTITY: 52,
  DIVERSION: 53,
  HISTORY_INFO: 54,
  AUTHENTICATION_INFO: 55,
  SIP_ETAG: 56,
  SIP_IF_MATCH: 57,
  SESSION_ID: 58,
  FLOW_TIMER: 59,
  PRIORITY: 60,
  GEOLOCATION: 61,
  CONTENT_DISPOSITION: 62,
  ORGANIZATION: 63,
} as const

/** Full name, then the compact letter where there is one. */
const NAMES: Readonly<Record<keyof typeof HEADER, readonly [string, string?]>> = {
  OTHER: [''],
  VIA: ['Via', 'v'],
  FROM: ['From', 'f'],
  TO: ['To', 't'],
  CALL_ID: ['Call-ID', 'i'],
  CSEQ: ['CSeq'],
  MAX_FORWARDS: ['Max-Forwards'],
  CONTENT_LENGTH: ['Content-Length', 'l'],
  ROUTE: ['Route'],
  RECORD_ROUTE: ['Record-Route'],
  CONTACT: ['Contact', 'm'],
  REQUIRE: ['Require'],
  PROXY_REQUIRE: ['Proxy-Require'],
  SUPPORTED: ['Supported', 'k'],
  AUTHORIZATION: ['Authorization'],
  PROXY_AUTHORIZATION: ['Proxy-Authorization'],
  WWW_AUTHENTICATE: ['WWW-Authenticate'],
  PROXY_AUTHENTICATE: ['Proxy-Authenticate'],
  EXPIRES: ['Expires'],
  PATH: ['Path'],
  CONTENT_TYPE: ['Content-Type', 'c'],
  P_ASSERTED_IDENTITY: ['P-Asserted-Identity'],
  P_PREFERRED_IDENTITY: ['P-Preferred-Identity'],
  PRIVACY: ['Privacy'],
  USER_AGENT: ['User-Agent'],
  REASON: ['Reason'],
  MAX_BREADTH: ['Max-Breadth'],
  TIMESTAMP: ['Timestamp'],
  EVENT: ['Event', 'o'],
  REFER_TO: ['Refer-To', 'r'],
  REPLACES: ['Replaces'],
  RETRY_AFTER: ['Retry-After'],
  MIN_EXPIRES: ['Min-Expires'],
  ALLOW: ['Allow'],
  UNSUPPORTED: ['Unsupported'],
  SERVICE_ROUTE: ['Service-Route'],
  SERVER: ['Server'],
  DATE: ['Date'],
  WARNING: ['Warning'],
  SUBJECT: ['Subject', 's'],
  CONTENT_ENCODING: ['Content-Encoding', 'e'],
  SESSION_EXPIRES: ['Session-Expires', 'x'],
  MIN_SE: ['Min-SE'],
  RACK: ['RAck'],
  RSEQ: ['RSeq'],
  REFERRED_BY: ['Referred-By', 'b'],
  ALLOW_EVENTS: ['Allow-Events', 'u'],
  SUBSCRIPTION_STATE: ['Subscription-State'],
  ACCEPT: ['Accept'],
  ACCEPT_CONTACT: ['Accept-Contact', 'a'],
  REJECT_CONTACT: ['Reject-Contact', 'j'],
  REQUEST_DISPOSITION: ['Request-Disposition', 'd'],
  IDENTITY: ['Identity', 'y'],
  DIVERSION: ['Diversion'],
  HISTORY_INFO: ['History-Info'],
  AUTHENTICATION_INFO: ['Authentication-Info'],
  SIP_ETAG: ['SIP-ETag'],
  SIP_IF_MATCH: ['SIP-If-Match'],
  SESSION_ID: ['Session-ID'],
  FLOW_TIMER: ['Flow-Timer'],
  PRIORITY: ['Priority'],
  GEOLOCATION: ['Geolocation'],
  CONTENT_DISPOSITION: ['Content-Disposition'],
  ORGANIZATION: ['Organization'],
}

/** Full name of each header, indexed by number; the empty string for OTHER. */
export const HEADER_NAMES: readonly string[] = (Object.keys(HEADER) as (keyof typeof HEADER)[])
  .sort((a, b) => HEADER[a] - HEADER[b])
  .map((key) => NAMES[key][0])

/** All names in lower case behind one another, so that few cache lines hold them; name `id` is at LOWER_AT[id], to LOWER_AT[id + 1]. */
const LOWER_BYTES = Uint8Array.from(Buffer.from(HEADER_NAMES.join('').toLowerCase()))
const LOWER_AT = new Uint16Array(HEADER_NAMES.length + 1)
const COMPACT = new Uint8Array(32)
const SLOTS = 1024
/** First candidate id of a slot; NEXT chains the few that collide. */
const FIRST = new Uint8Array(SLOTS)
const NEXT = new Uint8Array(HEADER_NAMES.length)

function slotOf(first: number, last: number, length: number): number {
  return (((first & 31) << 5) ^ (last & 31) ^ (length << 3)) & (SLOTS - 1)
}

for (const [id, name] of HEADER_NAMES.entries()) LOWER_AT[id + 1] = (LOWER_AT[id] as number) + name.length
for (const key of Object.keys(HEADER) as (keyof typeof HEADER)[]) {
  const id = HEADER[key]
  if (id === HEADER.OTHER) continue
  const compact = NAMES[key][1]
  if (compact !== undefined) COMPACT[compact.charCodeAt(0) & 31] = id
  const name = (HEADER_NAMES[id] as string).toLowerCase()
  const slot = slotOf(name.charCodeAt(0), name.charCodeAt(name.length - 1), name.length)
  NEXT[id] = FIRST[slot] as number
  FIRST[slot] = id
}

/** Number of the header whose name is `buf[start, end)`, which must consist of token characters; `HEADER.OTHER` when unknown. */
export function headerIdOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start
  const first = buf[start] as number
  if (length === 1) return first >= 0x40 ? (COMPACT[first & 31] as number) : HEADER.OTHER
  let id = FIRST[slotOf(first, buf[end - 1] as number, length)] as number
  while (id !== 0 && !sameName(id, buf, start, length)) id = NEXT[id] as number
  return id
}

/** Folding by `| 0x20` is exact here: among token characters only letters fold onto letters, and only '-' onto '-'. */
function sameName(id: number, buf: Uint8Array, start: number, length: number): boolean {
  const at = LOWER_AT[id] as number
  if ((LOWER_AT[id + 1] as number) - at !== length) return false
  for (let k = 0; k < length; k++) if (((buf[start + k] as number) | 0x20) !== LOWER_BYTES[at + k]) return false
  return true
}
