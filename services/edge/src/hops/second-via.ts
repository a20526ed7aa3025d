// SPDX-License-Identifier: MIT
//
// The Via below the topmost one: where a response goes once ours is taken off.

import { HEADER, parseVia, type SipMessage, ValueCursor, type ViaView } from '@tandem/sip'

const cursor = new ValueCursor()

/** Fills `out`; false when there is none that can be read. */
export function secondVia(msg: SipMessage, out: ViaView): boolean {
  cursor.reset(msg, HEADER.VIA)
  if (!cursor.next() || !cursor.next()) return false
  return parseVia(msg.buf, cursor.start, cursor.end, out)
}
