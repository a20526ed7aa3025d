// SPDX-License-Identifier: MIT
//
// What a decision says of a call for its record, by who calls, how he is known and where the call leads; and which calls that policy does
// not route leave a record. Does not test: what edges add (services/edge/src/accounting), rules against fraud (fraud/).
import { expect, test } from 'vitest'
import {
  type Answer,
  answerTo,
  authenticated,
  createWorld,
  DOCUMENTS,
  decideOn,
  outcomeOf,
  recordsOf,
  request,
} from '../policy-fixture.ts'

const resource = (kind: string, metadata: object, spec: object) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })
const credentials = { password: 'alice-secret' }
const WORLD = [
  ...DOCUMENTS,
  resource('Trunk', { name: 'carrier' }, { hosts: [{ host: '192.0.2.50' }], inbound: 'allow' }),
  resource('Trunk', { name: 'pbx' }, { hosts: [{ host: '192.0.2.51' }] }),
  resource('Domain', { name: 'out.test' }, { relay: { allow: ['192.0.2.50', 'elsewhere.test'] } }),
  resource('Subscriber', { name: 'alice', domain: 'out.test' }, { credentials }),
]

const from = (domain: string) => ({ from: `<sip:alice@${domain}>;tag=a1` })
const byTrunk = {
  from: '<sip:+4930@carrier.example>;tag=x',
  source: { transport: 'udp', address: '192.0.2.50', port: 5060 },
}

test.each([
  {
    what: 'a user calls another',
    parts: {},
    facts: { tenant: 'example.test', direction: 'internal', dialled: 'bob@example.test', authMethod: 'digest-md5' },
  },
  {
    what: 'SHA-256',
    parts: { ...from('sha.test'), requestUri: 'sip:bob@SHA.test' },
    how: { algorithm: 'SHA-256' },
    facts: { tenant: 'sha.test', direction: 'internal', dialled: 'bob@sha.test', authMethod: 'digest-sha-256' },
  },
  {
    what: 'a user calls out by a trunk',
    parts: { ...from('out.test'), requestUri: 'sip:4930123@192.0.2.50' },
    facts: { tenant: 'out.test', direction: 'outbound', dialled: '4930123@192.0.2.50', ingressTrunk: '' },
    trunk: 'carrier',
  },
  {
    what: 'a user calls from the address of a trunk',
    parts: { source: { ...byTrunk.source, address: '192.0.2.51' } },
    facts: { direction: 'internal', ingressTrunk: '', authMethod: 'digest-md5' },
  },
  {
    what: 'a user calls out elsewhere',
    parts: { ...from('out.test'), requestUri: 'sip:x@elsewhere.test' },
    facts: { direction: 'outbound' },
    trunk: '',
  },
])('$what', async ({ parts, how, facts, trunk }) => {
  const node = (await createWorld(WORLD)).node()
  const decision = await authenticated(node, parts, how as Answer)
  expect([outcomeOf(decision), decision.facts]).toMatchObject(['plan', { ...facts, fraudVerdict: '', traceId: '' }])
  if (trunk === undefined) return
  const plan = decision.verdict?.$case === 'plan' ? decision.verdict.value : undefined
  expect(plan?.steps[0]?.targets[0]?.trunk ?? '').toBe(trunk)
})

test.each([
  [{ ...byTrunk }, { direction: 'inbound', ingressTrunk: 'carrier', authMethod: 'ip', tenant: 'example.test' }],
  [
    { from: '<sip:x@nowhere.test>;tag=x', requestUri: 'sip:bob@inbound.test' },
    { direction: 'inbound', ingressTrunk: '', authMethod: 'none', tenant: 'inbound.test' },
  ],
  [
    { ...from('believed.test'), requestUri: 'sip:bob@believed.test' },
    { direction: 'internal', authMethod: 'none', tenant: 'believed.test' },
  ],
])('who is not asked: %j', async (parts, facts) => {
  const decision = await decideOn((await createWorld(WORLD)).node(), request(parts))
  expect([outcomeOf(decision), decision.facts]).toMatchObject(['plan', facts])
})

test.each([
  [
    '404',
    { requestUri: 'sip:nobody@example.test' },
    { finalStatus: 404, reason: 'unknown_user', direction: 'internal' },
  ],
  [
    'another name',
    { from: '<sip:bob@example.test>;tag=a1' },
    { finalStatus: 403, reason: 'not_your_identity', direction: 'internal' },
  ],
  [
    'no relay',
    { requestUri: 'sip:x@nowhere.test' },
    { finalStatus: 403, reason: 'relay_refused', direction: 'outbound' },
  ],
])('a proven caller who is refused leaves a record: %s', async (_what, parts, expected) => {
  const world = await createWorld([
    ...WORLD.filter(({ metadata }) => (metadata as { name: string }).name !== 'example.test'),
    resource('Domain', { name: 'example.test' }, { alsoBindAddress: true, relay: { allow: ['elsewhere.test'] } }),
  ])
  await authenticated(world.node(), parts)
  const { direction, ...rest } = expected
  expect(await recordsOf(world.store.policy)).toMatchObject([
    {
      ...rest,
      type: 'call',
      outcome: 'rejected',
      endedBy: 'system',
      state: 'complete',
      facts: { direction, authMethod: 'digest-md5' },
    },
  ])
})

test('a trunk that calls nobody leaves a record; a stranger, a challenge and wrong credentials leave none', async () => {
  const world = await createWorld(WORLD)
  const node = world.node()
  await decideOn(node, request({ from: '<sip:x@nowhere.test>;tag=x', requestUri: 'sip:nobody@inbound.test' }))
  const asked = request()
  const wrong = [answerTo(await decideOn(node, asked), asked, { password: 'wrong' })]
  expect(outcomeOf(await decideOn(node, { ...asked, transactionKey: 'wrong', credentials: wrong }))).toBe(
    'challenge 407',
  )
  expect(await recordsOf(world.store.policy)).toEqual([])
  await decideOn(node, request({ ...byTrunk, requestUri: 'sip:nobody@example.test' }))
  expect(await recordsOf(world.store.policy)).toMatchObject([{ finalStatus: 404, facts: { ingressTrunk: 'carrier' } }])
})
