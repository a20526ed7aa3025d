// SPDX-License-Identifier: MIT
//
// Domain: the names that the cluster answers for, and how it treats who speaks in them.
import { z } from 'zod'
import { API_VERSION, hostName, labels } from './envelope.ts'

export const digestAlgorithm = z.enum(['MD5', 'SHA-256'])
export type DigestAlgorithm = z.infer<typeof digestAlgorithm>

/** Distinct algorithms in the order in which they are offered. [RFC8760-2.4] */
export const challengeOrder = z
  .array(digestAlgorithm)
  .min(1)
  .refine((list) => new Set(list).size === list.length, 'expected each algorithm once')

const registration = z
  .strictObject({
    /** A shorter wish gets 423 with this value. [RFC3261-10.2.8] */
    minExpiresMs: z.int().min(1_000).max(86_400_000).optional(),
    /** A longer wish is cut. */
    maxExpiresMs: z.int().min(1_000).max(604_800_000).optional(),
    /** Where the REGISTER names none. */
    defaultExpiresMs: z.int().min(1_000).max(604_800_000).optional(),
    /** Contacts of one address-of-record, unless its Subscriber says otherwise. */
    maxContacts: z.int().min(1).max(100).optional(),
  })
  .refine(({ minExpiresMs: min = 0, maxExpiresMs: max = Infinity }) => min <= max, {
    error: 'expected minExpiresMs <= maxExpiresMs',
  })

export const domainSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Domain'),
  metadata: z.strictObject({ name: hostName, labels }),
  spec: z
    .strictObject({
      /** Further names; addresses-of-record are always written with `metadata.name`. */
      aliases: z.array(hostName).default([]),
      /** The cluster's own addresses count as aliases; one domain only. */
      alsoBindAddress: z.boolean().default(false),
      /** Realm of digest challenges; the domain's name unless set. */
      realm: z
        .string()
        .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected printable ASCII without quote and backslash')
        .optional(),
      authentication: z.enum(['required', 'none']).default('required'),
      /**
       * When From is not who was authenticated: `reject` with 403; `assert` leaves From alone and adds
       * P-Asserted-Identity; `off` looks at neither and lets P-Asserted-Identity pass as it came.
       */
      identity: z.enum(['reject', 'assert', 'off']).default('reject'),
      /** Unset: the order of the configuration. */
      challenge: challengeOrder.optional(),
      /** Accepts digests without qop, as RFC 2069 had them: without protection against replay within a nonce's life. */
      legacyDigest: z.boolean().default(false),
      /** Calls of this domain's users leave records. */
      accounting: z.boolean().default(true),
      /** Callers of no local domain may call this domain's users without credentials, and users may hide their name. */
      anonymous: z.enum(['allow', 'refuse']).default('refuse'),
      /** Unset keys: the settings of the location service. */
      registration: registration.default({}),
    })
    .prefault({}),
})
export type Domain = z.infer<typeof domainSchema>
