// SPDX-License-Identifier: MIT
// Character classes of RFC 3261 §25.1 as one table of bits, and the small byte helpers that all parsers share.

export const TOKEN = 1
/** Letters, digits, '-', '.', and '_', which the grammar lacks and the field uses. */
export const HOST = 2
/** Liberal: everything printable but `<`, `>` and `"`, so that no user part met in the field is refused. */
export const URI_CHAR = 4
export const HEX = 8
/** SP, HTAB, and the CR and LF of folds (which scan() has checked). */
export const LWS = 16
export const DIGIT = 32
export const ALPHA = 64
/** Unquoted parameter values: tokens, hosts, IPv6 addresses with and without brackets, and what devices send besides. */
export const PARAM_VALUE = 128

export const CLASS = new Uint8Array(256)

function mark(bit: number, characters: string): void {
  for (let k = 0; k < characters.length; k++) {
    const c = characters.charCodeAt(k)
    CLASS[c] = (CLASS[c] as number) | bit
  }
}

const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
mark(TOKEN, `${LETTERS}${DIGITS}-.!%*_+\`'~`)
mark(HOST, `${LETTERS}${DIGITS}-._`)
mark(HEX, `${DIGITS}abcdefABCDEF`)
mark(LWS, ' \t\r\n')
mark(DIGIT, DIGITS)
mark(ALPHA, LETTERS)
for (let c = 0x21; c < 256; c++) {
  const character = String.fromCharCode(c)
  if (c !== 0x7f && !'<>"'.includes(character)) mark(URI_CHAR, character)
  if (c !== 0x7f && !'<>";,'.includes(character)) mark(PARAM_VALUE, character)
}

export const HTAB = 9
export const LF = 10
export const CR = 13
export const SP = 32
export const DQUOTE = 34
export const COMMA = 44
export const SLASH = 47
export const ZERO = 48
export const COLON = 58
export const SEMICOLON = 59
export const LESS = 60
export const EQUAL = 61
export const GREATER = 62
export const QUESTION = 63
export const AT = 64
export const LBRACKET = 91
export const BACKSLASH = 92
export const RBRACKET = 93

/** First offset in [at, end) that is no linear white space. */
export function skipLws(buf: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && ((CLASS[buf[i] as number] as number) & LWS) !== 0) i++
  return i
}

/** Offset behind the last byte of [start, end) that is no linear white space. */
export function trimLws(buf: Uint8Array, start: number, end: number): number {
  let i = end
  while (i > start && ((CLASS[buf[i - 1] as number] as number) & LWS) !== 0) i--
  return i
}

/** First offset in [at, end) whose byte lacks the class bit. */
export function skipClass(buf: Uint8Array, at: number, end: number, bit: number): number {
  let i = at
  while (i < end && ((CLASS[buf[i] as number] as number) & bit) !== 0) i++
  return i
}

/** `at` is a double quote: offset behind the closing one, or -1 when there is none. Quoted pairs are skipped. */
export function skipQuoted(buf: Uint8Array, at: number, end: number): number {
  let i = at + 1
  while (i < end) {
    const c = buf[i] as number
    if (c === DQUOTE) return i + 1
    i += c === BACKSLASH ? 2 : 1
  }
  return -1
}

/** Whether [start, end) is `lower` (lower-case letters, digits, '-') in any case. */
export function isWord(buf: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false
  for (let k = 0; k < lower.length; k++) {
    const c = buf[start + k] as number
    if ((((CLASS[c] as number) & ALPHA) !== 0 ? c | 0x20 : c) !== lower[k]) return false
  }
  return true
}

/** Value of the decimal digits [start, end), or -1: no digits, another byte, or above `max` (below 2^53). */
export function parseDecimal(buf: Uint8Array, start: number, end: number, max: number): number {
  if (start >= end) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = (buf[i] as number) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > max) return -1
  }
  return value
}

/** Bytes of an ASCII word, for comparisons. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k)
  return bytes
}
