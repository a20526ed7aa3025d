// SPDX-License-Identifier: MIT
// Privacy [RFC3323-4.2] as a set of bits: what a request or response asks of the privacy services on its way.
// Values of RFC 3325 (`id`) and RFC 7044 (`history`) included. Allocates a text per value; asked only where the header is there.
import { ValueCursor } from '../message/cursor.ts'
import { HEADER } from '../message/header-ids.ts'
import type { SipMessage } from '../message/message.ts'

export const PRIVACY = {
  HEADER: 1,
  SESSION: 2,
  USER: 4,
  NONE: 8,
  CRITICAL: 16,
  ID: 32,
  HISTORY: 64,
  /** A value that this project has never heard of. */
  OTHER: 128,
} as const

/** In the order in which they are named in a failure. */
const VALUES: readonly (readonly [string, number])[] = [
  ['header', PRIVACY.HEADER],
  ['session', PRIVACY.SESSION],
  ['user', PRIVACY.USER],
  ['none', PRIVACY.NONE],
  ['critical', PRIVACY.CRITICAL],
  ['id', PRIVACY.ID],
  ['history', PRIVACY.HISTORY],
]

const cursor = new ValueCursor()

/** What the message asks for, as PRIVACY bits over all its Privacy headers; 0 without any. */
export function privacyOf(msg: SipMessage): number {
  if (!msg.has(HEADER.PRIVACY)) return 0
  let bits = 0
  cursor.reset(msg, HEADER.PRIVACY)
  // The grammar has semicolons; commas are met in the field.
  while (cursor.next()) {
    for (const value of splitPrivacy(msg.text(cursor.start, cursor.end))) bits |= privacyBit(value)
  }
  return bits
}

/** The values of one Privacy text, white space taken off, as they came. */
export function splitPrivacy(text: string): string[] {
  return text
    .split(/[;,]/)
    .map((value) => value.trim())
    .filter((value) => value !== '')
}

/** The bit of one value in any case. */
export function privacyBit(value: string): number {
  const lower = value.toLowerCase()
  for (const [name, bit] of VALUES) if (name === lower) return bit
  return PRIVACY.OTHER
}

/** The names of these bits, in the order of VALUES; a value that is not known is `other`. */
export function privacyNames(bits: number): string[] {
  const names = VALUES.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name)
  return (bits & PRIVACY.OTHER) === 0 ? names : [...names, 'other']
}
