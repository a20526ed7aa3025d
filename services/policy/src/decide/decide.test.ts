// SPDX-License-Identifier: MIT
//
// Decisions once it is known who speaks: addresses, identities, plans, records, idempotence, the store away.

import { policy } from '@tandem/rpc'
import { describe, expect, test } from 'vitest'
import { notStoredBy } from '../away-store.ts'
import {
  answerTo,
  authenticated,
  createWorld,
  decideOn,
  outcomeOf,
  rawDecide,
  recordsOf,
  reportTo,
  request,
} from '../policy-fixture.ts'

const { ADD, REMOVE } = policy.HeaderEdit_Operation

function planOf({ verdict }: policy.DecideResponse): policy.Plan {
  if (verdict?.$case !== 'plan') throw new Error(`expected a plan, got ${verdict?.$case}`)
  return verdict.value
}

const targetsOf = (response: policy.DecideResponse) =>
  planOf(response).steps.map(({ targets }) => targets.map(({ where }) => where?.value))

const editsOf = (response: policy.DecideResponse) =>
  planOf(response)
    .edits.filter(({ name }) => name !== 'Proxy-Authorization')
    .map(({ operation, name, value }) => `${operation === ADD ? '+' : '-'}${name}${value && `: ${value}`}`)

const world = await createWorld()
const node = world.node()

describe('whither', () => {
  const CASES = [
    { what: 'the user', to: 'sip:bob@example.test', expected: [['sip:bob@example.test']] },
    { what: 'the bind address, with port', to: 'sip:bob@127.0.0.1:5160', expected: [['sip:bob@example.test']] },
    {
      what: 'sips',
      to: 'sips:bob@example.test',
      expected: [['sip:bob@example.test']],
      cite: 'RFC3261-19.1] [RFC5630-5.2a',
    },
    { what: 'a second name', to: 'sip:1001@example.test;user=phone', expected: [['sip:carol@example.test']] },
    {
      what: 'an escaped name',
      to: 'sip:%62ob@example.test',
      expected: [['sip:bob@example.test']],
      cite: 'RFC3261-16.5c',
    },
    {
      what: 'all members of a hunt group at once',
      to: 'sip:sales@example.test',
      expected: [['sip:bob@example.test', 'sip:carol@example.test']],
    },
  ]
  test.each(CASES)('$what [$cite]', async ({ to, expected }) => {
    const response = await authenticated(node, { requestUri: to })
    expect(targetsOf(response)).toEqual(expected)
    expect(response).toMatchObject({ identity: 'sip:alice@example.test', account: 'demo' })
  })

  const REFUSED = [
    { to: 'sip:nobody@example.test', expected: 'reject 404 unknown_user', cite: 'RFC3261-16.5k' },
    { to: 'sip:+4930123@127.0.0.1', expected: 'reject 404 unknown_user', cite: 'RFC3261-8.2.2.1d' },
    { to: 'tel:+4930123', expected: 'reject 404 unknown_number', cite: 'RFC3966-3a' },
    { to: 'sip:example.test', expected: 'reject 405 method_not_allowed', cite: 'RFC3261-8.2.1b' },
  ]
  test.each(REFUSED)('[$cite] $to → $expected, after authentication', async ({ to, expected }) => {
    expect(outcomeOf(await decideOn(node, request({ requestUri: to })))).toBe('challenge 407')
    expect(outcomeOf(await authenticated(node, { requestUri: to }))).toBe(expected)
  })

  const AT_ONCE = [
    { method: 'INVITE', to: 'sip:bob@elsewhere.test', expected: 'reject 403 relay_refused', cite: 'RFC3261-16.5b' },
    { method: 'REGISTER', to: 'sip:elsewhere.test', expected: 'reject 403 relay_refused', cite: 'RFC3261-10.3.1' },
    {
      method: 'INVITE',
      to: 'mailto:bob@example.test',
      expected: 'reject 416 unsupported_scheme',
      cite: 'RFC3261-16.3.2',
    },
    { method: 'INVITE', to: 'bob', expected: 'reject 400 bad_uri', cite: 'RFC3261-16.3.1b' },
    { method: 'INVITE', to: 'sip:', expected: 'reject 400 bad_uri', cite: 'RFC3261-16.3.1b' },
    { method: 'OPTIONS', to: 'sip:example.test', expected: 'answer 200', cite: 'RFC3261-11.1' },
    { method: 'OPTIONS', to: 'sip:127.0.0.1:5060', expected: 'answer 200', cite: 'RFC3261-11.1' },
  ]
  test.each(AT_ONCE)('[$cite] $method $to → $expected, without asking who it is', async ({ method, to, expected }) => {
    expect(outcomeOf(await decideOn(node, request({ method, requestUri: to })))).toBe(expected)
  })

  test('our own credentials go no further, those of others do [RFC3261-22.3d]', async () => {
    const [edit] = planOf(await authenticated(node)).edits.filter(({ name }) => name === 'Proxy-Authorization')
    expect(edit?.operation).toBe(REMOVE)
    expect(edit?.value).toContain('realm="example.test"')
  })
})

describe('REGISTER', () => {
  const register = (to: string, parts: Partial<policy.DecideRequest> = {}) => ({
    method: 'REGISTER',
    requestUri: 'sip:127.0.0.1:5060',
    to,
    ...parts,
  })

  test('admits to the own address, in its canonical form [RFC3261-10.3.5b]', async () => {
    const { verdict } = await authenticated(node, register('"A" <sip:alice@127.0.0.1;x=y>;z=1'))
    expect(verdict).toEqual({
      $case: 'admit',
      value: {
        aor: 'sip:alice@example.test',
        minExpiresS: 60,
        maxExpiresS: 7_200,
        defaultExpiresS: 3_600,
        maxContacts: 10,
        replaceOldest: false,
        serviceRoute: false,
      },
    })
  })

  test('a second name is the same address-of-record, with the limit of its subscriber', async () => {
    const { verdict } = await authenticated(node, register('<sip:1001@example.test>'), { username: 'carol' })
    expect(verdict).toMatchObject({ value: { aor: 'sip:carol@example.test', maxContacts: 3 } })
  })

  const FORBIDDEN = [
    '<sip:bob@example.test>',
    '<sip:nobody@example.test>',
    '<sip:alice@assert.test>',
    '<sip:sales@example.test>',
    '',
    '<',
  ]
  test.each(FORBIDDEN)('for %j of somebody else: 403 [RFC3261-10.3.4b]', async (to) => {
    expect(outcomeOf(await authenticated(node, register(to)))).toBe('reject 403 not_your_address')
  })

  test('where nobody is asked, known users are admitted and others are not [RFC3261-10.3.5a]', async () => {
    const open = (to: string) => decideOn(node, request(register(to, { requestUri: 'sip:open.test' })))
    expect(outcomeOf(await open('<sip:bob@open.test>'))).toBe('admit')
    expect(outcomeOf(await open('<sip:nobody@open.test>'))).toBe('reject 404 unknown_address')
    expect(outcomeOf(await open('<sip:alice@example.test>'))).toBe('reject 404 unknown_address')
  })
})

describe('identity', () => {
  const call = (domain: string, from: string) =>
    authenticated(node, { from, requestUri: `sip:bob@${domain}`, to: `<sip:bob@${domain}>` })
  const CLEAN = ['-P-Asserted-Identity', '-P-Preferred-Identity']

  test('reject: who says to be somebody else gets 403', async () => {
    expect(editsOf(await call('example.test', '<sip:alice@127.0.0.1>'))).toEqual([
      ...CLEAN,
      '+P-Asserted-Identity: <sip:alice@example.test>',
    ])
    for (const from of ['<sip:bob@example.test>', '<sip:alice@elsewhere.test>', '<sip:Anonymous@anonymous.invalid>']) {
      expect(outcomeOf(await call('example.test', from)), from).toBe('reject 403 not_your_identity')
    }
  })

  test('reject: a domain that allows anonymous callers lets a user hide, and still knows who it is [RFC3323-4.1.1.3]', async () => {
    const asked = request({ from: '<sip:alice@inbound.test>', requestUri: 'sip:bob@inbound.test' })
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const hidden = { ...asked, transactionKey: 'hidden', from: '<sip:anonymous@anonymous.invalid>', credentials }
    const response = await decideOn(node, hidden)
    expect(editsOf(response)).toEqual(CLEAN)
    expect(response.identity).toBe('sip:alice@inbound.test')
  })

  test('assert: the proven identity is added, what the caller put there is removed [RFC3325-5a]', async () => {
    for (const from of ['<sip:alice@assert.test>', '<sip:bob@assert.test>']) {
      expect(editsOf(await call('assert.test', from))).toEqual([
        ...CLEAN,
        '+P-Asserted-Identity: <sip:alice@assert.test>',
      ])
    }
    expect(editsOf(await call('assert.test', '<sip:anonymous@anonymous.invalid>'))).toEqual(CLEAN)
  })

  test('off: nothing is checked and nothing is changed', async () => {
    expect(editsOf(await call('off.test', '<sip:bob@off.test>'))).toEqual([])
  })

  test('anonymous inbound: a stranger reaches the domain that allows it, without an identity', async () => {
    const stranger = { from: '<sip:eve@elsewhere.test>', requestUri: 'sip:bob@inbound.test' }
    const response = await decideOn(node, request(stranger))
    expect(editsOf(response)).toEqual(CLEAN)
    expect(response.identity).toBe('')
    const liar = { ...stranger, from: '<sip:alice@inbound.test>' }
    expect(outcomeOf(await decideOn(node, request(liar)))).toBe('challenge 407')
  })
})

describe('records', () => {
  test('an INVITE with a plan is minted; the same transaction through another edge gets the same decision', async () => {
    const asked = request()
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const again = { ...asked, transactionKey: 'same', credentials }
    const first = await decideOn(node, again)
    const second = await decideOn(world.node(), { ...again, edgeId: 'edge-1.1' })
    expect(first.callRef).toMatch(/^[0-9a-f]{2}[\w-]{16}$/)
    expect(planOf(first).accounting).toBe(true)
    expect(second).toEqual(first)
  })

  test('another transaction is another call', async () => {
    const [a, b] = [await authenticated(node), await authenticated(node)]
    expect(a.callRef).not.toBe(b.callRef)
  })

  test('nothing but INVITE leaves a record', async () => {
    const response = await authenticated(node, { method: 'MESSAGE' })
    expect(response.callRef).toBe('')
    expect(planOf(response).accounting).toBe(false)
  })

  test('a rejected call of a proven caller leaves one record, repeated or not; of a stranger none', async () => {
    const own = await createWorld()
    const [one, two] = [own.node(), own.node()]
    const asked = request({ requestUri: 'sip:nobody@example.test' })
    const credentials = [answerTo(await decideOn(one, asked), asked)]
    const again = { ...asked, transactionKey: 'rejected', credentials }
    const first = await decideOn(one, again)
    expect(await decideOn(two, again)).toEqual(first)
    expect(outcomeOf(await authenticated(one, { from: '<sip:bob@example.test>' }))).toBe('reject 403 not_your_identity')
    const stranger = { from: '<sip:eve@elsewhere.test>', requestUri: 'sip:nobody@inbound.test' }
    expect(outcomeOf(await decideOn(one, request(stranger)))).toBe('reject 404 unknown_user')
    const records = await recordsOf(own.store.policy)
    expect(records.map(({ outcome, finalStatus, reason }) => ({ outcome, finalStatus, reason }))).toEqual([
      { outcome: 'rejected', finalStatus: 404, reason: 'unknown_user' },
      { outcome: 'rejected', finalStatus: 403, reason: 'not_your_identity' },
    ])
    expect(records[0]).toMatchObject({ cdrId: first.callRef, identity: 'sip:alice@example.test', state: 'complete' })
  })

  test('without authentication From is believed and its account answers for the call', async () => {
    const parts = { from: '<sip:alice@believed.test>', requestUri: 'sip:bob@believed.test' }
    const response = await decideOn(node, request(parts))
    expect(response).toMatchObject({ identity: 'sip:alice@believed.test', account: 'demo' })
    expect(response.callRef).not.toBe('')
  })
})

describe('the open profile', () => {
  test('answers at once, without promise, store or allocation', async () => {
    const only = await createWorld([
      {
        apiVersion: 'tandem/v1',
        kind: 'Domain',
        metadata: { name: 'open.test' },
        spec: { authentication: 'none', accounting: false, identity: 'off' },
      },
      { apiVersion: 'tandem/v1', kind: 'Subscriber', metadata: { name: 'bob', domain: 'open.test' } },
    ])
    const open = only.node({ store: notStoredBy('away') })
    const results = [1, 2].map(() => rawDecide(open, request({ requestUri: 'sip:bob@open.test' })))
    expect(results[0]).not.toBeInstanceOf(Promise)
    expect(results[0]).toBe(results[1])
    expect(results[0]).toMatchObject({
      outcome: 'done',
      value: { callRef: '', verdict: { $case: 'plan', value: { accounting: false, edits: [] } } },
    })
  })
})

describe('the store away', () => {
  const away = () => world.node({ store: notStoredBy('away') })
  const refused = (asked: policy.DecideRequest, other = away()) => rawDecide(other, asked)

  async function withCredentials(parts: Partial<policy.DecideRequest>): Promise<policy.DecideRequest> {
    const asked = request(parts)
    return { ...asked, credentials: [answerTo(await decideOn(node, asked), asked)] }
  }
  const REGISTER = { method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:alice@example.test>' }
  const AWAY = { outcome: 'refused', refusal: { code: 'store_away', sipStatus: 503, retryAfterS: 5 } }

  const again = (asked: policy.DecideRequest, answer: policy.DecideResponse, key: string): policy.DecideRequest => ({
    ...asked,
    transactionKey: key,
    credentials: [answerTo(answer, asked)],
  })

  test('[RFC7616-3.3] a nonce that nobody can check is stale; one of this node is taken once, and a call that has to be recorded gets 503', async () => {
    const [one, two] = [away(), away()]
    const first = await withCredentials({})
    const stale = await decideOn(one, first)
    expect(JSON.stringify(stale)).toContain('stale=true')
    expect(one.ready()).toBe(false)
    expect(await refused(again(first, stale, 'two-1'), one)).toMatchObject(AWAY)
    const elsewhere = await decideOn(two, again(first, stale, 'two-2'))
    expect(JSON.stringify(elsewhere)).toContain('stale=true')
    expect(one.counts.oneTimeNonces).toBe(1)
  })

  test('REGISTER and MESSAGE pass with a nonce of this node, once, and again as a retransmission', async () => {
    for (const parts of [REGISTER, { method: 'MESSAGE' }]) {
      const node = away()
      const asked = request(parts)
      await decideOn(node, await withCredentials(parts)) // from now on it knows that the store is away
      const challenge = await decideOn(node, asked)
      const answered = again(asked, challenge, `${asked.transactionKey}-a`)
      expect(outcomeOf(await decideOn(node, answered))).toMatch(/^(admit|plan)$/)
      expect(outcomeOf(await decideOn(node, answered))).toMatch(/^(admit|plan)$/)
      const replay = await decideOn(node, { ...answered, transactionKey: `${asked.transactionKey}-b` })
      expect(JSON.stringify(replay)).toContain('stale=true')
      const second = { ...asked, credentials: [answerTo(challenge, asked, { nc: '00000002' })] }
      expect(JSON.stringify(await decideOn(node, second))).toContain('stale=true')
    }
  })

  test('by setting calls pass without record; REGISTER never', async () => {
    const open = world.node({ store: notStoredBy('away'), config: { replayWithoutStore: 'open' } })
    const result = await refused(await withCredentials({}), open)
    expect(result).toMatchObject({ outcome: 'done', value: { callRef: '', verdict: { value: { accounting: false } } } })
    expect(await refused(await withCredentials(REGISTER), open)).toMatchObject(AWAY)
    expect(open.counts.admittedWithoutStore).toBe(1)
  })

  test('challenges go on', async () => {
    expect(outcomeOf(await decideOn(away(), request()))).toBe('challenge 407')
  })

  test('an outcome that nobody knows is unknown: the edge asks again with the same key', async () => {
    const other = world.node({ store: notStoredBy('unknown') })
    const first = await withCredentials({})
    const stale = await decideOn(other, first)
    expect(await refused(again(first, stale, 'unknown-2'), other)).toMatchObject({ outcome: 'unknown' })
    expect(
      await reportTo(other, {
        callRef: '00aaaaaaaa',
        call: policy.Call.create({}),
        event: { $case: 'failed', value: policy.Failed.create({}) },
        ageMs: 0,
      }),
    ).toMatchObject({
      outcome: 'unknown',
    })
  })

  test('one line when it goes, one when it comes back; at the start, which the opener of the store warns of, no warning', async () => {
    const own = await createWorld()
    const flaky = notStoredBy('away')
    const other = own.node({ store: flaky })
    for (const levels of [
      ['info', 'info'],
      ['info', 'info', 'warn', 'info'],
    ]) {
      flaky.mend(notStoredBy('away'))
      for (let i = 0; i < 3; i++) await refused(await withCredentials({}), other)
      flaky.mend(own.store.policy)
      expect(outcomeOf(await decideOn(other, await withCredentials({})))).toBe('plan')
      expect(own.lines.map(({ level }) => level)).toEqual(levels)
    }
    expect(other.ready()).toBe(true)
  })
})
