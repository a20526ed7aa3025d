// SPDX-License-Identifier: MIT
// Methods as small integers, recognised from bytes. Names are case-sensitive [RFC3261-7.1]; what is not in the table is OTHER.
import { Buffer } from 'node:buffer'

/** Method numbers as found in `SipMessage.method`. */
export const METHOD = {
  OTHER: 0,
  INVITE: 1,
  ACK: 2,
  BYE: 3,
  CANCEL: 4,
  REGISTER: 5,
  OPTIONS: 6,
  PRACK: 7,
  SUBSCRIBE: 8,
  NOTIFY: 9,
  PUBLISH: 10,
  INFO: 11,
  REFER: 12,
  MESSAGE: 13,
  UPDATE: 14,
} as const

/** Name of each known method, indexed by number; the empty string for OTHER. */
export const METHOD_NAMES: readonly string[] = Object.entries(METHOD)
  .sort((a, b) => a[1] - b[1])
  .map(([name, id]) => (id === METHOD.OTHER ? '' : name))

const NAME_BYTES: readonly Uint8Array[] = METHOD_NAMES.map((name) => Uint8Array.from(Buffer.from(name, 'latin1')))

/** Candidate number for (length, first byte, third byte): `length * 64 + ((first + third) & 63)`; names are checked afterwards. */
const CANDIDATES = new Uint8Array(64 * 10)
for (let id = 1; id < METHOD_NAMES.length; id++) {
  const bytes = NAME_BYTES[id] as Uint8Array
  const slot = slotOf(bytes.length, bytes[0] as number, bytes[2] as number)
  if (CANDIDATES[slot] !== 0) throw new Error(`method table collides at ${METHOD_NAMES[id]}`)
  CANDIDATES[slot] = id
}

function slotOf(length: number, first: number, third: number): number {
  return length * 64 + ((first + third) & 63)
}

/** Number of the method named by `buf[start, end)`, `METHOD.OTHER` when unknown. */
export function methodOf(buf: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 3 || length > 9) return METHOD.OTHER
  const id = CANDIDATES[slotOf(length, buf[start] as number, buf[start + 2] as number)] as number
  if (id === 0) return METHOD.OTHER
  const name = NAME_BYTES[id] as Uint8Array
  for (let k = 0; k < length; k++) if (buf[start + k] !== name[k]) return METHOD.OTHER
  return id
}
