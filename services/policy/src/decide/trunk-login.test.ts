// SPDX-License-Identifier: MIT
//
// Trunks that prove themselves by digest, from addresses that nobody knows; trunks that share an address.
import { loadResources, type ResourceSource } from '@tandem/resources'
import { describe, expect, test } from 'vitest'
import { authenticated, createWorld, decideOn, outcomeOf, request } from '../policy-fixture.ts'

const resource = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
const trunk = (name: string, spec: object = {}) =>
  resource('Trunk', { name }, { hosts: [{ host: '192.0.2.200' }], ...spec })
const login = (username: string) => ({ inboundCredentials: { username, password: `${username}-secret` } })

const world = await createWorld([
  resource('NumberPlan', { name: 'germany' }, { country: '+49' }),
  resource('Domain', { name: 'example.test' }, { numberPlan: 'germany', relay: { allow: ['out.test'] } }),
  resource('Domain', { name: 'other.test' }, { realm: 'another realm' }),
  resource('Subscriber', { name: 'bob', domain: 'example.test' }, { credentials: { password: 'bob-secret' } }),
  resource('Subscriber', { name: 'eve', domain: 'other.test' }, { credentials: { password: 'eve-secret' } }),
  resource('Number', { name: 'desk' }, { number: '+4930555', domain: 'example.test', to: { subscriber: 'bob' } }),
  trunk('national', { ...login('acme'), numberPlan: 'germany', numbersIn: { form: 'national' } }),
  trunk('believed', { ...login('old friend'), inbound: 'refuse', trusted: true }),
])
const node = world.node()

const call = {
  from: '<sip:+491701@carrier.test>;tag=a1',
  requestUri: 'sip:030555@example.test',
  to: '<sip:030555@example.test>',
}
const acme = { username: 'acme', password: 'acme-secret' }

describe('[RFC3261-22.2] a trunk with a login', () => {
  test('is asked, shows it, and its number is read as it writes it; the login goes no further', async () => {
    expect(outcomeOf(await decideOn(node, request(call)))).toBe('challenge 407')
    const answer = await authenticated(node, call, acme)
    expect(outcomeOf(answer)).toBe('plan')
    const { steps, edits } = answer.verdict?.$case === 'plan' ? answer.verdict.value : { steps: [], edits: [] }
    expect(steps[0]?.targets[0]).toMatchObject({ where: { $case: 'aor', value: 'sip:bob@example.test' } })
    expect(edits).toContainEqual(expect.objectContaining({ name: 'Proxy-Authorization' }))
  })

  test('is known in every realm', async () => {
    const parts = { ...call, requestUri: 'sip:eve@other.test', to: '<sip:eve@other.test>' }
    expect(outcomeOf(await authenticated(node, parts, acme))).toBe('plan')
  })

  const global = { ...call, requestUri: 'sip:+4930555@example.test', to: '<sip:+4930555@example.test>' }
  test('is believed where it is trusted, also if its address is not enough', async () => {
    const answer = await authenticated(node, global, { username: 'old friend', password: 'old friend-secret' })
    expect(outcomeOf(answer)).toBe('plan')
    expect(answer.verdict?.$case === 'plan' && answer.verdict.value.sourceTrusted).toBe(true)
  })

  test.each([
    { what: 'a wrong password', parts: call, how: { username: 'acme', password: 'guess' }, expected: 'challenge 407' },
    {
      what: 'a REGISTER',
      parts: { ...call, method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:bob@example.test>' },
      how: acme,
      expected: 'reject 403 not_your_identity',
    },
    {
      what: 'an unknown number',
      parts: { ...call, requestUri: 'sip:030556@example.test' },
      how: acme,
      expected: 'reject 404 unknown_number',
    },
    {
      what: 'a way out of the cluster',
      parts: { ...call, requestUri: 'sip:x@out.test', from: '<sip:bob@example.test>;tag=a1' },
      how: acme,
      expected: 'reject 403 relay_refused',
    },
  ])('but not for $what: $expected', async ({ parts, how, expected }) => {
    expect(outcomeOf(await authenticated(node, parts, how))).toBe(expected)
  })

  test('shows it once: a repeated nonce count is asked again', async () => {
    const first = request(call)
    const { answerTo } = await import('../policy-fixture.ts')
    const credentials = [answerTo(await decideOn(node, first), first, acme)]
    expect(outcomeOf(await decideOn(node, { ...first, transactionKey: 'again-1', credentials }))).toBe('plan')
    expect(outcomeOf(await decideOn(node, { ...first, transactionKey: 'again-2', callId: 'other', credentials }))).toBe(
      'challenge 407',
    )
  })
})

describe('trunks with one address', () => {
  const problemsOf = async (...documents: ResourceSource[]) => {
    const loaded = await loadResources(documents, { baseDir: '/', env: {} })
    return loaded.ok ? [] : loaded.problems.map(({ path, expected }) => `${path}: ${expected}`)
  }

  test('are refused where both are let in by it', async () => {
    expect(await problemsOf(trunk('one', { inbound: 'allow' }), trunk('two', { trusted: true }))).toEqual([
      'spec.hosts[0].host: expected a name of its own; Trunk/one has this one',
    ])
    expect(
      await problemsOf(
        trunk('one', { inbound: 'allow' }),
        trunk('two', { hosts: [{ host: 'a.test' }], sources: ['192.0.2.200'] }),
      ),
    ).toHaveLength(1)
  })

  test.each([
    ['one only sends', trunk('two')],
    ['one has a login', trunk('two', { inbound: 'allow', ...login('two') })],
    [
      'one registers',
      trunk('two', {
        inbound: 'allow',
        credentials: { username: 'x', password: 'y' },
        registration: { registrar: 'sip:192.0.2.200', user: 'x' },
      }),
    ],
    ['one proves a name', trunk('two', { inbound: 'allow', hosts: [{ host: '192.0.2.200', transport: 'tls' }] })],
  ])('are told apart where %s', async (_what, two) => {
    expect(await problemsOf(trunk('one', { inbound: 'allow' }), two)).toEqual([])
  })

  test('and the one that is let in counts, whatever stands first', async () => {
    const shared = await createWorld([
      resource('Domain', { name: 'example.test' }),
      resource('Subscriber', { name: 'bob', domain: 'example.test' }),
      trunk('a-out'),
      trunk('b-in', { inbound: 'allow' }),
    ])
    const source = { transport: 'udp', address: '192.0.2.200', port: 5060 }
    const parts = { from: '<sip:+491701@carrier.test>;tag=a1', source }
    expect(outcomeOf(await decideOn(shared.node(), request(parts)))).toBe('plan')
  })
})
