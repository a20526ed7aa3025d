// SPDX-License-Identifier: MIT
//
// The challenges of several branches in one response (RFC 3261 section 16.7, step 7): the header lines of every 401 and 407 that
// did not go upstream are kept as texts, and put into the one that does.
//
// Invariants: a line goes up as it came, once, behind those of the chosen response and in the order of arrival. What is
// kept of one request has a bound: a downstream that sends endless challenges costs no more than that.

import type { Buffer } from 'node:buffer'
import { type Edits, findHeader, HEADER, headerLineEnd, headerLineStart, type SipMessage } from '../message/index.ts'

/** Header lines kept for one request, and their bytes. */
export const MAX_CHALLENGE_LINES = 16
export const MAX_CHALLENGE_BYTES = 4_096

export function isChallenge(status: number): boolean {
  return status === 401 || status === 407
}

/** The challenges seen in the branches of one request. */
export class Challenges {
  private readonly lines: string[] = []
  private bytes = 0

  /** Keeps the lines of a 401 or 407. @returns lines for which there was no room */
  add(msg: SipMessage): number {
    return this.addAll(msg, HEADER.WWW_AUTHENTICATE) + this.addAll(msg, HEADER.PROXY_AUTHENTICATE)
  }

  private addAll(msg: SipMessage, id: number): number {
    let dropped = 0
    for (let k = findHeader(msg, id); k >= 0; k = findHeader(msg, id, k + 1)) {
      const line = msg.text(headerLineStart(msg, k), headerLineEnd(msg, k))
      if (!this.lines.includes(line) && !this.keep(line)) dropped += 1
    }
    return dropped
  }

  private keep(line: string): boolean {
    if (this.lines.length === MAX_CHALLENGE_LINES || this.bytes + line.length > MAX_CHALLENGE_BYTES) return false
    this.lines.push(line)
    this.bytes += line.length
    return true
  }

  /**
   * [RFC3261-16.7.7] Fills `edits` for the chosen 401 or 407: lines that it lacks are added behind its headers.
   *
   * @param headersEnd offset of the empty line behind its headers
   */
  mergeInto(best: Buffer, headersEnd: number, edits: Edits): void {
    edits.resetRange(best, 0, best.length)
    let missing = ''
    for (const line of this.lines) if (!holdsLine(best, line, headersEnd)) missing += line
    if (missing !== '') edits.insert(headersEnd, missing)
  }
}

function holdsLine(best: Buffer, line: string, headersEnd: number): boolean {
  const at = best.indexOf(line, 0, 'latin1')
  return at >= 0 && at < headersEnd
}
