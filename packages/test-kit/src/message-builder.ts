// SPDX-License-Identifier: MIT
// Composes SIP messages as text for tests. It shares nothing with @tandem/sip on purpose: what reads a message is not tested with what
// wrote the reader. Values that are not given are fixed, so that expected texts can be written down.

export interface RequestParts {
  readonly method?: string
  readonly uri?: string
  /** Top Via first. A whole value, 'SIP/2.0/UDP host:port;branch=…'. */
  readonly via?: string | readonly string[]
  readonly from?: string
  readonly to?: string
  readonly callId?: string
  readonly cseq?: number
  readonly maxForwards?: number | undefined
  readonly contact?: string | undefined
  /** Further lines without CRLF, before Content-Length. */
  readonly headers?: readonly string[]
  readonly body?: string
  /** null leaves the header out. */
  readonly contentLength?: number | string | null
}

export interface ResponseParts {
  readonly reason?: string
  readonly toTag?: string | undefined
  readonly contact?: string | undefined
  readonly headers?: readonly string[]
  readonly body?: string
  readonly contentLength?: number | string | null
}

const DEFAULT_VIA = 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-test-1'

export function buildRequest(parts: RequestParts = {}): string {
  const method = parts.method ?? 'INVITE'
  const uri = parts.uri ?? 'sip:bob@example.test'
  const vias = parts.via === undefined ? [DEFAULT_VIA] : typeof parts.via === 'string' ? [parts.via] : parts.via
  const maxForwards = 'maxForwards' in parts ? parts.maxForwards : 70
  const lines = [`${method} ${uri} SIP/2.0`, ...vias.map((via) => `Via: ${via}`)]
  if (maxForwards !== undefined) lines.push(`Max-Forwards: ${maxForwards}`)
  lines.push(`From: ${parts.from ?? '<sip:alice@example.test>;tag=a1'}`)
  lines.push(`To: ${parts.to ?? '<sip:bob@example.test>'}`)
  lines.push(`Call-ID: ${parts.callId ?? 'call-1@192.0.2.1'}`, `CSeq: ${parts.cseq ?? 1} ${method}`)
  if (parts.contact !== undefined) lines.push(`Contact: ${parts.contact}`)
  return finish(lines, parts)
}

/** A response with the Via, From, To, Call-ID, CSeq and Record-Route lines of the request, RFC 3261 §8.2.6. */
export function buildResponse(request: string, status: number, parts: ResponseParts = {}): string {
  const lines = [`SIP/2.0 ${status} ${parts.reason ?? 'Test'}`]
  for (const line of headerLines(request)) {
    const name = nameOf(line)
    if (name === 'to') lines.push(withTag(line, parts.toTag))
    else if (COPIED.has(name)) lines.push(line)
  }
  if (parts.contact !== undefined) lines.push(`Contact: ${parts.contact}`)
  return finish(lines, parts)
}

/** All values of a header in a message, in order, by its long name; compact forms of the common headers are found too. */
export function headerValues(message: string, name: string): string[] {
  const wanted = name.toLowerCase()
  return headerLines(message)
    .filter((line) => nameOf(line) === wanted)
    .map((line) => line.slice(line.indexOf(':') + 1).trim())
}

/** The first line. */
export function startLine(message: string): string {
  return message.slice(0, Math.max(0, message.indexOf('\r\n')))
}

const COMPACT: Readonly<Record<string, string>> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
  c: 'content-type',
  k: 'supported',
}
const COPIED = new Set(['via', 'from', 'call-id', 'cseq', 'record-route'])

function headerLines(message: string): string[] {
  const head = message.slice(0, Math.max(0, message.indexOf('\r\n\r\n')))
  return head
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .slice(1)
}

function nameOf(line: string): string {
  const name = line
    .slice(0, Math.max(0, line.indexOf(':')))
    .trim()
    .toLowerCase()
  return COMPACT[name] ?? name
}

function withTag(to: string, tag: string | undefined): string {
  return tag === undefined || /;\s*tag=/i.test(to) ? to : `${to};tag=${tag}`
}

function finish(lines: string[], parts: Pick<RequestParts, 'headers' | 'body' | 'contentLength'>): string {
  const body = parts.body ?? ''
  const length = parts.contentLength === undefined ? Buffer.byteLength(body) : parts.contentLength
  if (parts.headers !== undefined) lines.push(...parts.headers)
  if (length !== null) lines.push(`Content-Length: ${length}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
