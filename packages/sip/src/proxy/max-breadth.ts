// SPDX-License-Identifier: MIT
//
// Max-Breadth (RFC 5393 section 5): how many branches of one request may be alive at a time, over all proxies that fork it.
// Here: what a request brings, and the edit of a copy. How it is divided among branches is the forker's choice.
//
// A header that is no positive number says nothing that could be kept to; it is replaced as an absent one is added, so that
// garbage gives nobody a larger share. The same for several headers or values: the copy carries a single one.

import { parseDecimal } from '../message/chars.ts'
import {
  type Edits,
  findHeader,
  HEADER,
  headerLineEnd,
  headerLineStart,
  headerValueEnd,
  headerValueStart,
  type SipMessage,
} from '../message/index.ts'

/** [RFC5393-5.3.3] What a request without the header gets, and the most that we let one bring. */
export const MAX_BREADTH = 60

/** Incoming Max-Breadth, 0 to 60. 0 stands for a header that says 0: not even one branch. */
export function readMaxBreadth(msg: SipMessage): number {
  const index = findHeader(msg, HEADER.MAX_BREADTH)
  if (index < 0) return MAX_BREADTH
  if (findHeader(msg, HEADER.MAX_BREADTH, index + 1) >= 0) return MAX_BREADTH
  const end = headerValueEnd(msg, index)
  const value = parseDecimal(msg.buf, headerValueStart(msg, index), end, MAX_DIGITS_VALUE)
  if (value < 0) return MAX_BREADTH
  return Math.min(value, MAX_BREADTH) // [RFC5393-5.3.3] a larger one is overwritten
}

const MAX_DIGITS_VALUE = 0x7fffffff

/** The line that a copy without the header gets. */
export function maxBreadthLine(value: number): string {
  return value === MAX_BREADTH ? DEFAULT_LINE : `Max-Breadth: ${value}\r\n`
}

const DEFAULT_LINE = `Max-Breadth: ${MAX_BREADTH}\r\n`

/** Leaves a request that has the header with exactly one, of this value. The bytes stay where they say it already. */
export function editMaxBreadth(msg: SipMessage, edits: Edits, value: number): void {
  let index = findHeader(msg, HEADER.MAX_BREADTH)
  if (index < 0) return
  const start = headerValueStart(msg, index)
  const end = headerValueEnd(msg, index)
  if (parseDecimal(msg.buf, start, end, MAX_DIGITS_VALUE) !== value) edits.replace(start, end, String(value))
  for (index = findHeader(msg, HEADER.MAX_BREADTH, index + 1); index >= 0; ) {
    edits.remove(headerLineStart(msg, index), headerLineEnd(msg, index))
    index = findHeader(msg, HEADER.MAX_BREADTH, index + 1)
  }
}
