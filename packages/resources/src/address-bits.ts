// SPDX-License-Identifier: MIT
//
// Texts of IP addresses as four words of 32 bits. An IPv4 address stands as it is mapped into IPv6 (`::ffff:0:0/96`), so that
// one that comes mapped is the same address; a range of IPv6 never holds IPv4 but when it is written within the mapped ones.
// Written for lookups per request: the words are the caller's, nothing is allocated. Zones (`%eth0`) are passed over.

/** 4 or 6; 0 for what is no address. */
export type Family = 0 | 4 | 6

const DOT = 46
const COLON = 58
const PERCENT = 37
const ZERO = 48
const NINE = 57
const MAPPED = 0xffff

/** Four groups of 0 to 255 in text[from, to); -1 for what is none. */
function parse4(text: string, from: number, to: number): number {
  let value = 0
  let group = 0
  let digits = 0
  let groups = 1
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c === DOT) {
      if (digits === 0 || groups === 4) return -1
      value = value * 256 + group
      group = 0
      digits = 0
      groups++
    } else {
      if (c < ZERO || c > NINE || (digits > 0 && group === 0)) return -1
      group = group * 10 + (c - ZERO)
      digits++
      if (group > 255) return -1
    }
  }
  return groups === 4 && digits > 0 ? value * 256 + group : -1
}

function hexOf(c: number): number {
  if (c >= ZERO && c <= NINE) return c - ZERO
  const letter = c | 0x20
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

const groups = new Uint16Array(8)

/** Longer than it might be: one state machine over the characters. False for what is no IPv6 address. */
function parse6(text: string, end: number): boolean {
  let count = 0
  let gap = -1
  let value = 0
  let digits = 0
  let start = 0
  for (let i = 0; i <= end; i++) {
    const c = i === end ? COLON : text.charCodeAt(i)
    if (c === DOT) {
      const tail = parse4(text, start, end)
      if (tail < 0 || count > 6) return false
      groups[count] = tail >>> 16
      groups[count + 1] = tail & 0xffff
      count += 2
      digits = 0
      break
    }
    if (c !== COLON) {
      const hex = hexOf(c)
      if (hex < 0 || ++digits > 4) return false
      value = value * 16 + hex
      continue
    }
    if (digits > 0) {
      if (count === 8) return false
      groups[count++] = value
    } else if (i === end) {
      // A last colon is the second of two.
      if (gap !== count) return false
    } else if (i > 0) {
      if (gap >= 0 || text.charCodeAt(i - 1) !== COLON) return false
      gap = count
    } else if (text.charCodeAt(1) !== COLON) return false
    value = 0
    digits = 0
    start = i + 1
  }
  if (gap < 0) return count === 8
  if (count > 7) return false
  groups.copyWithin(8 - (count - gap), gap, count)
  groups.fill(0, gap, 8 - (count - gap))
  return true
}

/** Writes the four words of `text` (without brackets) into `words`; 0 leaves them undefined. */
export function parseAddress(text: string, words: Uint32Array): Family {
  if (text.length > 64) return 0
  if (text.indexOf(':') < 0) {
    const value = parse4(text, 0, text.length)
    if (value < 0) return 0
    words[0] = 0
    words[1] = 0
    words[2] = MAPPED
    words[3] = value
    return 4
  }
  let end = text.length
  for (let i = 0; i < text.length && end === text.length; i++) if (text.charCodeAt(i) === PERCENT) end = i
  if (!parse6(text, end)) return 0
  for (let i = 0; i < 4; i++) words[i] = (groups[2 * i] as number) * 0x10000 + (groups[2 * i + 1] as number)
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED ? 4 : 6
}
