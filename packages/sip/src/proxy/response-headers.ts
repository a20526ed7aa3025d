// SPDX-License-Identifier: MIT
//
// What changes in a response on its way upstream besides its Via: identities that nobody of the trust domain vouches for (RFC 3325),
// and where the request has been (RFC 7044). Rare, so that the encoded response is simply read again and edited.
//
// Invariant: a response that has none of this never comes here. One that cannot be read again goes up as it is.

import { Buffer } from 'node:buffer'
import { Edits, findHeader, HEADER, headerLineEnd, headerLineStart, SipMessage, scan } from '../message/index.ts'
import { editIdentityOfResponse, type IdentityFacts } from './identity-edits.ts'
import type { RequestHistory } from './request-history.ts'

const message = new SipMessage()
const edits = new Edits()
let scratch = Buffer.alloc(0)

/**
 * Takes identities out of the response in `out[0, end)`, in place.
 *
 * @returns its new end
 */
export function hideIdentity(out: Buffer, end: number, facts: IdentityFacts): number {
  if (scan(message, out, 0, end) !== 0) return end
  edits.reset(message)
  editIdentityOfResponse(message, edits, facts)
  return writeBack(out)
}

/**
 * Writes the response in `buf[0, end)` into `out` from 0, with the history in the place of what it has of it [RFC7044-9.4].
 *
 * @param upTrusted who sent the request is within the trust domain
 * @returns where it ends in `out`
 */
export function writeHistory(
  buf: Buffer,
  end: number,
  history: RequestHistory,
  upTrusted: boolean,
  out: Buffer,
): number {
  if (scan(message, buf, 0, end) !== 0) return buf.copy(out, 0, 0, end)
  edits.reset(message)
  for (let k = findHeader(message, HEADER.HISTORY_INFO); k >= 0; k = findHeader(message, HEADER.HISTORY_INFO, k + 1)) {
    edits.remove(headerLineStart(message, k), headerLineEnd(message, k))
  }
  edits.insert(message.headersEnd, history.lines(message, upTrusted))
  if (edits.size() > out.length) return buf.copy(out, 0, 0, end) // a response of full size goes up as it came
  return writeBack(out)
}

/** The edited message into `out`, which may be its source. */
function writeBack(out: Buffer): number {
  if (edits.size() > scratch.length) scratch = Buffer.alloc(Math.max(out.length, edits.size()))
  const end = edits.encodeInto(scratch, 0)
  return scratch.copy(out, 0, 0, end)
}
