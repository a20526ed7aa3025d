// SPDX-License-Identifier: MIT
// CSeq and RAck as values (RFC 3261 §20.16, RFC 3262 §7.2). scan() decodes a message's own CSeq without this.
import { LIMITS } from '../limits.ts'

export interface CSeq {
  readonly number: number
  readonly method: string
}

const CSEQ = /^(\d+)[ \t\r\n]+([A-Za-z0-9\-.!%*_+`'~]+)$/

/** Undefined: bad syntax, or a number of 2^31 or more [RFC3261-8.1.1.5]. */
export function parseCSeq(text: string): CSeq | undefined {
  const match = CSEQ.exec(text)
  const number = Number(match?.[1])
  return match?.[2] === undefined || number > LIMITS.cseqMax ? undefined : { number, method: match[2] }
}
