// SPDX-License-Identifier: MIT
//
// Telephone numbers as RFC 3966 writes and compares them: visual separators do not count, letters of hexadecimal digits
// are compared in lower case, a leading + makes a number global. [RFC3966-3] [RFC3966-4]
// A number alone decides whom it reaches: extension, subaddress and other optional parameters pass unread [RFC3966-5.4].
import { z } from 'zod'

export interface PhoneNumber {
  /** Canonical: `+` and digits for a global number, else digits, `a`-`f`, `*` and `#`. */
  readonly number: string
  /** Canonical `phone-context` of a local number, `+` and digits or a lower-case name; '' for none. */
  readonly context: string
}

const GLOBAL = /^\+\d+$/
const LOCAL = /^[0-9a-f*#]+$/
const SEPARATORS = /[-.()]/g
const NAME = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?\.?$/

/** Letters alone are a name, `dad` for one: a number has a digit. */
const DIGIT = /\d/

/** The number that `text` shows in any visual form; '' when it is none. */
export function canonicalNumber(text: string): string {
  const bare = text.replace(SEPARATORS, '').toLowerCase()
  return GLOBAL.test(bare) || (LOCAL.test(bare) && DIGIT.test(bare)) ? bare : ''
}

/** Canonical form of a `phone-context`; '' when it is none. */
export function canonicalContext(text: string): string {
  const lower = text.toLowerCase()
  if (!lower.startsWith('+')) return NAME.test(lower) ? lower.replace(/\.$/, '') : ''
  const bare = lower.replace(SEPARATORS, '')
  return GLOBAL.test(bare) ? bare : ''
}

export const phoneContext = z
  .string()
  .refine((text) => canonicalContext(text) !== '', 'expected + with leading digits, such as +49-30, or a domain name')
  .transform(canonicalContext)

/**
 * Reads a telephone-subscriber: what follows `tel:`, or the user part of a SIP URI. [RFC3261-19.1.6]
 * undefined when it is no number, and for a parameter that must be understood and is not. [RFC3966-5.4]
 */
export function parsePhoneNumber(text: string): PhoneNumber | undefined {
  const [digits = '', ...parameters] = text.split(';')
  const number = canonicalNumber(digits)
  if (number === '') return undefined
  let context = ''
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=')
    const lower = name.toLowerCase()
    if (lower.startsWith('m-')) return undefined
    if (lower !== 'phone-context') continue
    context = canonicalContext(value)
    if (context === '') return undefined
  }
  return { number, context: number.startsWith('+') ? '' : context }
}
