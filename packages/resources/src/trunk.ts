// SPDX-License-Identifier: MIT
//
// Trunk: a carrier or PBX: its hosts, whom to trust, and how calls go out by it and come in by it.
// What comes from a trusted trunk is believed, and what is relayed to its hosts may carry identities that are private. [RFC3325-5]
// One that is not trusted may still be let in by its address, certificate, digest or registration; what it says of callers is then not believed.
// From is never rewritten: it belongs to the caller and the dialog [RFC3261-16.6]. What a trunk is to be told of the caller stands in
// P-Asserted-Identity, P-Preferred-Identity or Diversion. Session descriptions pass untouched.
import { z } from 'zod'
import { sourceRange } from './addresses.ts'
import { contactUri } from './contact.ts'
import { API_VERSION, clusterMetadata, hostName, resourceName } from './envelope.ts'
import { numberFormat } from './routing/number-format.ts'
import { e164Number, numberPattern } from './routing/number-pattern.ts'
import { secretSource } from './secret.ts'

/** After these the next host or trunk is tried, besides no response at all. Never 486, 600, 603 and 404. */
export const RETRY_STATUSES: readonly number[] = Object.freeze([408, 500, 502, 503, 504, 580])

const trunkHost = z.strictObject({
  host: hostName,
  /** Unset: found by RFC 3263, with NAPTR and SRV records. */
  port: z.int().min(1).max(65_535).optional(),
  /** tls: its requests are known by the certificate of their connection, which must prove the host, and not by their address. */
  transport: z.enum(['udp', 'tcp', 'tls']).default('udp'),
  /** Lower first. */
  priority: z.int().min(0).max(65_535).default(0),
  /** Share of the calls among hosts of one priority; 0: after the others. */
  weight: z.int().min(0).max(65_535).default(1),
})

const digestName = z
  .string()
  .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected printable ASCII without quote and backslash')

/** Kept as they are: the realm is not known beforehand. They never leave policy. */
const outCredentials = z.strictObject({
  username: digestName,
  password: secretSource,
  /** Only challenges of this realm are answered; unset: those of any. */
  realm: digestName.optional(),
})
const inCredentials = z.strictObject({ username: digestName, password: secretSource })

const uriUser = z.string().regex(/^[A-Za-z0-9\-_.!~*'()&=+$,/?]{1,128}$/, 'expected the user part of a SIP URI')

const registration = z.strictObject({
  /** Where REGISTER goes: `sip:carrier.example`; it is also the Request-URI. */
  registrar: contactUri,
  /** Address-of-record: `user@domain`. */
  user: uriUser,
  /** Unset: the registrar's host. */
  domain: hostName.optional(),
  /** User part of the Contact, by which calls that come in are known; unset: `user`. */
  contactUser: uriUser.optional(),
  expiresMs: z.int().min(60_000).max(86_400_000).default(3_600_000),
  /** Unset: those of the trunk. */
  credentials: outCredentials.optional(),
})

const probe = z.strictObject({
  intervalMs: z.int().min(5_000).max(3_600_000).default(30_000),
  timeoutMs: z.int().min(500).max(32_000).default(4_000),
  /** So many in a row open the breaker of the host. */
  failures: z.int().min(1).max(10).default(2),
})

const breaker = z
  .strictObject({
    /** Failed attempts within the window after which a host is left alone; 0: never. */
    failures: z.int().min(0).max(100).default(5),
    windowMs: z.int().min(1_000).max(3_600_000).default(30_000),
    /** Until one call, or a probe, tries it again. */
    openMs: z.int().min(1_000).max(3_600_000).default(30_000),
  })
  .prefault({})

export const CALLER_HEADERS = ['P-Asserted-Identity', 'P-Preferred-Identity', 'Diversion'] as const

const callerId = z
  .strictObject({
    /**
     * `rules`: the number that the caller shows where it is his own or in `allowed`, else his own one, else `default`.
     * `passthrough`: whatever he shows, unlooked at.
     */
    mode: z.enum(['rules', 'passthrough']).default('rules'),
    /** Numbers that anybody may show here, besides his own ones. */
    allowed: z.array(numberPattern).max(1_000).default([]),
    default: e164Number.optional(),
    /** A call without a number to show does not go by this trunk. */
    required: z.boolean().default(false),
    /** Where it is written. Diversion: as a call that the number has forwarded. */
    headers: z
      .array(z.enum(CALLER_HEADERS))
      .min(1)
      .max(3)
      .refine((list) => new Set(list).size === list.length, 'expected each header once')
      .default(['P-Asserted-Identity']),
    /** Host of the URI that is written; unset: the host of the trunk. `tel`: a tel URI. */
    host: z.union([z.literal('tel'), hostName]).optional(),
  })
  .refine((c) => c.default === undefined || c.mode === 'rules', {
    error: 'expected none: in passthrough what the caller shows is left alone',
    path: ['default'],
  })

export const trunkSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Trunk'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      hosts: z.array(trunkHost).min(1).max(32),
      /** false: nothing is sent by it; what comes from it is known all the same. */
      enabled: z.boolean().default(true),
      /** Within the trust domain, in both directions. */
      trusted: z.boolean().default(false),
      /** Where its requests come from, besides those of `hosts` that are addresses. */
      sources: z.array(sourceRange).max(256).default([]),
      /** Its calls into our domains need no credentials; unset: where it is trusted. */
      inbound: z.enum(['allow', 'refuse']).optional(),
      /** Requests to it go through this proxy, while the Request-URI names the host. */
      outboundProxy: contactUri.optional(),
      /** Its challenges are answered with these. */
      credentials: outCredentials.optional(),
      /** What it answers our challenges with: then it is known by them from any address. */
      inboundCredentials: inCredentials.optional(),
      registration: registration.optional(),
      /** Name of the NumberPlan by which it writes national numbers. */
      numberPlan: resourceName.optional(),
      /** How numbers go out: the called one in the Request-URI, the caller's where `callerId` writes it. */
      numbersOut: numberFormat,
      /** How numbers come in. */
      numbersIn: numberFormat,
      /** `;user=phone` on the Request-URI. */
      userPhone: z.boolean().default(false),
      /** What is told of callers; unset: what they and their domain say. */
      callerId: callerId.optional(),
      /** Name of the RatePlan by which it is paid: cost and margin of the record, least cost. */
      ratePlan: resourceName.optional(),
      maxCalls: z.int().min(1).max(1_000_000).optional(),
      callsPerSecond: z.int().min(1).max(10_000).optional(),
      probe: probe.optional(),
      breaker,
      /** Final statuses after which the next host or trunk is tried; no response at all always is one. */
      retryStatuses: z
        .array(z.int().min(300).max(699))
        .max(64)
        .refine((list) => new Set(list).size === list.length, 'expected each status once')
        .default([...RETRY_STATUSES]),
      /** Until the first provisional response; then the next one is tried. 0: no bound but that of the transaction. */
      firstResponseMs: z.int().min(0).max(32_000).default(4_000),
      /** Until it is answered; unset leaves the proxy's Timer C. */
      ringMs: z.int().min(1_000).max(600_000).optional(),
      /** Name of a HeaderPolicy for what goes to it. */
      headerPolicy: resourceName.optional(),
      /** Name of a HeaderPolicy for what comes from it. */
      inboundHeaderPolicy: resourceName.optional(),
    })
    .refine((s) => s.trusted || !s.callerId?.headers.includes('P-Asserted-Identity'), {
      error: 'expected trusted: true, or other headers: P-Asserted-Identity is for a trunk within the trust domain',
      path: ['callerId', 'headers'],
    })
    .refine((s) => s.registration === undefined || (s.registration.credentials ?? s.credentials) !== undefined, {
      error: 'expected credentials, here or in the trunk',
      path: ['registration'],
    }),
})
export type Trunk = z.infer<typeof trunkSchema>
