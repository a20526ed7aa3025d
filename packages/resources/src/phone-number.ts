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

/** How a domain's users dial. */
export const numberPlan = z.strictObject({
  /** Country code, with or without +: `+49`. */
  country: z
    .string()
    .regex(/^\+?[1-9]\d{0,2}$/, 'expected a country code such as +49')
    .transform((code) => (code.startsWith('+') ? code : `+${code}`)),
  /** Stands before a number of the country: `0`. Where numbers are dialled without, ''. */
  national: z
    .string()
    .regex(/^[\d*#]{0,8}$/, 'expected digits')
    .default('0'),
  /** Stands in place of the +: `00`. */
  international: z
    .string()
    .regex(/^[\d*#]{1,8}$/, 'expected digits')
    .default('00'),
  /** Digits of a number of the country without its prefix, where that tells it: 10 in North America. */
  nationalDigits: z.int().min(4).max(15).optional(),
  /** The area: its code, without the national prefix, stands before numbers of so many digits that have no prefix. */
  area: z
    .strictObject({
      code: z.string().regex(/^[0-9]{1,6}$/, 'expected digits'),
      minDigits: z.int().min(3).max(12).default(5),
      maxDigits: z.int().min(3).max(12).default(8),
    })
    .refine(({ minDigits, maxDigits }) => minDigits <= maxDigits, 'expected minDigits <= maxDigits')
    .optional(),
  /** Dialled for a line to the outside, and cut off. Numbers of the domain are dialled without. */
  outsideLine: z
    .string()
    .regex(/^[0-9*#]{1,8}$/, 'expected one to eight digits')
    .optional(),
})
export type NumberPlan = z.infer<typeof numberPlan>

/** E.164 has 15 digits at most, and no country code begins with 0. */
const E164 = /^\+[1-9]\d{4,14}$/

/** The global number that users of a domain mean by a canonical one as they dial it; '' where it is none. */
export function dialledNumber(plan: NumberPlan, number: string): string {
  const { outsideLine = '' } = plan
  if (outsideLine === '') return globalNumber(plan, number)
  return number.startsWith(outsideLine) ? globalNumber(plan, number.slice(outsideLine.length)) : ''
}

function globalNumber(plan: NumberPlan, number: string): string {
  for (const { prefix, stands } of prefixesOf(plan)) {
    if (!number.startsWith(prefix)) continue
    const rest = number.slice(prefix.length)
    if (prefix === plan.national && rest.length !== (plan.nationalDigits ?? rest.length)) continue
    return E164.test(stands + rest) ? stands + rest : ''
  }
  const isNational = number.length === plan.nationalDigits && E164.test(plan.country + number)
  return isNational ? plan.country + number : localNumber(plan, number)
}

/** A number of the area; '' where it is none. */
function localNumber({ country, area }: NumberPlan, number: string): string {
  if (area === undefined || number.length < area.minDigits || number.length > area.maxDigits) return ''
  const global = country + area.code + number
  return E164.test(global) ? global : ''
}

/** 00 before 0: what is international begins as if it were national. */
function prefixesOf({ country, national, international }: NumberPlan): { prefix: string; stands: string }[] {
  const both = [{ prefix: international, stands: '+' }]
  return national === '' ? both : [...both, { prefix: national, stands: country }]
}

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
