// SPDX-License-Identifier: MIT
// base64url without padding and with `.` for `q`, from and into bytes that are already there. Decoding is strict: a length or trailing
// bits that encoding never gives are refused, so that each value has exactly one text.
//
// Without `q` no text spells CSeq. There are programs that look for the word in all of a message and take the first one for the header
// (SIPp, Record-Route included): with `q`, one call in a million or two failed there.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop.rstuvwxyz0123456789-_'
const ENCODE = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0))
const INVALID = 0xff
const DECODE = new Uint8Array(256).fill(INVALID)
ENCODE.forEach((code, value) => {
  DECODE[code] = value
})

/** Whether the code is one of these 64. */
export const isDottedBase64Url = (code: number): boolean => DECODE[code & 0xff] !== INVALID && code < 256

/** Writes the text of `from[0, length)` to `to` at `at`; gives the offset behind it. */
export const encodeDottedBase64Url = (from: Uint8Array, length: number, to: Uint8Array, at: number): number => {
  let out = at
  let bits = 0
  let held = 0
  for (let i = 0; i < length; i++) {
    held = (held << 8) | (from[i] as number)
    for (bits += 8; bits >= 6; bits -= 6) to[out++] = ENCODE[(held >>> (bits - 6)) & 63] as number
    held &= 63
  }
  if (bits > 0) to[out++] = ENCODE[(held << (6 - bits)) & 63] as number
  return out
}

/** Writes the bytes of the text `from[start, end)` to `to`; gives their number, -1 when it is no such text. */
export const decodeDottedBase64Url = (from: Uint8Array, start: number, end: number, to: Uint8Array): number => {
  let out = 0
  let bits = 0
  let held = 0
  for (let i = start; i < end; i++) {
    const value = DECODE[from[i] as number] as number
    if (value === INVALID) return -1
    held = (held << 6) | value
    bits += 6
    if (bits < 8) continue
    bits -= 8
    to[out++] = held >>> bits
    held &= (1 << bits) - 1
  }
  return bits >= 6 || held !== 0 ? -1 : out
}
