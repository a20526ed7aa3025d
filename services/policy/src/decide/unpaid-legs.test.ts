// SPDX-License-Identifier: MIT
// What is left of a plan once forwardings out of the cluster are taken out. Not tested here: who forwards (packages/resources).
import type { AccountEntry, PlanTarget, PlanVerdict } from '@tandem/resources'
import { expect, test } from 'vitest'
import { MAX_PAYERS, withoutUnpaid } from './unpaid-legs.ts'

const RETARGET = { from: 'sip:alice@example.test', reason: 'user-busy' }
const LEG = { trunk: 'carrier', host: 'gw', firstResponseMs: 0, asks: false, tells: true, answersChallenges: false }
const target = (aor: string, uri: string): PlanTarget => ({
  aor,
  uri,
  instanceId: '',
  registrationHash: 0,
  trusted: false,
  retarget: undefined,
})
const NOBODY = new Map()
const phone = target('sip:alice@example.test', '')
const trunk: PlanTarget = { ...target('', 'sip:+49301@gw.test'), trunkLeg: LEG }
const forwarded: PlanTarget = { ...trunk, retarget: RETARGET }
const planOf = (...targets: PlanTarget[]): PlanVerdict => ({
  kind: 'plan',
  status: 0,
  code: '',
  steps: targets.map((one) => ({ targets: [one], ringMs: 0, retryStatuses: [], forking: 'parallel' })),
  mode: { stateless: false, maxRecursions: 0 },
  contacts: [],
  aor: '',
  reasons: [{ resource: '', text: 'as it is' }],
  number: '+49301',
})

test('a call that its caller dialled leaves by the trunk', () => {
  const plan = planOf(phone, trunk)
  expect(withoutUnpaid(plan, NOBODY)).toBe(plan)
})

test('a forwarded one does not, and is not rated; its step stays, so that exits lead where they led', () => {
  const rest = withoutUnpaid(planOf(phone, forwarded), NOBODY)
  expect(rest.steps.map(({ targets }) => targets)).toEqual([[phone], []])
  expect(rest.number).toBeUndefined()
  expect(rest.reasons.at(-1)?.text).toContain('left out')
})

test('beside a forwarded one, what the caller dialled still leaves, at its price', () => {
  const rest = withoutUnpaid(planOf(trunk, { ...forwarded, uri: 'sip:+49302@gw.test' }), NOBODY)
  expect(rest.steps.map(({ targets }) => targets.length)).toEqual([1, 0])
  expect(rest.number).toBe('+49301')
})

const accounts = new Map([1, 2, 3, 4, 5].map((i) => [`a${i}`, {} as AccountEntry]))
const paidBy = (payer: string, uri: string): PlanTarget => ({ ...forwarded, payer, uri: `sip:${uri}@gw.test` })
const left = (...targets: PlanTarget[]): string[] =>
  withoutUnpaid(planOf(...targets), accounts).steps.flatMap((step) => step.targets.map(({ uri }) => uri.slice(4, -8)))

test('who has an account sends on; who has none that is declared does not', () => {
  const plan = planOf(phone, paidBy('a1', '1'))
  expect(withoutUnpaid(plan, accounts)).toBe(plan)
  expect(left(paidBy('gone', '1'), paidBy('a1', '2'))).toEqual(['2'])
})

test('one place has one payer, so that who answers there is known by it: the first', () => {
  expect(left(paidBy('a1', '1'), paidBy('a2', '1'), paidBy('a1', '1'), { ...trunk, uri: 'sip:1@gw.test' })).toEqual([
    '1',
    '1',
  ])
})

test(`no more than ${MAX_PAYERS} accounts pay for one call`, () => {
  expect(left(...[1, 2, 3, 4, 5, 1].map((i) => paidBy(`a${i}`, String(i))))).toEqual(['1', '2', '3', '4', '1'])
})
