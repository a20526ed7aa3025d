// SPDX-License-Identifier: MIT
//
// RatePlan: what calls cost by the longest prefix of the number that is called, in one currency. A rate may hold for a time
// only, and for peak or off-peak hours only. Rates stand in the resource, in a CSV file that it names, or in both.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, resourceName } from '../envelope.ts'
import { timeZone, weeklyWindow } from '../schedule/weekly.ts'

export const currencyCode = z
  .string()
  .regex(/^[A-Z]{3}$/, 'expected a currency of three letters such as EUR (ISO 4217)')

/** `*` for every number, `+49` for global ones, digits for numbers as they are dialled. */
export const RATE_PREFIX = /^(\*|\+[0-9]{1,15}|[0-9]{1,32})$/

const ratePrefix = z.string().regex(RATE_PREFIX, 'expected digits, + and digits, or * for every number')

/** MAX_PRICE of price.ts. */
const micros = z.int().min(0).max(1_000_000_000_000)
const increment = z.int().min(1_000).max(3_600_000)

const rate = z
  .strictObject({
    prefix: ratePrefix,
    /** Of the destination, for records. */
    name: z.string().max(128).default(''),
    connectFeeMicros: micros.default(0),
    perMinuteMicros: micros,
    firstIncrementMs: increment.default(60_000),
    nextIncrementMs: increment.default(60_000),
    /** A call this short costs nothing. */
    graceMs: z.int().min(0).max(600_000).default(0),
    /** Holds from then on. */
    validFrom: z.iso.datetime({ offset: true }).optional(),
    /** Holds until then. */
    validTo: z.iso.datetime({ offset: true }).optional(),
    /** Holds in these hours only. */
    period: z.enum(['always', 'peak', 'offPeak']).default('always'),
  })
  .refine(({ validFrom, validTo }) => !validFrom || !validTo || Date.parse(validFrom) < Date.parse(validTo), {
    error: 'expected validFrom before validTo',
  })
export type RateSpec = z.infer<typeof rate>

export const ratePlanSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RatePlan'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      currency: currencyCode,
      /** Zone of `peak`. */
      timeZone: timeZone.default('UTC'),
      /** When it is peak; at all other times it is off-peak. */
      peak: z.array(weeklyWindow).max(64).default([]),
      /** Name of a Schedule that says instead when it is peak. */
      peakSchedule: resourceName.optional(),
      /** Calls between users of this cluster: free, or by the rates like any other. */
      onNet: z.enum(['free', 'rated']).default('free'),
      rates: z.array(rate).max(10_000).default([]),
      import: z
        .strictObject({
          /** CSV with a line of column names. */
          file: z.string().min(1).max(4_096),
          /** Prefixes without + are global numbers all the same, as carriers write them. */
          e164: z.boolean().default(true),
        })
        .optional(),
    })
    .refine(({ rates, import: from }) => rates.length > 0 || from !== undefined, 'expected rates, import or both')
    .refine(({ peak, peakSchedule }) => peak.length === 0 || peakSchedule === undefined, {
      error: 'expected peak or peakSchedule, not both',
      path: ['peakSchedule'],
    }),
})
export type RatePlan = z.infer<typeof ratePlanSchema>
