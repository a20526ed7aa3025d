// SPDX-License-Identifier: MIT
// The judge finds what it is there to find: each fault of money, made by hand.
import { describe, expect, test } from 'vitest'
import { judge, type Statement } from './judge.ts'
import { type Payer, priceOf } from './plan.ts'
import type { PricedLine } from './processes.ts'

const PAYER: Payer = { name: 'payer0', spec: {}, floor: 0n, topUp: 1 }
const line = (seconds: number, sent: 'S' | 'R', cseq: string, start: string) =>
  `day\ttime\t${seconds}\t${sent}\tc1\tCSeq: ${cseq}\t${start}\n`
const TRACES = {
  callers: [
    line(10, 'S', '1 INVITE', 'INVITE sip:1000@money.test SIP/2.0') +
      line(11, 'R', '1 INVITE', 'SIP/2.0 200 OK') +
      line(16, 'S', '2 BYE', 'BYE sip:1000@127.0.0.1 SIP/2.0') +
      line(16, 'R', '2 BYE', 'SIP/2.0 200 OK'),
  ],
  callees: [line(11, 'S', '1 INVITE', 'SIP/2.0 200 OK') + line(16, 'R', '2 BYE', 'BYE sip:1000@127.0.0.1 SIP/2.0')],
}
const RECORD = {
  cdr_id: 'r1',
  call_id: 'c1',
  account: 'payer0',
  to_uri: 'sip:1000@money.test',
  outcome: 'answered',
  duration_ms: 5_000,
  price: '0.006000',
  unbilled_ms: 0,
  ended_by: 'caller',
  state: 'complete',
  corrects: '',
  call_ref: 'r1',
} as PricedLine
const STATEMENT: Statement = {
  account: 'payer0',
  balance: 4_000n,
  ledgerSum: 4_000n,
  held: 0n,
  holdsSum: 0n,
  ledger: [],
  toppedUp: 10_000n,
}

const wrongOf = (
  records: readonly PricedLine[] = [RECORD],
  statement: Partial<Statement> = {},
  payer: Partial<Payer> = {},
) => judge(TRACES, records, [{ ...STATEMENT, ...statement }], [{ ...PAYER, ...payer }]).wrong

test('prices of the harness: connect fee, increments that have begun, grace', () => {
  expect(priceOf('1000', 0)).toBe(0n)
  expect(priceOf('1000', 4_001)).toBe(6_000n)
  expect(priceOf('2000', 2_000)).toBe(0n)
  expect(priceOf('2000', 6_001)).toBe(7n + 19_999n)
  expect(priceOf('3000', 1)).toBe(6_173n)
})

test('a run that is right has nothing wrong', () => {
  const figures = judge(TRACES, [RECORD], [STATEMENT], [PAYER])
  expect(figures).toMatchObject({
    attempted: 1,
    answered: 1,
    compared: 1,
    withinTenthMs: 1,
    charged: 6_000n,
    wrong: [],
  })
})

test('a correction stands in the place of what it corrects', () => {
  const partial = { ...RECORD, outcome: 'error', price: '0.000000' }
  const correction = { ...RECORD, cdr_id: 'r1.1', corrects: 'r1' }
  expect(wrongOf([partial, correction])).toEqual([])
})

describe('each fault is found', () => {
  test.each([
    ['an answered call without a record', [], /0 records say so/],
    ['two records of one call', [RECORD, { ...RECORD, cdr_id: 'r2', call_ref: 'r2' }], /2 records/],
    ['one record twice', [RECORD, RECORD], /record r1 is there 2 times/],
    ['a length that is off', [{ ...RECORD, duration_ms: 6_900 }], /1900 ms off/],
    ['a price that is off', [{ ...RECORD, price: '0.006001' }], /cost 6001, expected 6000/],
    [
      'a record of no call',
      [RECORD, { ...RECORD, cdr_id: 'r2', call_ref: 'r2', call_id: 'c2' }],
      /a record of no call/,
    ],
    ['an answer that is recorded as none', [{ ...RECORD, outcome: 'error', price: '0.000000' }], /0 records say so/],
  ])('%s', (_, records, sentence) => {
    expect(wrongOf(records as PricedLine[]).join('\n')).toMatch(sentence)
  })

  test.each([
    ['a ledger that does not add up', { ledgerSum: 4_001n }, {}, /balance 4000, ledger 4001/],
    ['a hold that is left', { held: 1n, holdsSum: 1n }, {}, /1 is held/],
    ['money that came from nowhere', { balance: 4_001n, ledgerSum: 4_001n }, {}, /topped up 10000, records say 6000/],
    ['a balance below its limit', {}, { floor: 4_001n }, /is below 4001/],
    [
      'an entry twice',
      { ledger: ['a', 'a'].map((key) => ({ key, cause: 'call', amount: 1n })) },
      {},
      /twice in the ledger: a/,
    ],
  ])('%s', (_, statement, payer, sentence) => {
    expect(wrongOf([RECORD], statement, payer).join('\n')).toMatch(sentence)
  })
})
