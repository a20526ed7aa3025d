// SPDX-License-Identifier: MIT
//
// The OPTIONS by which an edge asks itself, and how it knows it again: by the word in front of the at sign of the Request-URI.

export interface Question {
  readonly kind: 'udp' | 'tcp' | 'tls'
  /** Numeric, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** The same for all questions of one process: 18 hexadecimal digits. */
  readonly word: string
  /** Tells them apart. */
  readonly count: number
}

const HEAD = 'OPTIONS sip:ready-'
const WORD_CHARS = 18

/** @param localPort where the answer is expected */
export function encodeQuestion({ kind, host, port, word, count }: Question, localPort: number): Buffer {
  const place = host.includes(':') ? `[${host}]` : host
  const lines = [
    `${HEAD}${word}@${place}:${port} SIP/2.0`,
    `Via: SIP/2.0/${kind.toUpperCase()} ${place}:${localPort};branch=z9hG4bK${word}${count};rport`,
    'Max-Forwards: 0',
    `From: <sip:ready@${place}>;tag=${word}${count}`,
    `To: <sip:ready@${place}>`,
    `Call-ID: ${word}${count}@ready.invalid`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '\r\n',
  ]
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** The word of a question; of anything else what stands there, which may be nothing. */
export function questionOf(buf: Buffer, start: number): string {
  return buf.toString('latin1', start + HEAD.length, start + HEAD.length + WORD_CHARS)
}

/** Any final response is one: also 503 shows that SIP is spoken there. */
export function isAnswer(bytes: Buffer): boolean {
  return /^SIP\/2\.0 [2-6]/.test(bytes.latin1Slice(0, 9))
}
