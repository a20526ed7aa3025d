// SPDX-License-Identifier: MIT
//
// What media an INVITE offers, for its record: the kinds of its m= lines [RFC8866-5.14], each once, without reading anything else of
// the session description. A body of several parts is searched like one.

import type { SipMessage } from '@tandem/sip'

/** Bytes of a body that are looked at, and kinds that are named. */
const MAX_BYTES = 16_384
const MAX_KINDS = 8
const MAX_CHARS = 16

/** `audio`, `audio,video`, `message`; '' for none. */
export function offeredMedia({ buf, bodyStart, end }: SipMessage): string {
  const last = Math.min(end, bodyStart + MAX_BYTES)
  let kinds = ''
  let count = 0
  for (let at = bodyStart; at >= 0 && at + 2 < last && count < MAX_KINDS; at = nextLine(buf, at, last)) {
    if (buf[at] !== 0x6d || buf[at + 1] !== 0x3d) continue
    const kind = tokenAt(buf, at + 2, last)
    if (kind === '' || kinds.split(',').includes(kind)) continue
    kinds = kinds === '' ? kind : `${kinds},${kind}`
    count += 1
  }
  return kinds
}

/** -1 behind the last one. */
function nextLine(buf: Buffer, from: number, last: number): number {
  const feed = buf.indexOf(0x0a, from)
  return feed < 0 || feed + 1 >= last ? -1 : feed + 1
}

/** Lower-case letters up to the space; '' for anything else. */
function tokenAt(buf: Buffer, start: number, last: number): string {
  let at = start
  while (at < last && at - start < MAX_CHARS && isLetter(buf[at] as number)) at += 1
  return at > start && buf[at] === 0x20 ? buf.latin1Slice(start, at).toLowerCase() : ''
}

const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
