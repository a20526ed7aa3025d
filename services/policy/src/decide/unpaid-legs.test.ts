// SPDX-License-Identifier: MIT
// What is left of a plan once forwardings out of the cluster are taken out. Not tested here: who forwards (packages/resources).
import type { PlanTarget, PlanVerdict } from '@tandem/resources'
import { expect, test } from 'vitest'
import { withoutUnpaid } from './unpaid-legs.ts'

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
  expect(withoutUnpaid(plan)).toBe(plan)
})

test('a forwarded one does not, and is not rated; its step stays, so that exits lead where they led', () => {
  const rest = withoutUnpaid(planOf(phone, forwarded))
  expect(rest.steps.map(({ targets }) => targets)).toEqual([[phone], []])
  expect(rest.number).toBeUndefined()
  expect(rest.reasons.at(-1)?.text).toContain('left out')
})

test('beside a forwarded one, what the caller dialled still leaves, at its price', () => {
  const rest = withoutUnpaid(planOf(trunk, forwarded))
  expect(rest.steps.map(({ targets }) => targets.length)).toEqual([1, 0])
  expect(rest.number).toBe('+49301')
})
