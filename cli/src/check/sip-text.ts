// SPDX-License-Identifier: MIT
//
// Messages of the checking phones as text: what two phones that know each other need, and no more. Header fields are found by their long
// names and the compact ones of those few.
export const CRLF = '\r\n'

const COMPACT: Readonly<Record<string, string>> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
}
const COPIED = new Set(['via', 'from', 'to', 'call-id', 'cseq', 'record-route'])

/** Name in lower case, and the line. */
function linesOf(message: string): [string, string][] {
  const head = message.slice(0, message.indexOf(CRLF + CRLF)).replace(/\r\n[ \t]+/g, ' ')
  return head
    .split(CRLF)
    .slice(1)
    .map((line) => {
      const name = line.slice(0, line.indexOf(':')).trim().toLowerCase()
      return [COMPACT[name] ?? name, line]
    })
}

/** Every value of a header, a line each. */
export function headersOf(message: string, name: string): string[] {
  return linesOf(message)
    .filter(([found]) => found === name)
    .map(([, line]) => line.slice(line.indexOf(':') + 1).trim())
}

export const headerOf = (message: string, name: string): string => headersOf(message, name)[0] ?? ''
export const methodOf = (message: string): string => message.slice(0, message.indexOf(' '))
/** NaN for a request. */
export const statusOf = (message: string): number =>
  message.startsWith('SIP/2.0 ') ? Number(message.slice(8, 11)) : Number.NaN
export const startLineOf = (message: string): string => message.slice(0, message.indexOf(CRLF))
/** Of a name-addr or an addr-spec. */
export const uriOf = (value: string): string => /<([^>]*)>/.exec(value)?.[1] ?? value.replace(/;.*$/, '').trim()

export interface Request {
  readonly method: string
  readonly uri: string
  readonly via: string
  readonly from: string
  readonly to: string
  readonly callId: string
  readonly cseq: number
  /** Whole lines. */
  readonly lines?: readonly string[]
  readonly body?: string
}

/** [RFC3261-8.1.1] */
export function requestText({ method, uri, via, from, to, callId, cseq, lines = [], body = '' }: Request): string {
  const type = body === '' ? [] : ['Content-Type: application/sdp']
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: ${via}`,
    'Max-Forwards: 70',
    `From: ${from}`,
    `To: ${to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    'User-Agent: tandem-check',
    ...lines,
    ...type,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join(CRLF)
}

/** [RFC3261-8.2.6] @param tag of To, where it has none yet */
export function responseText(
  request: string,
  status: string,
  tag: string,
  lines: readonly string[] = [],
  body = '',
): string {
  const copied = linesOf(request)
    .filter(([name]) => COPIED.has(name))
    .map(([name, line]) => (name === 'to' && !/;\s*tag=/i.test(line) ? `${line};tag=${tag}` : line))
  const type = body === '' ? [] : ['Content-Type: application/sdp']
  const head = [`SIP/2.0 ${status}`, ...copied, ...lines, ...type, `Content-Length: ${Buffer.byteLength(body)}`]
  return [...head, '', body].join(CRLF)
}

/** Takes whole messages off a stream's text; what is left waits for more. */
export function splitStream(text: string): { messages: string[]; rest: string } {
  const messages: string[] = []
  let rest = text.replace(/^(?:\r\n)+/, '')
  for (;;) {
    const head = rest.indexOf(CRLF + CRLF)
    if (head === -1) return { messages, rest }
    const end = head + 4 + Number(headerOf(rest.slice(0, head + 4), 'content-length') || 0)
    if (rest.length < end) return { messages, rest }
    messages.push(rest.slice(0, end))
    rest = rest.slice(end).replace(/^(?:\r\n)+/, '')
  }
}
