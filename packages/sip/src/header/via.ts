// SPDX-License-Identifier: MIT
// One via-parm (RFC 3261 §20.42, §25.1) as offsets: transport, sent-by, branch, rport (RFC 3581), received, maddr.
// Exact in host and port, because responses go there; liberal in other parameters. White space as §25.1's SLASH and COLON allow.
import {
  bytesOf,
  COLON,
  COMMA,
  DIGIT,
  HOST,
  isWord,
  parseDecimal,
  SLASH,
  skipClass,
  skipLws,
  TOKEN,
} from '../message/chars.ts'
import { hostEndOf } from '../uri/uri-view.ts'
import { ParamCursor } from './param-cursor.ts'

/** Transport numbers of Via and of transport parameters. */
export const TRANSPORT = { OTHER: 0, UDP: 1, TCP: 2, TLS: 3, WS: 4, WSS: 5, SCTP: 6 } as const

/** Upper-case name of each transport, as a Via carries it; the empty string for OTHER. */
export const TRANSPORT_NAMES: readonly string[] = ['', 'UDP', 'TCP', 'TLS', 'WS', 'WSS', 'SCTP']
const TRANSPORT_WORDS = TRANSPORT_NAMES.map((name) => bytesOf(name.toLowerCase()))

const BRANCH = bytesOf('branch')
const RPORT = bytesOf('rport')
const RECEIVED = bytesOf('received')
const MADDR = bytesOf('maddr')

export class ViaView {
  start = -1
  /** Behind the last byte of this via-parm, white space excluded. */
  end = -1
  /** Start of what follows the comma, or -1 when this is the value's last. */
  nextStart = -1
  transport: number = TRANSPORT.OTHER
  hostStart = -1
  hostEnd = -1
  port = -1
  branchStart = -1
  branchEnd = -1
  rportStart = -1
  rportEnd = -1
  /** Value of rport, or -1. */
  rport = -1
  receivedStart = -1
  receivedEnd = -1
  receivedValueStart = -1
  maddrStart = -1
  maddrEnd = -1
}

const params = new ParamCursor()

function clear(out: ViaView): void {
  out.nextStart = -1
  out.transport = TRANSPORT.OTHER
  out.hostStart = -1
  out.hostEnd = -1
  out.port = -1
  out.branchStart = -1
  out.branchEnd = -1
  out.rportStart = -1
  out.rportEnd = -1
  out.rport = -1
  out.receivedStart = -1
  out.receivedEnd = -1
  out.receivedValueStart = -1
  out.maddrStart = -1
  out.maddrEnd = -1
}

/** Transport number of the token [start, end). */
export function transportOf(buf: Uint8Array, start: number, end: number): number {
  for (let id = 1; id < TRANSPORT_WORDS.length; id++) {
    if (isWord(buf, start, end, TRANSPORT_WORDS[id] as Uint8Array)) return id
  }
  return TRANSPORT.OTHER
}

/**
 * Parses the first via-parm of [start, end) into `out`. False: bad syntax, `out.end` is then where it was found, and `out.hostStart`
 * is set only when transport and sent-by are sound.
 */
export function parseVia(buf: Uint8Array, start: number, end: number, out: ViaView): boolean {
  clear(out)
  const at = skipLws(buf, start, end)
  out.start = at
  out.end = at
  const afterProtocol = parseProtocol(buf, at, end, out)
  if (afterProtocol < 0) return false
  const afterSentBy = parseSentBy(buf, afterProtocol, end, out)
  return afterSentBy >= 0 && parseParams(buf, afterSentBy, end, out)
}

/**
 * `SIP / 2.0 / UDP`: returns the offset behind the white space after it, or -1. Name and version may be any tokens by §25.1, so that
 * a request of another version gets its 505.
 */
function parseProtocol(buf: Uint8Array, at: number, end: number, out: ViaView): number {
  const nameEnd = skipClass(buf, at, end, TOKEN)
  const version = nameEnd > at ? skipSlash(buf, nameEnd, end) : -1
  if (version < 0) return -1
  const versionEnd = skipClass(buf, version, end, TOKEN)
  const transport = versionEnd > version ? skipSlash(buf, versionEnd, end) : -1
  if (transport < 0) return -1
  const transportEnd = skipClass(buf, transport, end, TOKEN)
  out.transport = transportOf(buf, transport, transportEnd)
  out.end = transportEnd
  const next = skipLws(buf, transportEnd, end)
  return transportEnd > transport && next > transportEnd ? next : -1
}

function skipSlash(buf: Uint8Array, at: number, end: number): number {
  const slash = skipLws(buf, at, end)
  return slash < end && buf[slash] === SLASH ? skipLws(buf, slash + 1, end) : -1
}

function parseSentBy(buf: Uint8Array, at: number, end: number, out: ViaView): number {
  const hostEnd = hostEndOf(buf, at, end)
  if (hostEnd <= at) return -1
  out.hostEnd = hostEnd
  out.end = hostEnd
  const colon = skipLws(buf, hostEnd, end)
  if (colon >= end || buf[colon] !== COLON) {
    out.hostStart = at
    return hostEnd
  }
  const portStart = skipLws(buf, colon + 1, end)
  const portEnd = skipClass(buf, portStart, end, DIGIT)
  out.port = parseDecimal(buf, portStart, portEnd, 65535)
  if (out.port < 1 || skipClass(buf, portEnd, end, HOST) > portEnd) return -1
  out.hostStart = at
  out.end = portEnd
  return portEnd
}

/** Two branches, or an empty one, could match two transactions: refused. */
function parseParams(buf: Uint8Array, at: number, end: number, out: ViaView): boolean {
  params.reset(buf, at, end)
  while (params.next()) {
    out.end = params.valueEnd < 0 ? params.nameEnd : params.valueEnd
    if (!takeParam(buf, out)) return false
  }
  if (params.failed) return false
  const i = params.offset
  if (i >= end) return true
  if (buf[i] !== COMMA) return false
  out.nextStart = i + 1
  return true
}

function takeParam(buf: Uint8Array, out: ViaView): boolean {
  if (params.isNamed(BRANCH)) {
    if (out.branchStart >= 0 || params.valueEnd <= params.valueStart) return false
    out.branchStart = params.valueStart
    out.branchEnd = params.valueEnd
  } else if (params.isNamed(RPORT)) {
    out.rportStart = params.nameStart
    out.rportEnd = out.end
    out.rport = parseDecimal(buf, params.valueStart, params.valueEnd, 65535)
  } else if (params.isNamed(RECEIVED)) {
    out.receivedStart = params.nameStart
    out.receivedEnd = out.end
    out.receivedValueStart = params.valueStart
  } else if (params.isNamed(MADDR)) {
    out.maddrStart = params.valueStart
    out.maddrEnd = params.valueEnd
  }
  return true
}
