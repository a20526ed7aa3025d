// SPDX-License-Identifier: MIT
//
// What a real call gets is what route-test tells, without the reasons.
import { describe, expect, test } from 'vitest'
import { plan } from '../plan.ts'
import type { PlanVerdict } from '../plan-verdict.ts'
import { document, domain, indexOf } from '../testing.ts'
import { NO_PLAN_FACTS, type PlanAt, planned } from './plan-at.ts'
import { planToNumber } from './resolve-destination.ts'

const at = 'example.test'
const user = (name: string, spec: object = {}) => document('Subscriber', { name, domain: at }, spec)
const group = (name: string, spec: object) => document('HuntGroup', { name, domain: at }, { ringMs: 9_000, ...spec })
const hosts = [{ host: 'a.example' }, { host: 'b.example', weight: 3 }]

const index = await indexOf(
  domain(),
  user('alice'),
  user('bob', { forwarding: { busy: { huntGroup: 'sales' }, noAnswer: { to: { number: '+493099' } } } }),
  user('carol', { forwarding: { always: { number: '+331234' } } }),
  group('sales', { strategy: 'random', members: ['alice', 'bob'], overflow: { noAnswer: { subscriber: 'carol' } } }),
  group('all', { members: ['alice', 'bob'], overflow: { failed: { trunk: { name: 'out', number: '+4988888' } } } }),
  group('mixed', { strategy: 'sequential', members: ['alice', { to: { number: '+331234' } }] }),
  group('none', { members: [{ to: { number: '+77777' } }] }),
  document('Schedule', { name: 'never' }, { timeZone: 'Europe/Berlin', dates: [{ date: '2001-01-01' }] }),
  document(
    'CallFlow',
    { name: 'flow', domain: at },
    { branches: [{ schedule: 'never', to: { subscriber: 'bob' } }], default: { to: { huntGroup: 'all' } } },
  ),
  document('Trunk', { name: 'out' }, { hosts, callerId: { headers: ['Diversion'], default: '+4911111' } }),
  document('Trunk', { name: 'off' }, { hosts, enabled: false }),
  document('TrunkGroup', { name: 'way' }, { order: 'weight', trunks: [{ trunk: 'out' }, { trunk: 'off' }] }),
  document('HeaderPolicy', { name: 'mark' }, { add: [{ name: 'X-Mark', value: '1' }] }),
  document('Route', { name: 'fr' }, { prefix: '+33', trunkGroup: 'way', headerPolicy: 'mark' }),
  document('Route', { name: 'no' }, { prefix: '+339', reject: { status: 403, reason: 'No' } }),
  document('Route', { name: 'off' }, { prefix: '+338', trunk: 'off' }),
  document('Number', { name: 'did' }, { number: '+4930123', domain: at, to: { callFlow: 'flow' } }),
)

const asked = (silent: boolean, number: string): PlanAt => ({
  index,
  call: {
    number,
    dialled: number,
    caller: { aor: `sip:alice@${at}`, domain: at, labels: {}, trunk: '', number: '' },
    shown: '',
    ownsShown: false,
    nowMs: Date.UTC(2026, 5, 1),
    draw: 0.7,
  },
  facts: { ...NO_PLAN_FACTS, silent },
  diverted: [],
  depth: 0,
})

function planOf(called: string, silent: boolean): PlanVerdict {
  if (called.startsWith('+')) return planToNumber(asked(silent, called), index.homes.get(at)?.entry)
  return planned(plan({ method: 'INVITE', user: called, host: at }, index), asked(silent, ''))
}

describe('a plan without reasons is the same plan', () => {
  const names = ['alice', 'bob', 'carol', 'sales', 'all', 'mixed', 'none', 'flow']
  const numbers = ['+4930123', '+331234', '+3391', '+3381', '+77']
  test.each([...names, ...numbers])('%s', (called) => {
    const [{ reasons, later: _a, ...told }, { reasons: _, later: _b, ...silent }] = [
      planOf(called, false),
      planOf(called, true),
    ]
    expect(silent).toEqual(told)
    expect(reasons.length).toBeGreaterThan(0)
  })
})
