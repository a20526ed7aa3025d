// SPDX-License-Identifier: MIT
//
// Which rate a number has, decks, and what is refused. Not tested here: what talk costs (price.test.ts).
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeProblem } from '../errors.ts'
import { indexResources } from '../lay-out/lay-out.ts'
import { loadResources } from '../load.ts'
import { document, indexOf, OPTIONS, problemsOf } from '../testing.ts'

const plan = (spec: object) => document('RatePlan', { name: 'retail' }, { currency: 'EUR', ...spec })
const account = (spec: object = {}) => document('Account', { name: 'acme' }, { ratePlan: 'retail', ...spec })
const rate = (prefix: string, perMinuteMicros: number, more: object = {}) => ({ prefix, perMinuteMicros, ...more })

const MONDAY_NOON = Date.parse('2026-01-05T12:00:00Z')

async function ratePlanOf(spec: object) {
  const index = await indexOf(plan(spec), account())
  const entry = index.accounts.get('acme')?.ratePlan
  if (entry === undefined) throw new Error('the account has no rate plan')
  return entry
}

test.each([
  ['+4930123', '+4930'],
  ['+491', '+49'],
  ['+1', '*'],
  ['110', '11'],
  ['', '*'],
])('the longest prefix of %j is %s', async (number, prefix) => {
  const rates = ['*', '+49', '+4930', '+4930124', '11'].map((one) => rate(one, 1))
  expect((await ratePlanOf({ rates })).find(number, MONDAY_NOON)?.prefix).toBe(prefix)
})

test('a number without a rate has none', async () => {
  expect((await ratePlanOf({ rates: [rate('+49', 1)] })).find('+1', MONDAY_NOON)).toBeUndefined()
})

test('a rate holds within its time, peak by the clock of the zone, and a longer prefix that does not hold is passed over', async () => {
  const entry = await ratePlanOf({
    timeZone: 'Europe/Berlin',
    peak: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' }],
    rates: [
      rate('+49', 10, { period: 'peak' }),
      rate('+49', 5),
      rate('+4930', 7, { validFrom: '2026-02-01T00:00:00Z', validTo: '2026-03-01T00:00:00Z' }),
    ],
  })
  const at = (time: string, number = '+49') => entry.find(number, Date.parse(time))?.rate.perMinute
  expect(at('2026-01-05T07:00:00Z')).toBe(10n) // Monday 08:00 in Berlin
  expect(at('2026-01-05T06:59:59Z')).toBe(5n)
  expect(at('2026-07-06T06:00:00Z')).toBe(10n) // summer time
  expect(at('2026-01-10T12:00:00Z')).toBe(5n) // Saturday
  expect(at('2026-02-01T00:00:00Z', '+4930')).toBe(7n)
  expect(at('2026-03-01T00:00:00Z', '+4930')).toBe(5n) // a Sunday
})

test.each([
  ['a negative price', { rates: [rate('*', -1)] }],
  ['a price beyond the bound', { rates: [rate('*', 1e13)] }],
  ['no rates', {}],
  ['a currency that is none', { currency: 'euro', rates: [rate('*', 1)] }],
  ['two prices at once', { rates: [rate('+49', 1), rate('+49', 2)] }],
])('is refused: %s', async (_, spec) => {
  expect(await problemsOf(plan(spec))).not.toEqual([])
})

test('currency mismatch is refused, and an account takes the currency of its plan', async () => {
  const rates = [rate('*', 1)]
  expect(await problemsOf(plan({ rates }), account({ currency: 'USD' }))).toEqual([
    'spec.currency: expected EUR, the currency of RatePlan/retail',
  ])
  expect((await indexOf(plan({ rates }), account())).accounts.get('acme')?.currency).toBe('EUR')
  expect(await problemsOf(account())).toEqual([
    'spec.ratePlan: expected an existing resource; there is no RatePlan/retail',
  ])
})

test('prepaid has no credit unless set, postpaid no bound unless set', async () => {
  const rates = plan({ rates: [rate('*', 1)] })
  const limitOf = async (spec: object) => (await indexOf(rates, account(spec))).accounts.get('acme')?.creditLimit
  expect(await limitOf({ billing: 'prepaid' })).toBe(0n)
  expect(await limitOf({ billing: 'prepaid', creditLimitMicros: 5 })).toBe(5n)
  expect(await limitOf({})).toBeUndefined()
})

test('an account without plan and limits meters nothing', async () => {
  const index = await indexOf(
    document('Account', { name: 'demo' }),
    document('Account', { name: 'few' }, { maxCalls: 2 }),
  )
  expect(index.accounts.get('demo')?.metered).toBe(false)
  expect(index.accounts.get('few')?.metered).toBe(true)
})

async function loadDeck(csv: string, spec: object = {}) {
  const baseDir = await mkdtemp(join(tmpdir(), 'rates-'))
  await writeFile(join(baseDir, 'deck.csv'), csv)
  const documents = [plan({ import: { file: 'deck.csv' }, ...spec }), account()]
  return loadResources(documents, { baseDir, env: {} })
}

test('a deck is imported, its prefixes are global numbers, and its content counts for the revision', async () => {
  const one = await loadDeck(
    'prefix,name,connectFee,perMinute,firstS,nextS\n49,"Germany, all",0.01,0.02,6,1\n# note\n\n*,,0,1,,\n',
  )
  if (!one.ok) throw new Error(one.problems.map(describeProblem).join('\n'))
  const rows = [...(one.set.decks?.get('retail')?.rows() ?? [])]
  expect(rows.map(({ prefix, name }) => [prefix, name])).toEqual([
    ['+49', 'Germany, all'],
    ['*', ''],
  ])
  expect(rows[0]?.rate).toEqual({
    connectFee: 10_000n,
    perMinute: 20_000n,
    firstMs: 6_000,
    nextMs: 1_000,
    graceMs: 0,
  })
  const other = await loadDeck('prefix,perMinute\n49,0.03\n')
  expect(other.ok && other.set.revision).not.toBe(one.set.revision)
})

test.each([
  ['a price that is none', 'prefix,perMinute\n49,0.02\n44,x\n', 3, 'in perMinute, found x'],
  ['a negative price', 'prefix,perMinute\n49,-0.02\n', 2, 'in perMinute, found -0.02'],
  ['a price beyond micro-units', 'prefix,perMinute\n49,0.0000001\n', 2, 'at most six decimals'],
  ['a price that overflows', 'prefix,perMinuteMicros\n49,99999999999999\n', 2, 'in perMinute'],
  ['another currency', 'prefix,perMinute,currency\n49,1,USD\n', 2, "expected the plan's currency EUR, found USD"],
  ['a field too few', 'prefix,perMinute\n49\n', 2, 'expected 2 fields, found 1'],
  ['an open quote', 'prefix,perMinute\n"49,1\n', 2, 'quoted ones closed'],
  ['an unknown column', 'prefix,price\n49,1\n', 1, 'found price'],
  ['a prefix that is none', 'prefix,perMinute\n49a,1\n', 2, 'in prefix, found 49a'],
  ['a prefix twice', 'prefix,perMinute\n49,1\n+49,2\n', 3, 'one rate for +49 at a time'],
  ['an empty file', '', 1, 'a line of column names'],
])('a broken line has its number, and nothing is applied: %s', async (_, csv, line, expected) => {
  const loaded = await loadDeck(csv)
  if (loaded.ok) throw new Error('expected problems')
  expect(loaded.problems).toHaveLength(1)
  expect(loaded.problems[0]?.line).toBe(line)
  expect(loaded.problems[0]?.expected).toContain(expected)
  expect(loaded.problems[0]?.file).toContain('deck.csv')
})

test('rates of the resource and of its deck are one table', async () => {
  const loaded = await loadDeck('prefix,perMinuteMicros\n49,1\n4930,2\n"4940",3\n', {
    rates: [rate('+49', 5, { period: 'peak' }), rate('+4941', 4), rate('*', 9)],
    peak: [{ days: ['mon'], from: '08:00', to: '18:00' }],
  })
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'))
  const plan = indexResources(loaded.set, OPTIONS).accounts.get('acme')?.ratePlan
  const found = (number: string, ms = MONDAY_NOON) => {
    const { prefix, rate: { perMinute } = { perMinute: undefined } } = plan?.find(number, ms) ?? {}
    return `${prefix} ${perMinute}`
  }
  expect(['+491', '+49301', '+49401', '+49411', '+1', '12'].map((number) => found(number))).toEqual([
    '+49 5',
    '+4930 2',
    '+4940 3',
    '+4941 4',
    '* 9',
    '* 9',
  ])
  expect(found('+491', MONDAY_NOON + 86_400_000)).toBe('+49 1')
  expect(plan?.size).toBe(6)
})

test('a rate that both the resource and its deck have is refused', async () => {
  const loaded = await loadDeck('prefix,perMinute\n49,1\n', { rates: [rate('+49', 5)] })
  expect(!loaded.ok && loaded.problems.map(({ path }) => path)).toEqual(['spec.rates[0]'])
})

test('a deck of 200,000 lines lets others have their turn', async () => {
  const lines = Array.from({ length: 200_000 }, (_, k) => `4${String(k).padStart(6, '0')},0.0${k % 97}`)
  const turns: number[] = []
  const timer = setInterval(() => turns.push(performance.now()), 1)
  const loaded = await loadDeck(`prefix,perMinute\n${lines.join('\n')}\n`)
  clearInterval(timer)
  expect(loaded.ok && loaded.set.decks?.get('retail')?.size).toBe(200_000)
  expect(turns.length).toBeGreaterThan(2)
})
