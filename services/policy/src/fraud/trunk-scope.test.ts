// SPDX-License-Identifier: MIT
//
// Rules against fraud whose scope is a trunk, where a user of ours shares its address. Other scopes: fraud-actions.test.ts.
import { afterEach, expect, test } from 'vitest'
import { begin } from '../charging/charging-fixture.ts'
import { outcomeOf } from '../policy-fixture.ts'
import { calls, createFraudBench, type FraudBench, from, REJECT, ruleOf, to } from './fraud-fixture.ts'

const STOPPED = 'reject 403 fraud'

let open: FraudBench | undefined
afterEach(async () => {
  await open?.bench.stop()
  open = undefined
})

const resource = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})

test('scope trunk: a call of a trunk has it, one of a user who shares its address has none', async () => {
  const address = '198.51.100.9'
  const trunk = resource('Trunk', { name: 'carrier' }, { hosts: [{ host: address }], inbound: 'allow' })
  const users = resource('Domain', { name: 'users.test' })
  const alice = resource(
    'Subscriber',
    { name: 'alice', domain: 'users.test' },
    { account: 'acme', acl: { sources: [address] } },
  )
  const critical = { above: 1, ...REJECT }
  open = await createFraudBench(
    [ruleOf('rule', { scope: 'trunk', measures: { callsPerWindow: { windowMs: 3_600_000, critical } } })],
    { documents: [trunk, users, alice] },
  )
  const { node, events } = open
  const stranger = { from: '<sip:1000@elsewhere.test>;tag=a1', ...from(address) }
  expect(await calls(node, 3, stranger)).toEqual(['plan', STOPPED, STOPPED])
  const ofAlice = { ...to('bob'), from: '<sip:alice@users.test>;tag=a1', ...from(address) }
  expect(outcomeOf((await begin(node, 'alice', ofAlice)).decision)).toBe('plan')
  expect(events.map(({ scope, subject }) => `${scope} ${subject}`)).toEqual(['trunk carrier'])
})
