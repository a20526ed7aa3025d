// SPDX-License-Identifier: MIT
//
// Domain: the names that the cluster answers for, and how it treats who speaks in them.
import { z } from 'zod'
import { addressRange } from './addresses.ts'
import { bearer } from './bearer.ts'
import { API_VERSION, hostName, labels, resourceName } from './envelope.ts'
import { hostOrWildcard, relayPattern } from './hosts.ts'
import { numberPlan, phoneContext } from './phone-number.ts'
import { anonymous } from './strangers.ts'

export const digestAlgorithm = z.enum(['MD5', 'SHA-256'])
export type DigestAlgorithm = z.infer<typeof digestAlgorithm>

/** Distinct algorithms in the order in which they are offered. [RFC8760-2.3] */
export const challengeOrder = z
  .array(digestAlgorithm)
  .min(1)
  .refine((list) => new Set(list).size === list.length, 'expected each algorithm once')

/** Distinct schemes in the order in which they are offered. */
const authSchemes = z
  .array(z.enum(['digest', 'bearer']))
  .min(1)
  .refine((list) => new Set(list).size === list.length, 'expected each scheme once')

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
    /** One contact too many: refused with 403, or it takes the place of the one that was refreshed longest ago. */
    atMaxContacts: z.enum(['reject', 'replaceOldest']).default('reject'),
    /** The 200 names the edge as the way out. [RFC3608-5] */
    serviceRoute: z.boolean().default(false),
  })
  .refine(({ minExpiresMs: min = 0, maxExpiresMs: max = Infinity }) => min <= max, {
    error: 'expected minExpiresMs <= maxExpiresMs',
  })

/** Stateless: no transaction, no retransmission, one target. [RFC3261-16.11] */
const forwarding = z.enum(['stateful', 'stateless']).default('stateful')

const relay = z.strictObject({
  /** Hosts of foreign Request-URIs to which authenticated users of this domain may send. Empty: none. [RFC3261-16.5] */
  allow: z.array(relayPattern).max(256).default([]),
  forwarding,
})

const trust = z.strictObject({
  /** Who sends from here is believed to have authenticated its users. [RFC3325-5] */
  sources: z.array(addressRange).max(256).default([]),
  /** The phones of this domain are within the trust domain: they are told even what callers keep private. */
  phones: z.boolean().default(false),
})

const featureCode = z.string().regex(/^[*#0-9]{2,8}$/, 'expected two to eight of * # and digits')
const featureCodes = z
  .strictObject({ groupLogin: featureCode, groupLogout: featureCode })
  .refine(({ groupLogin: a, groupLogout: b }) => !a.startsWith(b) && !b.startsWith(a), {
    error: 'expected two codes of which none begins with the other',
  })
export type FeatureCodes = z.infer<typeof featureCodes>

export const domainSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Domain'),
  metadata: z.strictObject({ name: hostName, labels }),
  spec: z
    .strictObject({
      /** Further names, `*.name` for all below one; addresses-of-record are always written with `metadata.name`. */
      aliases: z.array(hostOrWildcard).max(256).default([]),
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
      /** What is asked for, in the order of the challenges; unset: digest, and bearer where that is set. */
      schemes: authSchemes.optional(),
      /** Tokens of an authorization server. [RFC8898] */
      bearer: bearer.optional(),
      /** A client certificate that names `sip:user@domain` is as good as the user's password. */
      clientCertificates: z.enum(['accept', 'ignore']).default('ignore'),
      /** Digest algorithms; unset: the order of the configuration. */
      challenge: challengeOrder.optional(),
      /** Accepts digests without qop, as RFC 2069 had them: without protection against replay within a nonce's life. */
      legacyDigest: z.boolean().default(false),
      /** Calls of this domain's users leave records. */
      accounting: z.boolean().default(true),
      /** Talk after which a call of its users is ended; for calls that leave records. 0: no limit; unset: the cluster's setting. */
      maxDurationMs: z.int().min(0).max(43_200_000).optional(),
      /** What callers of no local domain may do without credentials; where they may, users may hide their name. */
      anonymous: anonymous.default('refuse'),
      /** Unset keys: the settings of the location service. */
      registration: registration.prefault({}),
      /** `redirect`: every user is answered with where he is, and nothing is forwarded. [RFC3261-8.3] */
      routing: z.enum(['proxy', 'redirect']).default('proxy'),
      /** How the contacts of one user ring: all at once, in groups of equal q, or one by one. [RFC3261-16.6] */
      forking: z.enum(['parallel', 'q', 'serial']).default('parallel'),
      /** How long each group of contacts that ring at once rings; unset leaves the proxy's Timer C. */
      ringMs: z.int().min(1_000).max(180_000).optional(),
      /** 3xx of a phone: goes to the caller, or is followed. [RFC3261-16.5] */
      redirects: z.enum(['pass', 'recurse']).default('pass'),
      /** 3xx responses that are followed for one request. */
      maxRecursions: z.int().min(1).max(20).default(5),
      forwarding,
      /**
       * Name of the Account that pays for legs which its call flows, hunt groups and forwarding subscribers send out by a
       * trunk, where these have no account of their own.
       */
      forwardingAccount: resourceName.optional(),
      relay: relay.prefault({}),
      trust: trust.prefault({}),
      /** Further contexts in which this domain's local numbers are valid: `+49-30` or a name. [RFC3966-5.1.5] */
      /** What a user dials, with the user part of a group behind it or without for all of his: `*50`, `*51`. */
      featureCodes: featureCodes.optional(),
      phoneContexts: z.array(phoneContext).max(64).default([]),
      /** How its users dial numbers of their country and of others, or the name of a NumberPlan. Unset: a number is what it shows. */
      numberPlan: z
        .union([resourceName, numberPlan], { error: 'expected the name of a NumberPlan, or its settings' })
        .optional(),
      /** Name of a HeaderPolicy for requests of its users. */
      headerPolicy: resourceName.optional(),
    })
    .prefault({}),
})
export type Domain = z.infer<typeof domainSchema>
