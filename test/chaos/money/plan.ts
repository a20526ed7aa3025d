// SPDX-License-Identifier: MIT
// Who pays in a money run, and what calls cost: accounts of every kind, callees with numbers of three rates. The prices are worked out here
// once more, by integers of this file's own, so that harness and cluster do not share a mistake.
import { createRandom } from '@tandem/test-kit'

export const DOMAIN = 'money.test'
const CURRENCY = 'EUR'

/** Micro-units and milliseconds. */
interface Rate {
  readonly prefix: string
  readonly connectFeeMicros: number
  readonly perMinuteMicros: number
  readonly firstIncrementMs: number
  readonly nextIncrementMs: number
  readonly graceMs: number
}

/** By the first digit of the callee. */
export const RATES: readonly Rate[] = [
  {
    prefix: '1',
    connectFeeMicros: 1_000,
    perMinuteMicros: 60_000,
    firstIncrementMs: 1_000,
    nextIncrementMs: 1_000,
    graceMs: 0,
  },
  {
    prefix: '2',
    connectFeeMicros: 7,
    perMinuteMicros: 99_991,
    firstIncrementMs: 6_000,
    nextIncrementMs: 6_000,
    graceMs: 2_000,
  },
  {
    prefix: '3',
    connectFeeMicros: 0,
    perMinuteMicros: 12_345,
    firstIncrementMs: 30_000,
    nextIncrementMs: 1_000,
    graceMs: 0,
  },
]

/** What `talkMs` costs at the rate of `callee`. */
export function priceOf(callee: string, talkMs: number): bigint {
  const rate = RATES.find(({ prefix }) => callee.startsWith(prefix))
  if (rate === undefined) throw new Error(`${callee} has no rate`)
  if (talkMs <= rate.graceMs) return 0n
  const more = Math.max(0, Math.ceil((talkMs - rate.firstIncrementMs) / rate.nextIncrementMs))
  const billedMs = BigInt(rate.firstIncrementMs + more * rate.nextIncrementMs)
  return BigInt(rate.connectFeeMicros) + (BigInt(rate.perMinuteMicros) * billedMs + 59_999n) / 60_000n
}

export interface Payer {
  readonly name: string
  readonly spec: Readonly<Record<string, unknown>>
  /** The balance never goes below it; undefined: no bound. */
  readonly floor: bigint | undefined
  /** Micro-units that the harness adds at once, each time; 0: it starts with nothing and gets nothing. */
  readonly topUp: number
}

/** A tenth of all: calls at once, calls a second, spend of an hour are bounded. */
function payer(index: number, random: () => number): Payer {
  const name = `payer${index}`
  const base = { ratePlan: 'retail' }
  const kind = index % 10
  const prepaid = { ...base, billing: 'prepaid' }
  const postpaid = { ...base, billing: 'postpaid' }
  if (kind < 4) return { name, spec: prepaid, floor: 0n, topUp: 30_000 + Math.floor(random() * 200_000) }
  if (kind < 6) return { name, spec: prepaid, floor: 0n, topUp: 50_000_000 }
  if (kind === 6) {
    const creditLimitMicros = Math.floor(random() * 3_000_000)
    return { name, spec: { ...postpaid, creditLimitMicros }, floor: -BigInt(creditLimitMicros), topUp: 0 }
  }
  if (kind === 7) return { name, spec: { ...prepaid, maxCalls: 3, callsPerSecond: 2 }, floor: 0n, topUp: 20_000_000 }
  if (kind === 8) return { name, spec: { ...postpaid, spendPerHourMicros: 2_500_000 }, floor: undefined, topUp: 0 }
  return { name, spec: postpaid, floor: undefined, topUp: 0 }
}

export function payersOf(count: number, seed: number): Payer[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, index) => payer(index, random))
}

export const calleesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, k) => `${(k % RATES.length) + 1}${String(k).padStart(3, '0')}`)

/** Resources of the cluster. */
export function documentsOf(payers: readonly Payer[], callees: readonly string[]): unknown[] {
  const document = (kind: string, metadata: object, spec: object) => ({
    apiVersion: 'tandem/v1',
    kind,
    metadata,
    spec,
  })
  return [
    document('Domain', { name: DOMAIN }, { authentication: 'none', accounting: true }),
    document('RatePlan', { name: 'retail' }, { currency: CURRENCY, onNet: 'rated', rates: RATES }),
    ...payers.flatMap(({ name, spec }) => [
      document('Account', { name }, spec),
      document('Subscriber', { name, domain: DOMAIN }, { account: name }),
    ]),
    ...callees.map((name) => document('Subscriber', { name, domain: DOMAIN }, {})),
  ]
}
