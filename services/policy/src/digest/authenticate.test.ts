// SPDX-License-Identifier: MIT
//
// Who gets asked, who gets in, and that nobody learns from outside which users exist. Identity and plans: decide.test.ts.

import type { policy } from '@tandem/rpc'
import { describe, expect, test } from 'vitest'
import { type Answer, answerTo, authenticated, createWorld, decideOn, outcomeOf, request } from '../policy-fixture.ts'

const world = await createWorld()
const node = world.node()

const challengeOf = (response: policy.DecideResponse): string[] =>
  response.verdict?.$case === 'challenge' ? response.verdict.value.values : []

const in_ = (domain: string): Partial<policy.DecideRequest> => ({
  requestUri: `sip:bob@${domain}`,
  from: `<sip:alice@${domain}>;tag=a1`,
  to: `<sip:bob@${domain}>`,
})

const REGISTER: Partial<policy.DecideRequest> = {
  method: 'REGISTER',
  requestUri: 'sip:example.test',
  to: '<sip:alice@example.test>',
}

describe('challenges', () => {
  test('REGISTER gets 401, everything else 407 [RFC3261-22.1a]', async () => {
    const cases = [
      { method: 'REGISTER', cite: 'RFC3261-22.2a', expected: 'challenge 401' },
      { method: 'INVITE', cite: 'RFC3261-22.3', expected: 'challenge 407' },
      { method: 'MESSAGE', cite: 'RFC3261-22.3', expected: 'challenge 407' },
      { method: 'OPTIONS', cite: 'RFC3261-22.3', expected: 'challenge 407' },
    ]
    for (const { method, expected } of cases) {
      expect(outcomeOf(await decideOn(node, request({ method }))), method).toBe(expected)
    }
  })

  test('ACK and CANCEL are never challenged [RFC3261-22.1f] [RFC3261-22.1g]', async () => {
    for (const method of ['ACK', 'CANCEL']) {
      expect(outcomeOf(await decideOn(node, request({ method })))).toBe('reject 481 not_decided')
    }
  })

  test('one value per algorithm, in the order of the domain or else of the settings [RFC8760-2.3]', async () => {
    const algorithms = (values: string[]) => values.map((value) => /algorithm=([^,]+)/.exec(value)?.[1])
    expect(algorithms(challengeOf(await decideOn(node, request())))).toEqual(['MD5', 'SHA-256'])
    expect(algorithms(challengeOf(await decideOn(node, request(in_('sha.test')))))).toEqual(['SHA-256'])
    const other = world.node({ config: { challengeOrder: ['SHA-256', 'MD5'] } })
    expect(algorithms(challengeOf(await decideOn(other, request())))).toEqual(['SHA-256', 'MD5'])
  })

  test('names realm [RFC3261-22.1c], qop [RFC3261-22.4c] and a nonce, and leaves no call on record', async () => {
    const [value = ''] = challengeOf(await decideOn(node, request()))
    expect(value).toMatch(/^Digest realm="example\.test", nonce="[\w-]{44}", algorithm=MD5, qop="auth"$/)
    const live = await world.store.policy.listLive(10)
    expect(live.state === 'stored' && live.value.calls).toEqual([])
  })
})

const ANSWERS: readonly { what: string; parts?: Partial<policy.DecideRequest>; how?: Answer; expected: string }[] = [
  { what: 'right, MD5', expected: 'plan' },
  { what: 'right, SHA-256', how: { algorithm: 'SHA-256' }, expected: 'plan' },
  { what: 'right, REGISTER', parts: REGISTER, expected: 'admit' },
  {
    what: 'right, with a hash stored',
    parts: { from: '<sip:dave@example.test>' },
    how: { username: 'dave' },
    expected: 'plan',
  },
  {
    what: 'an algorithm for which no hash is stored',
    how: { username: 'dave', algorithm: 'SHA-256' },
    expected: 'challenge 407',
  },
  {
    what: 'an algorithm that is not offered',
    parts: in_('sha.test'),
    how: { algorithm: 'MD5' },
    expected: 'challenge 407',
  },
  { what: 'a wrong password', how: { password: 'guess' }, expected: 'challenge 407' },
  { what: 'an unknown user', how: { username: 'mallory' }, expected: 'challenge 407' },
  { what: '[RFC3261-22.3d] another realm', how: { realm: 'other.test' }, expected: 'challenge 407' },
  { what: 'a nonce of somebody else', how: { nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093' }, expected: 'challenge 407' },
  { what: 'nc=0', how: { nc: '00000000' }, expected: 'challenge 407' },
  { what: 'nc that is no count', how: { nc: '1' }, expected: 'challenge 407' },
  { what: '[RFC3261-22.4d] no qop', how: { qop: false }, expected: 'challenge 407' },
  {
    what: '[RFC3261-22.4a] no qop where the domain allows it',
    parts: in_('old.test'),
    how: { qop: false },
    expected: 'plan',
  },
  { what: "the domain as the digest's URI, as SIPp sends it", how: { uri: 'sip:127.0.0.1:5060' }, expected: 'plan' },
  { what: 'the same user under another name of the domain', how: { uri: 'sip:bob@127.0.0.1' }, expected: 'plan' },
  {
    what: "another user in the digest's URI",
    how: { uri: 'sip:carol@example.test' },
    expected: 'reject 400 digest_uri_mismatch',
  },
  {
    what: 'a foreign URI in the digest',
    how: { uri: 'sip:bob@elsewhere.test' },
    expected: 'reject 400 digest_uri_mismatch',
  },
  {
    what: '[RFC3966-4a] the same number in another form in the digest',
    parts: { requestUri: 'tel:+4930123' },
    how: { uri: 'tel:+49-30-123' },
    expected: 'reject 404 unknown_number',
  },
  {
    what: '[RFC3261-22.4e] another number in the digest',
    parts: { requestUri: 'tel:+4930123' },
    how: { uri: 'tel:+4930124' },
    expected: 'reject 400 digest_uri_mismatch',
  },
]

describe('answers', () => {
  test.each(ANSWERS)('$what → $expected', async ({ parts, how, expected }) => {
    expect(outcomeOf(await authenticated(node, parts, how))).toBe(expected)
  })

  test('an unknown user and a wrong password can not be told apart', async () => {
    const shapes = []
    for (const how of [{ username: 'mallory' }, { password: 'guess' }]) {
      const response = await authenticated(node, {}, how)
      shapes.push(challengeOf(response).map((value) => value.replace(/nonce="[^"]*"/, 'nonce')))
      expect({ ...response, verdict: undefined }).toEqual({
        verdict: undefined,
        callRef: '',
        identity: '',
        account: '',
      })
    }
    expect(shapes[0]).toEqual(shapes[1])
    expect(shapes[0]?.join()).not.toContain('stale')
  })

  test('credentials in the other header do not count', async () => {
    const asked = request()
    const answer = answerTo(await decideOn(node, asked), asked)
    const again = { ...asked, transactionKey: 'other header', credentials: [{ ...answer, proxy: false }] }
    expect(outcomeOf(await decideOn(node, again))).toBe('challenge 407')
  })

  test("another proxy's credentials and other schemes beside ours change nothing [RFC3261-22.3h] [RFC3261-22b]", async () => {
    const asked = request()
    const answer = answerTo(await decideOn(node, asked), asked)
    const foreign = {
      proxy: true,
      value: 'Digest username="alice", realm="elsewhere", nonce="n", uri="u", response="0"',
    }
    const again = {
      ...asked,
      transactionKey: 'beside',
      credentials: [foreign, { proxy: true, value: 'Basic x' }, answer],
    }
    expect(outcomeOf(await decideOn(node, again))).toBe('plan')
  })

  test('who is called from another of our domains is authenticated in his own', async () => {
    const parts = { from: '<sip:alice@assert.test>', requestUri: 'sip:bob@example.test' }
    expect(challengeOf(await decideOn(node, request(parts)))[0]).toContain('realm="assert.test"')
    expect(outcomeOf(await authenticated(node, parts))).toBe('plan')
  })

  test('a name of a domain that asks nobody does not open one that asks', async () => {
    const parts = { from: '<sip:bob@open.test>', requestUri: 'sip:bob@example.test' }
    expect(outcomeOf(await decideOn(node, request(parts)))).toBe('challenge 407')
  })
})

describe('nonces', () => {
  const aged = async (ms: number) => {
    const asked = request()
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    world.clock.ms += ms
    return decideOn(node, { ...asked, transactionKey: `${asked.transactionKey}-aged`, credentials })
  }

  test('one that is too old is stale [RFC7616-3.3]', async () => {
    expect(outcomeOf(await aged(299_000))).toBe('plan')
    const response = await aged(301_000)
    expect(challengeOf(response).every((value) => value.endsWith(', stale=true'))).toBe(true)
    expect(challengeOf(response)).toHaveLength(2)
  })

  test('after the key ring was changed, right credentials are stale, not wrong', async () => {
    const asked = request()
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const other = world.node({ config: { keyRing: [{ id: 7, secret: 'another secret for tests' }] } })
    expect(challengeOf(await decideOn(other, { ...asked, credentials }))[0]).toContain('stale=true')
  })

  test('a nonce of one node is good on another', async () => {
    const asked = request()
    const credentials = [answerTo(await decideOn(world.node(), asked), asked)]
    expect(outcomeOf(await decideOn(world.node(), { ...asked, transactionKey: 'n2', credentials }))).toBe('plan')
  })

  test('a count is used up on every node, but not for a retransmission through another edge', async () => {
    const asked = request({ method: 'MESSAGE' })
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const message = { ...asked, transactionKey: 'first', credentials }
    expect(outcomeOf(await decideOn(node, message))).toBe('plan')
    expect(outcomeOf(await decideOn(world.node(), { ...message, edgeId: 'edge-1.1' }))).toBe('plan')
    const replay = await decideOn(world.node(), { ...message, transactionKey: 'second' })
    expect(challengeOf(replay)[0]).toContain('stale=true')
  })

  test('the next count of the same nonce is fresh', async () => {
    const asked = request({ method: 'MESSAGE' })
    const challenge = await decideOn(node, asked)
    for (const nc of ['00000001', '00000002', '0000000a']) {
      const again = { ...asked, transactionKey: `nc ${nc}`, credentials: [answerTo(challenge, asked, { nc })] }
      expect(outcomeOf(await decideOn(node, again))).toBe('plan')
    }
  })
})
