// SPDX-License-Identifier: MIT
//
// Everything of @tandem/sip that untrusted bytes can reach, done to one message: scan, every header by its typed reader, the edits of a
// proxy, the answer that we would give. Throws where something throws, or where what we accept and write is not what we accept again.
import {
  canonicalAor,
  Edits,
  editForwardedRequest,
  encodeForwardedResponse,
  encodeResponse,
  encodeUri,
  HEADER,
  headerId,
  headerLineEnd,
  headerLineStart,
  headerValue,
  headerValueEnd,
  headerValueStart,
  parseAuth,
  parseContacts,
  parseCSeq,
  parseNameAddr,
  parseParams,
  parseRouteUri,
  parseUri,
  parseVia,
  SCAN_ERROR,
  SipMessage,
  scan,
  UriView,
  uriKey,
  ValueCursor,
  ViaView,
} from '@tandem/sip'

const msg = new SipMessage()
const again = new SipMessage()
const edits = new Edits()
const via = new ViaView()
const uri = new UriView()
const cursor = new ValueCursor()
const out = Buffer.alloc(200_000)

/** Returns the code of scan(). */
export function takeApart(buf: Buffer, start: number, end: number): number {
  const code = scan(msg, buf, start, end)
  if (code !== SCAN_ERROR.NONE) {
    if (msg.errorOffset < start || msg.errorOffset > end) throw new Error(`error at ${msg.errorOffset}, outside`)
    if (msg.isRequest && msg.answerable) encodeResponse(msg, 400, 'Bad Request', { toTag: 't' }, out, 0)
    return code
  }
  checkOffsets(start, end)
  readHeaders()
  if (msg.isRequest) writeRequest()
  else encodeForwardedResponse(msg, out, 0)
  checkClone()
  return code
}

function checkOffsets(start: number, end: number): void {
  if (msg.start < start || msg.end > end || msg.bodyStart > msg.end) throw new Error('message outside of its bytes')
  let at = msg.headersStart
  for (let k = 0; k < msg.headerCount; k++) {
    const offsets = [headerLineStart(msg, k), headerValueStart(msg, k), headerValueEnd(msg, k), headerLineEnd(msg, k)]
    for (const offset of offsets) {
      if (offset < at || offset > msg.headersEnd) throw new Error(`header ${k} has an offset outside: ${offsets}`)
      at = offset
    }
  }
}

function readHeaders(): void {
  for (let k = 0; k < msg.headerCount; k++) {
    const value = headerValue(msg, k)
    const id = headerId(msg, k)
    if (id === HEADER.AUTHORIZATION || id === HEADER.PROXY_AUTHORIZATION) parseAuth(value)
    if (id === HEADER.CSEQ) parseCSeq(value)
    readValues(id, k)
    parseParams(msg.buf, headerValueStart(msg, k), headerValueEnd(msg, k))
  }
  parseContacts(msg)
  parseNameAddr(msg.text(msg.fromStart, msg.fromEnd))
  parseNameAddr(msg.text(msg.toStart, msg.toEnd))
  if (msg.isRequest) readUri(msg.text(msg.uriStart, msg.uriEnd))
}

function readValues(id: number, index: number): void {
  cursor.resetToHeader(msg, index)
  while (cursor.next()) {
    if (cursor.end < cursor.start) throw new Error('a value ends before it begins')
    if (id === HEADER.VIA) parseVia(msg.buf, cursor.start, cursor.end, via)
    if (id === HEADER.ROUTE || id === HEADER.RECORD_ROUTE) parseRouteUri(msg.buf, cursor.start, cursor.end, uri)
  }
}

function readUri(text: string): void {
  const parsed = parseUri(text)
  if (parsed === undefined) return
  canonicalAor(parsed)
  uriKey(parsed)
  if (parseUri(encodeUri(parsed)) === undefined) throw new Error('a URI that we wrote is none to us')
}

const VIA = 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKfuzz\r\n'

/** What we accept and forward we must accept again, with our Via on top and the next hop's view of the rest unchanged. */
function writeRequest(): void {
  editForwardedRequest(msg, edits, {
    uri: 'sip:bob@192.0.2.30:5060',
    via: VIA,
    recordRoute: 'Record-Route: <sip:AQ@192.0.2.1:5060;lr>\r\n',
    route: '',
    added: '',
    popRoutes: 0,
    strict: false,
    maxBreadth: 0,
    sourceAddress: '192.0.2.20',
    sourcePort: 5060,
    stream: true,
  })
  // At Max-Forwards 0 nothing is forwarded.
  if (msg.maxForwards !== 0) {
    checkAgain(edits.encodeInto(out, 0), 'the forwarded request')
    if (again.text(again.viaBranchStart, again.viaBranchEnd) !== 'z9hG4bKfuzz') throw new Error('our Via is not on top')
    if (again.end - again.bodyStart !== msg.end - msg.bodyStart) throw new Error('the body has another length')
  }
  checkAgain(
    encodeResponse(msg, 404, 'Not Found', { toTag: 't', received: '192.0.2.20', rport: 5060 }, out, 0),
    'the response',
  )
}

function checkAgain(end: number, what: string): void {
  const code = scan(again, out, 0, end)
  // What we add may take a message of the largest size above a limit.
  if (code === SCAN_ERROR.LINE_TOO_LONG || code === SCAN_ERROR.TOO_MANY_HEADERS) return
  if (code !== SCAN_ERROR.NONE) throw new Error(`${what} is refused by ourselves: code ${code}`)
  if (again.text(again.callIdStart, again.callIdEnd) !== msg.text(msg.callIdStart, msg.callIdEnd)) {
    throw new Error(`${what} has another Call-ID`)
  }
}

function checkClone(): void {
  const copy = msg.clone()
  if (copy.text(copy.start, copy.end) !== msg.text(msg.start, msg.end)) throw new Error('a clone differs')
}
