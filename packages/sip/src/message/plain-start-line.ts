// SPDX-License-Identifier: MIT
// Start lines as nearly everybody writes them, read in one pass over SCRATCH: `SIP/2.0 200 OK`, and a request whose URI is
// `sip:[user@]host[:port][;params]`. Anything else gives -1 and is read by scan-start-line.ts, see plain-fields.ts.
import { LIMITS } from '../limits.ts'
import { URI_SCHEME } from '../uri/uri-view.ts'
import { AT, CLASS, COLON, CR, HOST, LF, QUESTION, SEMICOLON, SP, TOKEN, URI_CHAR } from './chars.ts'
import type { SipMessage } from './message.ts'
import { methodOf } from './method-ids.ts'
import { decimalAt, decimalEnd, SCRATCH, skipIn, WORDS, word } from './scratch.ts'

const SIP_SLASH = word('SIP/')
const VERSION = word('2.0 ')
const VERSION_END = word('2.0\r')
const SIP_COLON = word('sip:')

/** Offset in SCRATCH behind the start line, or -1: not plain. SCRATCH begins with the message, which is at `from` in its buffer. */
export function plainStartLine(msg: SipMessage, from: number): number {
  return WORDS.getInt32(0, true) === SIP_SLASH ? plainStatusLine(msg, from) : plainRequestLine(msg, from)
}

function plainStatusLine(msg: SipMessage, from: number): number {
  if (WORDS.getInt32(4, true) !== VERSION) return -1
  const status = decimalAt(8)
  if (decimalEnd !== 11 || status < 100 || status > 699 || SCRATCH[11] !== SP) return -1
  let i = 12
  while ((SCRATCH[i] as number) >= SP) i++
  if (SCRATCH[i] !== CR || SCRATCH[i + 1] !== LF || i > LIMITS.lineBytes) return -1
  msg.status = status
  msg.reasonStart = from + 12
  msg.reasonEnd = from + i
  return i + 2
}

function plainRequestLine(msg: SipMessage, from: number): number {
  const methodEnd = skipIn(0, TOKEN)
  if (methodEnd === 0 || SCRATCH[methodEnd] !== SP) return -1
  const uri = methodEnd + 1
  const uriEnd = plainUri(uri)
  if (uriEnd < 0) return -1
  if (WORDS.getInt32(uriEnd + 1, true) !== SIP_SLASH || WORDS.getInt32(uriEnd + 5, true) !== VERSION_END) return -1
  if (SCRATCH[uriEnd + 9] !== LF || uriEnd > LIMITS.lineBytes - 16) return -1
  msg.isRequest = true
  msg.method = methodOf(SCRATCH, 0, methodEnd)
  msg.methodStart = from
  msg.methodEnd = from + methodEnd
  msg.uriStart = from + uri
  msg.uriEnd = from + uriEnd
  msg.uriScheme = URI_SCHEME.SIP
  if (userEnd >= 0) {
    msg.uriUserStart = from + uri + 4
    msg.uriUserEnd = from + userEnd
  }
  msg.uriHostStart = from + hostStart
  msg.uriHostEnd = from + hostEnd
  msg.uriPort = port
  msg.uriParamsStart = from + paramsStart
  return uriEnd + 10
}

let userEnd = -1
let hostStart = -1
let hostEnd = -1
let port = -1
let paramsStart = -1

/** Its end, where a SP is, with its parts in the variables above (no user part: `userEnd` is -1); -1: not plain. */
function plainUri(at: number): number {
  if (WORDS.getInt32(at, true) !== SIP_COLON) return -1
  let i = skipIn(at + 4, TOKEN)
  const hasUser = SCRATCH[i] === AT
  if (hasUser && i === at + 4) return -1
  userEnd = hasUser ? i : -1
  hostStart = hasUser ? i + 1 : at + 4
  i = skipIn(hostStart, HOST)
  hostEnd = i
  if (i === hostStart) return -1
  port = -1
  if (SCRATCH[i] === COLON) {
    port = decimalAt(i + 1)
    if (port < 1 || port > 65535) return -1
    i = decimalEnd
  }
  paramsStart = i
  if (SCRATCH[i] === SEMICOLON) i = skipParams(i)
  return SCRATCH[i] === SP ? i : -1
}

/** An '@' would begin the host only now, a '?' headers. */
function skipParams(at: number): number {
  let i = at
  while (((CLASS[SCRATCH[i] as number] as number) & URI_CHAR) !== 0 && SCRATCH[i] !== AT && SCRATCH[i] !== QUESTION) i++
  return i
}
