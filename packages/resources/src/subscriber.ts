// SPDX-License-Identifier: MIT
//
// Subscriber: a user of a domain, who registers phones, calls and is called.
import { z } from 'zod'
import { sourceRange } from './addresses.ts'
import { staticContact } from './contact.ts'
import { API_VERSION, domainMetadata, resourceName, userName } from './envelope.ts'
import { forwarding } from './flow/forwarding.ts'
import { canonicalNumber } from './phone-number.ts'
import { e164Number } from './routing/number-pattern.ts'
import { hashSource, secretSource } from './secret.ts'

/** Hexadecimal digits of each hash. */
export const HA1_DIGITS = { md5: 32, sha256: 64 } as const

const credentials = z
  .strictObject({
    /** Digest username; the first of `usernames` unless set. */
    username: z
      .string()
      .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected printable ASCII without quote and backslash')
      .optional(),
    /** Turned into both hashes when it is loaded, and dropped. */
    password: secretSource.optional(),
    /** H(username:realm:password), so that no password is stored. [RFC7616-3.4.2] */
    ha1: z
      .strictObject({ md5: hashSource(HA1_DIGITS.md5).optional(), sha256: hashSource(HA1_DIGITS.sha256).optional() })
      .optional(),
  })
  .refine((c) => (c.password === undefined) !== (c.ha1 === undefined), { error: 'expected either password or ha1' })
  .refine((c) => c.ha1 === undefined || c.ha1.md5 !== undefined || c.ha1.sha256 !== undefined, {
    error: 'expected md5, sha256 or both in ha1',
  })

const acl = z.strictObject({
  /** Who sends from here is this subscriber, without credentials; over UDP anybody can claim an address. */
  sources: z.array(sourceRange).min(1).max(256),
  /** REGISTER needs none either. */
  register: z.boolean().default(false),
})

/** The digest username. */
export const loginOf = ({ metadata, spec }: Subscriber): string =>
  spec.credentials?.username ?? spec.usernames?.[0] ?? metadata.name

export const subscriberSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Subscriber'),
  metadata: domainMetadata,
  spec: z
    .strictObject({
      /** User parts that reach this subscriber; the first stands in its address-of-record. `metadata.name` unless set. */
      usernames: z.array(userName).min(1).max(32).optional(),
      /** Without credentials a subscriber can use domains with `authentication: none` only. */
      credentials: credentials.optional(),
      acl: acl.optional(),
      /** Name of an Account; written into the records of calls. */
      account: resourceName.optional(),
      maxContacts: z.int().min(1).max(100).optional(),
      /** Number that those outside are shown where a trunk's rules ask for one; unset: the first number that is his. */
      callerId: e164Number.optional(),
      /** Where this subscriber always is, besides what it registers; such a one needs no credentials. */
      contacts: z
        .array(staticContact)
        .max(16)
        .refine((list) => new Set(list.map(({ uri }) => uri)).size === list.length, 'expected each contact once')
        .optional(),
      /** Where his calls go on, always or when he does not answer. */
      forwarding: forwarding.optional(),
    })
    .prefault({}),
})
export type Subscriber = z.infer<typeof subscriberSchema>

/** `sip:user@domain` with the first username, a global number without its separators, and the domain's own name. [RFC3261-10.3.5] */
export function aorOf({ metadata, spec }: Subscriber): string {
  const user = spec.usernames?.[0] ?? metadata.name
  return `sip:${(user.startsWith('+') && canonicalNumber(user)) || user}@${metadata.domain}`
}
