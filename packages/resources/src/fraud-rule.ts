// SPDX-License-Identifier: MIT
//
// FraudRule: what is measured, of whom, and what happens above which value. One rule has one scope (whom a measure is of), one selection
// (which calls it looks at) and one measure or more. A level is reached when the value is above `above`, with the call in
// question counted: `above: 10` lets ten pass. Measures without a threshold (lists, hours, User-Agents) hold or do not.
import { z } from 'zod'
import { addressRange } from './addresses.ts'
import { API_VERSION, clusterMetadata, hostName, resourceName } from './envelope.ts'
import { levelOf, markOf } from './fraud-level.ts'

const SECOND_MS = 1_000
const DAY_MS = 86_400_000

/** Of whom a measure is: each account, subscriber, … has values of its own. */
export const fraudScope = z.enum([
  'account',
  'subscriber',
  'source',
  'trunk',
  'destinationPrefix',
  'destinationCountry',
  'country',
])
export type FraudScope = z.infer<typeof fraudScope>

const windowMs = z
  .int()
  .min(SECOND_MS)
  .max(31 * DAY_MS)

/** Distinct destinations are counted one by one up to here; above it the value stays. */
export const MAX_DISTINCT = 1_000

const count = z.int().min(0).max(1_000_000_000)
const COUNT = levelOf(count)
/** Milliseconds. */
const TIME = levelOf(z.int().min(0).max(Number.MAX_SAFE_INTEGER))
/** Micro-units. */
const MONEY = levelOf(z.int().min(0).max(Number.MAX_SAFE_INTEGER))
const DISTINCT = levelOf(
  z
    .int()
    .min(0)
    .max(MAX_DISTINCT - 1),
)
const PERCENT = levelOf(z.int().min(0).max(99))
const COUNTRIES = levelOf(z.int().min(1).max(16).default(1))
const MARK = markOf()

const window = { windowMs }

const measures = z
  .strictObject({
    /** Calls that were let through. */
    callsPerWindow: z.strictObject({ ...window, ...COUNT }).optional(),
    /** Calls in set-up or answered. */
    concurrentCalls: z.strictObject(COUNT).optional(),
    /** Calls in a row to the same number; another number, or a pause of `windowMs`, begins anew. */
    sequentialCallsToOneNumber: z.strictObject({ windowMs: windowMs.default(3_600_000), ...COUNT }).optional(),
    /** Talk of calls that have ended, and of the one that is looked at. */
    totalDurationPerWindow: z.strictObject({ ...window, ...TIME }).optional(),
    /** Talk of one call. Nothing is refused by it. */
    singleDuration: z.strictObject(TIME).optional(),
    /** Prices of calls that have ended; of an account also what is held. */
    spendPerWindow: z.strictObject({ ...window, ...MONEY }).optional(),
    distinctDestinations: z.strictObject({ ...window, ...DISTINCT }).optional(),
    /** Percent of ended calls whose talk was shorter than `belowMs` (Wangiri), once there are `minCalls`. */
    shortCallRatio: z
      .strictObject({
        ...window,
        belowMs: z.int().min(1).max(600_000).default(5_000),
        minCalls: z.int().min(1).max(100_000).default(20),
        /** Calls that the caller gave up before an answer count as short. */
        countUnanswered: z.boolean().default(true),
        ...PERCENT,
      })
      .optional(),
    /** The number is on a list (premium numbers, IRSF). */
    destinationList: z.strictObject({ lists: z.array(resourceName).min(1).max(32), ...MARK }).optional(),
    /** Micro-units a minute of a rated prefix to which the account has not called for `rememberMs`. */
    newDestinationAbovePrice: z
      .strictObject({
        rememberMs: z
          .int()
          .min(60_000)
          .max(400 * DAY_MS)
          .default(90 * DAY_MS),
        ...MONEY,
      })
      .optional(),
    /** Countries in which a subscriber's calls of this moment are. */
    countriesAtOnce: z.strictObject(COUNTRIES).optional(),
    /** The call comes outside of the hours of a Schedule. */
    offHours: z.strictObject({ schedule: resourceName, ...MARK }).optional(),
    /** User-Agent has one of these texts in it, in any case; the list of known scanners unless set. */
    userAgent: z
      .strictObject({
        patterns: z
          .array(z.string().min(3).max(128))
          .min(1)
          .max(256)
          .transform((all) => all.map((one) => one.toLowerCase()))
          .optional(),
        ...MARK,
      })
      .optional(),
  })
  .refine((all) => Object.values(all).some((one) => one !== undefined), 'expected one measure at least')
export type FraudMeasures = z.infer<typeof measures>
export type FraudMeasure = keyof FraudMeasures

/** A prefix of a canonical number. */
const prefix = z.string().regex(/^(\+[0-9]{0,15}|[0-9]{1,32})$/, 'expected digits, or + and digits')

const country = z.string().regex(/^[A-Z]{2}$/, 'expected a country of two letters such as DE (ISO 3166)')

/** All that is set must be so; of each list one entry. Nothing set: every call. */
const selection = z.strictObject({
  accounts: z.array(resourceName).min(1).max(10_000).optional(),
  /** `user@domain`, with any of the subscriber's user names. */
  subscribers: z
    .array(z.string().regex(/^[^@\s]{1,128}@[^@\s]{1,253}$/, 'expected user@domain'))
    .min(1)
    .max(10_000)
    .optional(),
  /** Of the caller; of a stranger's call that which is called. */
  domains: z.array(hostName).min(1).max(1_000).optional(),
  /** Labels of the subscriber or of its account: each with this value. */
  labels: z
    .record(z.string().max(128), z.string().max(256))
    .refine((all) => Object.keys(all).length > 0, 'expected one label at least')
    .optional(),
  sources: z.array(addressRange).min(1).max(10_000).optional(),
  /** Names of trunks: by which the call comes, or else by which it goes. */
  trunks: z.array(resourceName).min(1).max(1_000).optional(),
  /** Of the number that is called. */
  prefixes: z.array(prefix).min(1).max(10_000).optional(),
  /** Names of NumberLists, one of which has the number that is called. */
  lists: z.array(resourceName).min(1).max(32).optional(),
  /** Of the caller's address; needs a GeoIP file. */
  countries: z.array(country).min(1).max(300).optional(),
  /** Of the number that is called, by its country code; XG for satellites and other global services. */
  destinationCountries: z.array(country).min(1).max(300).optional(),
  hours: z.strictObject({ schedule: resourceName, is: z.enum(['within', 'outside']).default('outside') }).optional(),
})
export type FraudSelection = z.infer<typeof selection>

/** Calls that are selected but for these. */
const exception = selection.pick({
  accounts: true,
  subscribers: true,
  sources: true,
  prefixes: true,
  lists: true,
})

const spec = z
  .strictObject({
    description: z.string().max(512).optional(),
    enabled: z.boolean().default(true),
    /** Nothing is done but events, which say so. */
    dryRun: z.boolean().default(false),
    scope: fraudScope.default('account'),
    select: selection.prefault({}),
    except: exception.prefault({}),
    measures,
    /** Of one level and subject one event in this time by each node of policy; the next one says how many there were. */
    eventEveryMs: z.int().min(0).max(3_600_000).default(10_000),
  })
  .superRefine((rule, { addIssue }) => {
    for (const [path, message] of objections(rule)) addIssue({ code: 'custom', path: [...path], message })
  })

type Checked = {
  readonly scope: FraudScope
  readonly select: FraudSelection
  readonly measures: FraudMeasures
}

type Objection = readonly [path: readonly string[], message: string]

function* objections({ scope, select, measures: all }: Checked): Generator<Objection> {
  if (scope === 'destinationPrefix' && select.prefixes === undefined && select.lists === undefined) {
    yield [['select'], 'expected prefixes or lists: a rule of scope destinationPrefix counts by them']
  }
  const scopes: readonly (readonly [FraudMeasure, FraudScope])[] = [
    ['newDestinationAbovePrice', 'account'],
    ['countriesAtOnce', 'subscriber'],
    ['userAgent', 'source'],
  ]
  for (const [measure, needed] of scopes) {
    if (all[measure] !== undefined && scope !== needed) yield [['scope'], `expected ${needed} with ${measure}`]
  }
  for (const [measure, levels] of Object.entries(all)) {
    if (levels !== undefined) yield* levelObjections(measure, levels)
  }
}

const LATE = new Set(['reject', 'challenge'])
const EARLY = new Set(['blockAccount', 'endCalls'])

interface Levels {
  readonly warning?: { readonly above?: number; readonly action: string } | undefined
  readonly critical?: { readonly above?: number; readonly action: string } | undefined
}

function* levelObjections(measure: string, { warning, critical }: Levels): Generator<Objection> {
  const path = ['measures', measure]
  if (warning === undefined && critical === undefined) yield [path, 'expected warning, critical or both']
  if (warning?.above !== undefined && critical?.above !== undefined && warning.above >= critical.above) {
    yield [[...path, 'critical', 'above'], 'expected more than the warning has']
  }
  for (const [name, level] of [
    ['warning', warning],
    ['critical', critical],
  ] as const) {
    const action = level?.action ?? ''
    const at = [...path, name, 'action']
    if (measure === 'singleDuration' && LATE.has(action)) yield [at, 'expected an action for a call that is answered']
    if (measure === 'userAgent' && EARLY.has(action)) yield [at, 'expected an action before anybody is known']
  }
}

export const fraudRuleSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('FraudRule'),
  metadata: clusterMetadata,
  spec,
})
export type FraudRule = z.infer<typeof fraudRuleSchema>
