// SPDX-License-Identifier: MIT
//
// A rule that asks once more: who has just shown his password passes, whose nonce was used before is asked for a new one, and who is known by his
// address has to show it all the same.
import { expect, test } from 'vitest'
import { answerTo, createWorld, DOCUMENTS, decideOn, outcomeOf, request } from '../policy-fixture.ts'
import { ruleOf } from './fraud-fixture.ts'

const RULE = ruleOf('ask', {
  scope: 'subscriber',
  measures: { callsPerWindow: { windowMs: 60_000, critical: { above: 0, action: 'challenge' } } },
})

const ACL = {
  apiVersion: 'tandem/v1',
  kind: 'Subscriber',
  metadata: { name: 'pbx', domain: 'example.test' },
  spec: { account: 'demo', credentials: { password: 'pbx-secret' }, acl: { sources: ['192.0.2.77'] } },
}

const FROM_PBX = {
  from: '<sip:pbx@example.test>;tag=a1',
  source: { transport: 'udp', address: '192.0.2.77', port: 5060 },
}

test('a password shown with a nonce of its own passes; with one that was used before another one is asked for', async () => {
  const world = await createWorld([...DOCUMENTS, RULE])
  const node = world.node()
  const asked = request()
  const first = await decideOn(node, asked)
  expect(outcomeOf(first)).toBe('challenge 407')
  const fresh = { ...asked, transactionKey: 'fresh', credentials: [answerTo(first, asked)] }
  expect(outcomeOf(await decideOn(node, fresh))).toBe('plan')
  const again = { ...asked, transactionKey: 'again', credentials: [answerTo(first, asked, { nc: '00000002' })] }
  const stale = await decideOn(node, again)
  expect(outcomeOf(stale)).toBe('challenge 407')
  expect(JSON.stringify(stale)).toContain('stale=true')
  const anew = { ...asked, transactionKey: 'anew', credentials: [answerTo(stale, asked)] }
  expect(outcomeOf(await decideOn(node, anew))).toBe('plan')
  expect(node.counts.fraudChallenges).toBe(1)
})

test('who is known by his address is asked for his password', async () => {
  const world = await createWorld([...DOCUMENTS, ACL, RULE])
  const node = world.node()
  const asked = request(FROM_PBX)
  const challenged = await decideOn(node, asked)
  expect(outcomeOf(challenged)).toBe('challenge 407')
  const wrong = answerTo(challenged, asked, { username: 'pbx', password: 'nothing' })
  expect(outcomeOf(await decideOn(node, { ...asked, transactionKey: 'wrong', credentials: [wrong] }))).toBe(
    'challenge 407',
  )
  const right = answerTo(challenged, asked, { username: 'pbx' })
  const passed = await decideOn(node, { ...asked, transactionKey: 'right', credentials: [right] })
  expect(outcomeOf(passed)).toBe('plan')
  expect(passed.identity).toBe('sip:pbx@example.test')
})

test('without the rule nobody asks him', async () => {
  const world = await createWorld([...DOCUMENTS, ACL])
  expect(outcomeOf(await decideOn(world.node(), request(FROM_PBX)))).toBe('plan')
})
