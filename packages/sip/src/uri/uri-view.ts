// SPDX-License-Identifier: MIT
// A URI as offsets into bytes: sip, sips (RFC 3261 §19.1, §25.1), tel (RFC 3966), and any other absolute URI.
// Liberal in the characters of the user part, exact in host and port, because we send to these. Leaves escapes alone.
import {
  ALPHA,
  AT,
  bytesOf,
  CLASS,
  COLON,
  DIGIT,
  HEX,
  HOST,
  isWord,
  LBRACKET,
  parseDecimal,
  QUESTION,
  RBRACKET,
  SEMICOLON,
  skipClass,
  TOKEN,
  URI_CHAR,
} from '../message/chars.ts'

export const URI_SCHEME = { OTHER: 0, SIP: 1, SIPS: 2, TEL: 3 } as const

const SIP = bytesOf('sip')
const SIPS = bytesOf('sips')
const TEL = bytesOf('tel')
const DOT = 46

/** Offsets of a URI's parts, -1 where absent. `tel`: the number is in the user part. Other schemes: only scheme and ends. */
export class UriView {
  scheme: number = URI_SCHEME.OTHER
  start = -1
  end = -1
  schemeEnd = -1
  userStart = -1
  userEnd = -1
  passwordStart = -1
  passwordEnd = -1
  /** With the brackets of an IPv6 reference. */
  hostStart = -1
  hostEnd = -1
  port = -1
  /** First ';' or where parameters would begin; paramsEnd is exclusive. */
  paramsStart = -1
  paramsEnd = -1
  /** Behind the '?'. */
  headersStart = -1
}

function clear(out: UriView, start: number, end: number): void {
  out.scheme = URI_SCHEME.OTHER
  out.start = start
  out.end = end
  out.schemeEnd = -1
  out.userStart = -1
  out.userEnd = -1
  out.passwordStart = -1
  out.passwordEnd = -1
  out.hostStart = -1
  out.hostEnd = -1
  out.port = -1
  out.paramsStart = end
  out.paramsEnd = end
  out.headersStart = -1
}

/** Fills `out` from the URI that is exactly [start, end). False: it breaks the grammar, and `out` is of no use. */
export function parseUriView(buf: Uint8Array, start: number, end: number, out: UriView): boolean {
  clear(out, start, end)
  const colon = findSchemeEnd(buf, start, end)
  if (colon < 0 || colon + 1 >= end) return false
  out.schemeEnd = colon
  out.scheme = schemeOf(buf, start, colon)
  if (out.scheme === URI_SCHEME.SIP || out.scheme === URI_SCHEME.SIPS) return parseSip(buf, colon + 1, end, out)
  if (out.scheme === URI_SCHEME.TEL) return parseTel(buf, colon + 1, end, out)
  return skipClass(buf, colon + 1, end, URI_CHAR) === end
}

function findSchemeEnd(buf: Uint8Array, start: number, end: number): number {
  if (start >= end || ((CLASS[buf[start] as number] as number) & ALPHA) === 0) return -1
  let i = start
  while (i < end && buf[i] !== COLON) {
    if (((CLASS[buf[i] as number] as number) & TOKEN) === 0) return -1
    i++
  }
  return i < end ? i : -1
}

function schemeOf(buf: Uint8Array, start: number, end: number): number {
  if (isWord(buf, start, end, SIP)) return URI_SCHEME.SIP
  if (isWord(buf, start, end, SIPS)) return URI_SCHEME.SIPS
  return isWord(buf, start, end, TEL) ? URI_SCHEME.TEL : URI_SCHEME.OTHER
}

/** An '@' can't stand unescaped behind the host, so the only one ends the user part, whatever it holds [RFC4475-3.1.1.9]. */
function parseSip(buf: Uint8Array, at: number, end: number, out: UriView): boolean {
  let user = -1
  for (let i = at; i < end; i++) {
    const c = buf[i] as number
    if (((CLASS[c] as number) & URI_CHAR) === 0) return false
    if (c === AT) {
      if (user >= 0) return false
      user = i
    }
  }
  if (user === at) return false
  if (user > at) splitUser(buf, at, user, out)
  const hostStart = user < 0 ? at : user + 1
  const hostEnd = hostEndOf(buf, hostStart, end)
  if (hostEnd <= hostStart) return false
  out.hostStart = hostStart
  out.hostEnd = hostEnd
  return parsePortAndRest(buf, hostEnd, end, out)
}

function splitUser(buf: Uint8Array, at: number, user: number, out: UriView): void {
  let colon = at
  while (colon < user && buf[colon] !== COLON) colon++
  out.userStart = at
  out.userEnd = colon
  if (colon < user) {
    out.passwordStart = colon + 1
    out.passwordEnd = user
  }
}

function parsePortAndRest(buf: Uint8Array, at: number, end: number, out: UriView): boolean {
  let i = at
  if (i < end && buf[i] === COLON) {
    const portEnd = skipClass(buf, i + 1, end, DIGIT)
    out.port = parseDecimal(buf, i + 1, portEnd, 65535)
    if (out.port < 1) return false
    i = portEnd
  }
  if (i < end && buf[i] !== SEMICOLON && buf[i] !== QUESTION) return false
  out.paramsStart = i
  while (i < end && buf[i] !== QUESTION) i++
  out.paramsEnd = i
  if (i < end) out.headersStart = i + 1
  return true
}

/** End of the host that begins at `at`: a name, an IPv4 address or a bracketed IPv6 address. -1: none. */
export function hostEndOf(buf: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1
  if (buf[at] !== LBRACKET) return skipClass(buf, at, end, HOST)
  let colons = 0
  let i = at + 1
  for (; i < end && buf[i] !== RBRACKET; i++) {
    const c = buf[i] as number
    if (c === COLON) colons++
    else if (((CLASS[c] as number) & HEX) === 0 && c !== DOT) return -1
  }
  // Two colons at least; a third in a row is the slip of RFC 3261's grammar, to be tolerated [RFC5118-4.10].
  return i < end && colons >= 2 && i - at <= 48 ? i + 1 : -1
}

function parseTel(buf: Uint8Array, at: number, end: number, out: UriView): boolean {
  if (skipClass(buf, at, end, URI_CHAR) !== end) return false
  let i = at
  while (i < end && buf[i] !== SEMICOLON) i++
  out.userStart = at
  out.userEnd = i
  out.paramsStart = i
  return isTelNumber(buf, at, i)
}

/** '+' and digits, or the local alphabet, with visual separators: RFC 3966 §3. At least one digit. */
function isTelNumber(buf: Uint8Array, start: number, end: number): boolean {
  const global = start < end && buf[start] === 43
  let digits = 0
  for (let i = global ? start + 1 : start; i < end; i++) {
    const c = buf[i] as number
    const bits = CLASS[c] as number
    if ((bits & DIGIT) !== 0) digits++
    else if (!global && ((bits & HEX) !== 0 || c === 42 || c === 35)) digits++
    else if (c !== 45 && c !== DOT && c !== 40 && c !== 41) return false
  }
  return digits > 0
}
