// SPDX-License-Identifier: MIT
// name-addr and addr-spec as offsets: From, To, Contact, Route, Record-Route, Path, Refer-To, … (RFC 3261 §25.1, RFC 8217).
// A bare addr-spec ends at the first ';', which begins the header's parameters [RFC4475-3.3.12]; a bare '?' is refused [RFC8217-4].
// Needs no space between display name and '<' [RFC4475-3.1.1.6]. The URI itself is checked by parseUriView.
import {
  BACKSLASH,
  CLASS,
  COLON,
  COMMA,
  DQUOTE,
  GREATER,
  LESS,
  LWS,
  QUESTION,
  SEMICOLON,
  skipLws,
  skipQuoted,
  TOKEN,
  trimLws,
  URI_CHAR,
} from '../message/chars.ts'

export class NameAddrView {
  /** Display name with its quotes, -1 when absent. */
  displayStart = -1
  displayEnd = -1
  uriStart = -1
  uriEnd = -1
  /** Where the parameters begin (the first ';' or white space before it); they run to the end of the value. */
  paramsStart = -1
}

/** Parses [start, end), one value that the commas have been split from. False: bad syntax. */
export function parseNameAddrView(buf: Uint8Array, start: number, end: number, out: NameAddrView): boolean {
  out.displayStart = -1
  out.displayEnd = -1
  const at = skipLws(buf, start, end)
  if (at >= end) return false
  const c = buf[at]
  if (c === LESS) return parseBracketed(buf, at, end, out)
  if (c === DQUOTE) return parseQuotedDisplay(buf, at, end, out)
  const less = findLess(buf, at, end)
  if (less < 0) return parseBare(buf, at, end, out)
  if (less >= end) return false
  out.displayStart = at
  out.displayEnd = trimLws(buf, at, less)
  return parseBracketed(buf, less, end, out)
}

function parseQuotedDisplay(buf: Uint8Array, at: number, end: number, out: NameAddrView): boolean {
  const close = skipQuoted(buf, at, end)
  if (close < 0) return false
  out.displayStart = at
  out.displayEnd = close
  const less = skipLws(buf, close, end)
  return less < end && buf[less] === LESS && parseBracketed(buf, less, end, out)
}

/**
 * Offset of the '<' behind unquoted display tokens; -1: there is none before anything that only a bare URI may hold, so it is one;
 * `end`: bad. A comma or a quote in an unquoted display name is refused [RFC4475-3.1.2.15].
 */
function findLess(buf: Uint8Array, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const c = buf[i] as number
    if (c === LESS) return i
    if (((CLASS[c] as number) & (TOKEN | LWS)) !== 0 || c >= 0x80) continue
    if (c === COLON || c === SEMICOLON) return -1
    if (c === COMMA || c === DQUOTE || c === BACKSLASH || c < 32) return end
  }
  return -1
}

function parseBracketed(buf: Uint8Array, less: number, end: number, out: NameAddrView): boolean {
  let i = less + 1
  while (i < end && ((CLASS[buf[i] as number] as number) & URI_CHAR) !== 0) i++
  if (i >= end || buf[i] !== GREATER || i === less + 1) return false
  out.uriStart = less + 1
  out.uriEnd = i
  out.paramsStart = i + 1
  return true
}

function parseBare(buf: Uint8Array, at: number, end: number, out: NameAddrView): boolean {
  let i = at
  while (i < end && buf[i] !== SEMICOLON && ((CLASS[buf[i] as number] as number) & URI_CHAR) !== 0) {
    if (buf[i] === COMMA || buf[i] === QUESTION) return false
    i++
  }
  if (i === at) return false
  out.uriStart = at
  out.uriEnd = i
  out.paramsStart = i
  return true
}
