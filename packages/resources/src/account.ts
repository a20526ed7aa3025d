// SPDX-License-Identifier: MIT
//
// Account: who pays for the calls of its subscribers, and how far. Without a rate plan calls cost nothing; without a plan
// and limits the account is a name in the records of calls. Its balance is no part of the resource: it lives in the store.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, resourceName } from './envelope.ts'
import { currencyCode } from './rating/rate-plan.ts'

/** Below 2^53, as every amount. */
const micros = z.int().min(0)

/** What may stand in a quoted string of SIP without escapes. [RFC3261-25.1] */
export const headerText = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/, 'expected printable ASCII without quote and backslash')

const refusal = z.strictObject({
  status: z.literal([402, 403, 480, 503], { error: 'expected 402, 403, 480 or 503' }).optional(),
  /** Text of the Reason header. [RFC3326-2] */
  reason: headerText.optional(),
  /** Text of a Warning header with code 399; none unless set. [RFC3261-20.43] */
  warning: headerText.optional(),
})
export type Refusal = z.infer<typeof refusal>

export const accountSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Account'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      description: z.string().max(512).optional(),
      /** That of the rate plan unless set. */
      currency: currencyCode.optional(),
      /** `prepaid`: what is not on the balance can't be spent. `postpaid`: the balance goes below zero. */
      billing: z.enum(['prepaid', 'postpaid']).default('postpaid'),
      /** How far below zero; unset: not at all for prepaid, without limit for postpaid. */
      creditLimitMicros: micros.optional(),
      /** Name of a RatePlan. */
      ratePlan: resourceName.optional(),
      /** Calls at once. */
      maxCalls: z.int().min(1).max(1_000_000).optional(),
      /** Calls that begin in a second; that many may begin at once. */
      callsPerSecond: z.int().min(1).max(100_000).optional(),
      /** Charges and reservations of the last hour and day. */
      spendPerHourMicros: micros.optional(),
      spendPerDayMicros: micros.optional(),
      /** Nobody of it calls. */
      blocked: z.boolean().default(false),
      /** What callers are told. */
      refusals: z
        .strictObject({
          credit: refusal.prefault({}),
          limit: refusal.prefault({}),
          blocked: refusal.prefault({}),
          noRate: refusal.prefault({}),
        })
        .prefault({}),
    })
    .prefault({}),
})
export type Account = z.infer<typeof accountSchema>
