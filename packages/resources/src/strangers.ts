// SPDX-License-Identifier: MIT
//
// Callers that nobody knows: whether they may call into a domain without credentials, whom, how, and whether what they say of
// themselves is believed. Nobody may unless the domain says so.
import { z } from 'zod'
import { canonicalNumber } from './phone-number.ts'

/** A user part as it is dialled, or the beginning of one with a star: `sales`, `+49*`. */
const dialled = z
  .string()
  .regex(
    /^[A-Za-z0-9\-_.!~'()&=+$,/?]{1,128}\*?$/,
    'expected a user, a number, or the beginning of one with * at its end',
  )

/** Methods that begin something; what is inside a dialog is not asked about. */
const METHODS = ['INVITE', 'MESSAGE', 'OPTIONS', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'REFER', 'INFO'] as const

const rules = z.strictObject({
  /** Whom they reach, as they dial; everybody unless set. */
  to: z.array(dialled).min(1).max(1_024).optional(),
  methods: z.array(z.enum(METHODS)).min(1).max(METHODS.length).optional(),
  /** `believed`: their P-Asserted-Identity is kept, as that of a trusted source. For closed networks. */
  identity: z.enum(['removed', 'believed']).default('removed'),
  /** Users of the domain may hide their name behind anonymous.invalid. */
  ownUsersMayHide: z.boolean().default(true),
})
export type Strangers = z.infer<typeof rules>

/** `refuse`, `allow` for everybody, or the rules. */
export const anonymous = z.union([z.enum(['allow', 'refuse']), rules], {
  error: 'expected allow, refuse, or {to, methods, identity, ownUsersMayHide}',
})

export interface StrangerRules {
  readonly believed: boolean
  /** @param user user part of the Request-URI, or a number */
  admits(method: string, user: string): boolean
}

function targetsOf(to: readonly string[]): (user: string) => boolean {
  const names = new Set(to.filter((one) => !one.endsWith('*')).map((one) => canonicalNumber(one) || one))
  const beginnings = to.filter((one) => one.endsWith('*')).map((one) => one.slice(0, -1))
  return (user) => {
    const number = canonicalNumber(user)
    if (names.has(number || user)) return true
    return beginnings.some((beginning) => (number || user).startsWith(beginning))
  }
}

/** undefined: strangers are asked for credentials that they can not have. */
export function strangerRules(spec: 'allow' | 'refuse' | Strangers): StrangerRules | undefined {
  if (spec === 'refuse') return undefined
  if (spec === 'allow') return { believed: false, admits: () => true }
  const methods = spec.methods === undefined ? undefined : new Set<string>(spec.methods)
  const reaches = spec.to === undefined ? () => true : targetsOf(spec.to)
  return {
    believed: spec.identity === 'believed',
    admits: (method, user) => (methods === undefined || methods.has(method)) && reaches(user),
  }
}
