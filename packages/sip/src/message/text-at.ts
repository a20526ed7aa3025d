// SPDX-License-Identifier: MIT
// Whether some bytes of a message are a text that is known: an address, a host.
import { Buffer } from 'node:buffer'
import './latin1.ts'

const known = Buffer.alloc(64)
let knownText = ''

/** Whether buf[start, end) is this latin1 text. The text that was asked for last is at hand as bytes: of addresses it is often the same. */
export function isTextAt(buf: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  if (text.length > known.length) return buf.latin1Slice(start, end) === text
  if (text !== knownText) {
    known.latin1Write(text, 0)
    knownText = text
  }
  for (let k = start; k < end; k++) if (buf[k] !== known[k - start]) return false
  return true
}
