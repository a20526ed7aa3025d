// SPDX-License-Identifier: MIT
//
// Patterns of telephone numbers as operators write them: digits, `x` for any digit, `[2-9]` for one of some, and `*` at the
// end for whatever follows. `+49*`, `+4930123xxx`, `0[1-9]x*`, `*98`. A star anywhere else is the key of that name.
// They are no regular expressions: each place is one set of keys, so a match looks at each key of a number once and nothing
// can make it look again.
import { z } from 'zod'

export const MAX_PLACES = 32

/** Keys in the order of their bits. */
const KEYS = '0123456789+*#'
const DIGITS = 0b11_1111_1111

export interface NumberPattern {
  readonly text: string
  /** One set of keys for each place: bit n for the key n of `0123456789+*#`. */
  readonly sets: readonly number[]
  /** Anything may follow. */
  readonly open: boolean
  /** The keys, where each place has one only. */
  readonly literal: string | undefined
}

/** Bit of a key; 0 for what is none. */
export function keyBit(code: number): number {
  if (code >= 48 && code <= 57) return 1 << (code - 48)
  if (code === 43) return 1 << 10
  if (code === 42) return 1 << 11
  return code === 35 ? 1 << 12 : 0
}

/** Digits of `[2-9]`, `[135]`, `[0-24-6]`; 0 where it is none. */
function setOf(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const first = text.charCodeAt(i) - 48
    const isRange = text[i + 1] === '-'
    const last = isRange ? text.charCodeAt(i + 2) - 48 : first
    if (!(first >= 0 && first <= 9 && last >= first && last <= 9)) return 0
    for (let digit = first; digit <= last; digit++) bits |= 1 << digit
    if (isRange) i += 2
  }
  return bits
}

function placesOf(text: string): number[] | undefined {
  const sets: number[] = []
  for (let i = 0; i < text.length; i++) {
    let bits = 0
    if (text[i] === '[') {
      const end = text.indexOf(']', i)
      if (end < 0) return undefined
      bits = setOf(text.slice(i + 1, end))
      i = end
    } else {
      bits = text[i] === 'x' || text[i] === 'X' ? DIGITS : keyBit(text.charCodeAt(i))
    }
    // A number has its + in front or nowhere.
    if (bits === 0 || (bits === 1 << 10 && sets.length > 0)) return undefined
    if (sets.push(bits) > MAX_PLACES) return undefined
  }
  return sets
}

const isSingle = (bits: number): boolean => (bits & (bits - 1)) === 0

/** undefined for what is no pattern. */
export function parsePattern(text: string): NumberPattern | undefined {
  if (text.length === 0 || text.length > 256) return undefined
  const open = text.endsWith('*')
  const sets = placesOf(open ? text.slice(0, -1) : text)
  if (sets === undefined) return undefined
  const literal = sets.every(isSingle) ? sets.map((bits) => KEYS[31 - Math.clz32(bits)]).join('') : undefined
  return { text, sets, open, literal }
}

export const openPattern = (prefix: string): NumberPattern | undefined =>
  parsePattern(prefix.endsWith('*') ? prefix : `${prefix}*`)

/** The whole of `number` is as the pattern says. */
export function matchesPattern({ sets, open }: NumberPattern, number: string): boolean {
  if (number.length < sets.length || (!open && number.length !== sets.length)) return false
  for (let i = 0; i < sets.length; i++) {
    if (((sets[i] as number) & keyBit(number.charCodeAt(i))) === 0) return false
  }
  return true
}

const countOf = (bits: number): number => {
  let left = bits
  let count = 0
  for (; left !== 0; left &= left - 1) count++
  return count
}

/**
 * Which of two patterns says more: negative where `a` does. More places; then, from the left, the smaller set at the first
 * place in which they differ; then the one that nothing may follow.
 */
export function comparePatterns(a: NumberPattern, b: NumberPattern): number {
  if (a.sets.length !== b.sets.length) return b.sets.length - a.sets.length
  for (let i = 0; i < a.sets.length; i++) {
    const difference = countOf(a.sets[i] as number) - countOf(b.sets[i] as number)
    if (difference !== 0) return difference
  }
  return Number(a.open) - Number(b.open)
}

/** Some number fits both. */
export function patternsMeet(a: NumberPattern, b: NumberPattern): boolean {
  const [short, long] = a.sets.length <= b.sets.length ? [a, b] : [b, a]
  if (short.sets.length < long.sets.length && !short.open) return false
  return short.sets.every((bits, i) => (bits & (long.sets[i] as number)) !== 0)
}

const EXPECTED = 'expected digits with x for any digit, [2-9] for one of some, and * at the end for what follows'

/** As it is written: `+4930123xxx`. */
export const numberPattern = z
  .string()
  .max(256)
  .refine((text) => parsePattern(text) !== undefined, EXPECTED)

/** The beginning of numbers: `+49`, `0[1-9]`; `*` for every number. */
export const numberPrefix = z
  .string()
  .max(256)
  .refine((text) => openPattern(text) !== undefined, 'expected the first digits of a number, such as +49, or * for all')

/** A number of its own: `+4930123456`. */
export const e164Number = z.string().regex(/^\+[1-9]\d{4,14}$/, 'expected a number with + and its country code')
