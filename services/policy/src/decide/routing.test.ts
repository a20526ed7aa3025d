// SPDX-License-Identifier: MIT
//
// Whither beyond the plain call: out of the cluster, elsewhere by redirection, by number, to one instance, to the notifier
// of registrations; and whom to believe. The layout of resources: packages/resources. What edges do with it: services/edge.
import { policy } from '@tandem/rpc'
import { createKeyRing, publicGruu, temporaryGruu } from '@tandem/sip'
import { describe, expect, test } from 'vitest'
import {
  answerTo,
  authenticated,
  createWorld,
  decideOn,
  outcomeOf,
  recordsOf,
  request,
  SETTINGS,
} from '../policy-fixture.ts'

const document = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
const user = (name: string, domain: string, spec: object = {}) =>
  document('Subscriber', { name, domain }, { credentials: { password: `${name}-secret` }, account: 'demo', ...spec })

const DOCUMENTS = [
  document('Account', { name: 'demo' }),
  document(
    'Domain',
    { name: 'example.test' },
    {
      aliases: ['*.example.test'],
      numberPlan: { country: '+49' },
      relay: { allow: ['carrier.test', '198.51.100.7'] },
      redirects: 'recurse',
      trust: { sources: ['203.0.113.0/24'] },
      registration: { minExpiresMs: 120_000, atMaxContacts: 'replaceOldest', serviceRoute: true },
    },
  ),
  user('alice', 'example.test', { usernames: ['alice', '+4930-1234', 'al'] }),
  user('bob', 'example.test', { usernames: ['bob', '1001'] }),
  document('HuntGroup', { name: 'sales', domain: 'example.test' }, { members: ['bob'] }),
  document(
    'Redirect',
    { name: 'moved', domain: 'example.test' },
    { contacts: [{ uri: 'sip:b@x.test' }], subscriber: 'bob' },
  ),
  document('Domain', { name: 'closed.test' }),
  user('carl', 'closed.test'),
  document('Domain', { name: 'open.test' }, { authentication: 'none', accounting: false, identity: 'off' }),
  document('Subscriber', { name: 'olaf', domain: 'open.test' }),
  document('Subscriber', { name: 'olga', domain: 'open.test' }),
  document(
    'Domain',
    { name: 'lean.test' },
    { authentication: 'none', accounting: false, forwarding: 'stateless', registration: { maxContacts: 1 } },
  ),
  document('Subscriber', { name: 'lea', domain: 'lean.test' }),
  document('Trunk', { name: 'carrier' }, { hosts: [{ host: 'carrier.test' }, { host: '192.0.2.200' }], trusted: true }),
  document(
    'Trunk',
    { name: 'secure-carrier' },
    {
      hosts: [
        { host: 'tls.carrier.test', transport: 'tls' },
        { host: '192.0.2.201', transport: 'tls' },
      ],
      trusted: true,
    },
  ),
]

const world = await createWorld(DOCUMENTS)
const node = world.node()
const { ADD } = policy.HeaderEdit_Operation

function planOf({ verdict }: policy.DecideResponse): policy.Plan {
  if (verdict?.$case !== 'plan') throw new Error(`expected a plan, got ${JSON.stringify(verdict)}`)
  return verdict.value
}
const targetsOf = (response: policy.DecideResponse) =>
  planOf(response).steps.flatMap(({ targets }) => targets.map(({ where }) => where?.value))
const assertedOf = (response: policy.DecideResponse) =>
  planOf(response)
    .edits.filter(({ operation, name }) => operation === ADD && name === 'P-Asserted-Identity')
    .map(({ value }) => value)
const from = (address: string) => ({ transport: 'udp', address, port: 5060 })

describe('relaying', () => {
  test('[RFC3261-16.5b] [RFC3261-16.5g] a foreign Request-URI is the only target of a proven sender, as it came', async () => {
    const uri = 'sip:+1555@Carrier.test:5070;transport=tcp'
    const response = await authenticated(node, { requestUri: uri })
    expect(targetsOf(response)).toEqual([uri])
    expect(planOf(response)).toMatchObject({
      accounting: true,
      maxRecursions: 5,
      steps: [{ targets: [{ trusted: true }] }],
    })
    expect(response.callRef).not.toBe('')
  })

  const REFUSED = [
    { what: 'a host that is not allowed', parts: { requestUri: 'sip:x@elsewhere.test' } },
    { what: 'a maddr that is not allowed', parts: { requestUri: 'sip:x@carrier.test;maddr=10.0.0.1' } },
    { what: 'a maddr behind a name of ours', parts: { requestUri: 'sip:bob@example.test;maddr=10.0.0.1' } },
  ]
  test.each(REFUSED)('[RFC3261-16.5a] $what: 403 for a proven sender', async ({ parts }) => {
    expect(outcomeOf(await authenticated(node, parts))).toBe('reject 403 relay_refused')
  })

  const UNASKED = [
    { what: 'a stranger', parts: { from: '<sip:eve@elsewhere.test>' } },
    { what: 'an anonymous caller', parts: { from: '<sip:anonymous@anonymous.invalid>' } },
    { what: 'a user of a domain that lets nobody out', parts: { from: '<sip:carl@closed.test>' } },
    { what: 'a user of a domain that asks nobody', parts: { from: '<sip:olga@open.test>' } },
    { what: 'a trusted source', parts: { from: '<sip:eve@elsewhere.test>', source: from('203.0.113.9') } },
    { what: 'a trusted trunk', parts: { from: '<sip:eve@carrier.test>', source: from('192.0.2.200') } },
  ]
  test.each(UNASKED)('[RFC3261-26.3.2.2b] $what: 403 without a question', async ({ parts }) => {
    const response = await decideOn(node, request({ requestUri: 'sip:x@carrier.test', ...parts }))
    expect(outcomeOf(response)).toBe('reject 403 relay_refused')
  })

  test('a trusted source that says to be a user of ours is asked before it relays', async () => {
    const asked = request({ requestUri: 'sip:x@carrier.test', source: from('203.0.113.9') })
    expect(outcomeOf(await decideOn(node, asked))).toBe('challenge 407')
  })

  test('[RFC3261-10.3.1] a REGISTER for a foreign domain is proxied where its sender may relay, with 407', async () => {
    const register = { method: 'REGISTER', requestUri: 'sip:carrier.test', to: '<sip:alice@carrier.test>' }
    expect(outcomeOf(await decideOn(node, request(register)))).toBe('challenge 407')
    expect(targetsOf(await authenticated(node, register))).toEqual(['sip:carrier.test'])
  })

  test('a name under a wildcard of ours is no foreign one', async () => {
    expect(targetsOf(await authenticated(node, { requestUri: 'sip:bob@branch.example.test' }))).toEqual([
      'sip:bob@example.test',
    ])
  })
})

describe('redirects', () => {
  test('[RFC3261-8.3d] contacts and the bindings of a subscriber, no record of a call', async () => {
    const own = await createWorld(DOCUMENTS)
    const response = await authenticated(own.node(), { requestUri: 'sip:moved@example.test' })
    expect(response.verdict).toEqual({
      $case: 'redirect',
      value: { status: 302, contacts: ['<sip:b@x.test>'], aor: 'sip:bob@example.test' },
    })
    expect(response.callRef).toBe('')
    expect(await recordsOf(own.store.policy)).toEqual([])
  })
})

describe('telephone numbers', () => {
  const REACHED = [
    ['[RFC3966-4a] tel:+49-30-1234', 'tel:+49-30-1234'],
    ['[RFC3966-4a] a user part in another form', 'sip:+49(30)1234@example.test;user=phone'],
    ['[RFC3966-5.4b] parameters that are not known', 'tel:+49301234;tsp=a.b'],
    ['[RFC3966-5.1.5a] a local number of the domain', 'tel:10-01;phone-context=Example.test'],
    ['[RFC3966-5.1.5b] a national number as the domain dials it', 'sip:030-1234@example.test;user=phone'],
    ['[RFC3966-5.1.5b] the same in a tel URI', 'tel:030-1234;phone-context=example.test'],
    ['an international number as the domain dials it', 'sip:0049301234@example.test'],
    ['[RFC3261-10.3.5] escapes, case of the host, parameters', 'SIP:%2b49301234@Sub.EXAMPLE.test:5062;user=phone;x=1'],
  ] as const
  test.each(REACHED)('%s', async (_cite, requestUri) => {
    const expected = requestUri.includes('01;') ? 'sip:bob@example.test' : 'sip:alice@example.test'
    expect(targetsOf(await authenticated(node, { requestUri }))).toEqual([expected])
  })

  test.each(REACHED.filter(([, uri]) => !uri.startsWith('tel:') && !uri.includes('01;')))(
    '[RFC3261-10.3.5] REGISTER, %s: the one address-of-record',
    async (_cite, to) => {
      const parts = { method: 'REGISTER', requestUri: 'sip:example.test', to: `<${to}>`, from: `<${to}>;tag=1` }
      expect(await authenticated(node, parts)).toMatchObject({
        verdict: { $case: 'admit', value: { aor: 'sip:alice@example.test' } },
      })
    },
  )

  const MISSED = [
    ['[RFC3966-3c] a local number without context', 'tel:1001'],
    ['[RFC3966-9] a context that is not ours', 'tel:1001;phone-context=elsewhere.test'],
    ['[RFC3966-4c] a global number is no local one', 'tel:+1001'],
    ['no number', 'tel:bob'],
  ] as const
  test.each(MISSED)('%s: 404', async (_cite, requestUri) => {
    const response = await decideOn(
      node,
      request({ requestUri, from: '<sip:eve@elsewhere.test>', source: from('192.0.2.200') }),
    )
    expect(outcomeOf(response)).toBe('reject 404 unknown_number')
  })

  test('a stranger who calls a number of ours is asked by its domain', async () => {
    const asked = request({ requestUri: 'tel:+49301234', from: '<sip:eve@elsewhere.test>' })
    expect(outcomeOf(await decideOn(node, asked))).toBe('challenge 407')
  })

  test('[RFC3966-4a] From may show the number of the user, and of nobody else', async () => {
    expect(outcomeOf(await authenticated(node, { from: '<tel:+49-30-1234>;tag=1' }))).toBe('plan')
    const other = await authenticated(node, { from: '<tel:+49-30-1234>;tag=1' }, { username: 'bob' })
    expect(outcomeOf(other)).toBe('reject 403 not_your_identity')
  })
})

describe('GRUU', () => {
  const RING = createKeyRing(SETTINGS.keyRing)
  const INSTANCE = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
  const targetOf = async (requestUri: string) => planOf(await authenticated(node, { requestUri })).steps[0]?.targets

  test('[RFC5627-6.1a] a public one is one instance of its user', async () => {
    expect(await targetOf(publicGruu('sip:bob@example.test', INSTANCE))).toMatchObject([
      { where: { value: 'sip:bob@example.test' }, instanceId: INSTANCE, registrationHash: 0 },
    ])
  })

  test('[RFC5627-5.4d] a temporary one is one registration of it', async () => {
    const gruu = { aor: 'sip:bob@example.test', instanceId: INSTANCE, registrationHash: 77 }
    expect(await targetOf(temporaryGruu(RING, gruu, 'call 1') ?? '')).toMatchObject([
      { where: { value: gruu.aor }, instanceId: INSTANCE, registrationHash: 77 },
    ])
  })

  const UNKNOWN = [
    `sip:nobody@example.test;gr=${INSTANCE}`,
    `sip:sales@example.test;gr=${INSTANCE}`,
    'sip:tgruu.AAAA@example.test;gr',
    'sip:bob@example.test;gr=%zz',
  ]
  test.each(UNKNOWN)('[RFC5627-6.1a] %s: 404', async (requestUri) => {
    expect(outcomeOf(await authenticated(node, { requestUri }))).toBe('reject 404 unknown_gruu')
  })
})

describe('watching registrations', () => {
  const SUBSCRIBE = { method: 'SUBSCRIBE', event: 'reg', requestUri: 'sip:alice@example.test' }

  test('[RFC3680-4.6b] a user may watch his own address, under any of its names', async () => {
    for (const requestUri of [SUBSCRIBE.requestUri, 'sip:al@a.example.test']) {
      expect((await authenticated(node, { ...SUBSCRIBE, requestUri })).verdict).toEqual({
        $case: 'watchRegistrations',
        value: { aor: 'sip:alice@example.test', minExpiresS: 120, maxExpiresS: 7_200, defaultExpiresS: 3_761 },
      })
    }
  })

  test('[RFC3680-4.6a] [RFC3680-7a] [RFC6665-4.2.1.1c] [RFC6665-6.3] nobody else, and nobody without credentials: 401, for the cluster is who is asked', async () => {
    expect(outcomeOf(await decideOn(node, request(SUBSCRIBE)))).toBe('challenge 401')
    const watch = (requestUri: string) => authenticated(node, { ...SUBSCRIBE, requestUri })
    expect(outcomeOf(await watch('sip:bob@example.test'))).toBe('reject 403 not_your_registrations')
    expect(outcomeOf(await watch('sip:sales@example.test'))).toBe('reject 403 not_your_registrations')
    expect(outcomeOf(await watch('sip:nobody@example.test'))).toBe('reject 404 unknown_user')
  })

  test('[RFC6665-6.4] the credentials of one SUBSCRIBE are good for no other', async () => {
    const asked = request(SUBSCRIBE)
    const credentials = [answerTo(await decideOn(node, asked), asked)]
    const again = (transactionKey: string) => decideOn(node, { ...asked, transactionKey, credentials })
    expect(outcomeOf(await again('subscribe-1'))).toBe('watchRegistrations')
    expect(outcomeOf(await again('subscribe-1'))).toBe('watchRegistrations')
    expect(outcomeOf(await again('subscribe-2'))).toBe('challenge 401')
  })

  test('where nobody is asked, From is believed', async () => {
    const watch = (requestUri: string) =>
      decideOn(node, request({ ...SUBSCRIBE, from: '<sip:olga@open.test>', requestUri }))
    expect(outcomeOf(await watch('sip:olga@open.test'))).toBe('watchRegistrations')
    expect(outcomeOf(await watch('sip:olaf@open.test'))).toBe('reject 403 not_your_registrations')
  })

  test('the open path does not take it for a call', async () => {
    const open = { authentication: 'none', accounting: false, identity: 'off' }
    const olga = document('Subscriber', { name: 'olga', domain: 'open.test' })
    const only = await createWorld([document('Domain', { name: 'open.test' }, open), olga])
    const asked = { ...SUBSCRIBE, from: '<sip:olga@open.test>', requestUri: 'sip:olga@open.test' }
    expect(outcomeOf(await decideOn(only.node(), request(asked)))).toBe('watchRegistrations')
    expect(outcomeOf(await decideOn(only.node(), request({ ...asked, event: 'presence' })))).toBe('plan')
  })

  const OTHERS = [
    { method: 'SUBSCRIBE', event: 'presence' },
    { method: 'PUBLISH', event: 'presence' },
    { method: 'PUBLISH', event: 'reg' },
    { method: 'MESSAGE', event: '' },
    { method: 'REFER', event: '' },
    { method: 'NEWMETHOD', event: '' },
  ]
  test.each(OTHERS)('[RFC3261-16.3.1d] $method $event goes to the phones', async (parts) => {
    expect(targetsOf(await authenticated(node, parts))).toEqual(['sip:bob@example.test'])
  })
})

describe('trust', () => {
  const PBX = { source: from('203.0.113.9') }
  const asserted = (...values: string[]) => ({ assertedIdentities: values })

  test('[RFC3325-5e] a trusted source is not asked, and what it asserts is kept and says who calls', async () => {
    const response = await decideOn(node, request({ ...PBX, ...asserted('"A" <sip:alice@example.test>', '<tel:+1>') }))
    expect(planOf(response)).toMatchObject({ sourceTrusted: true, edits: [{ name: 'P-Preferred-Identity' }] })
    expect(response).toMatchObject({ identity: 'sip:alice@example.test', account: 'demo' })
  })

  test('without an assertion From does', async () => {
    expect((await decideOn(node, request(PBX))).identity).toBe('sip:alice@example.test')
  })

  test('an assertion of a stranger makes the call nobody’s', async () => {
    const response = await decideOn(node, request({ ...PBX, ...asserted('<sip:eve@elsewhere.test>') }))
    expect(response.identity).toBe('')
  })

  test('of a trusted trunk strangers call without question, and no user of ours pays', async () => {
    const response = await decideOn(node, request({ source: from('192.0.2.200'), ...asserted('<tel:+49301234>') }))
    expect(planOf(response).sourceTrusted).toBe(true)
    expect(response.identity).toBe('')
  })

  const overTls = (address: string, ...names: string[]) => ({
    source: { ...from(address), transport: 'tls', tls: { names, users: [] } },
    from: '<sip:+49301234@tls.carrier.test>',
  })

  test('[RFC5922-7.4] a trunk that speaks TLS is known by its certificate, wherever it comes from', async () => {
    const response = await decideOn(node, request(overTls('198.51.100.99', 'other.test', 'tls.carrier.test')))
    expect(planOf(response).sourceTrusted).toBe(true)
    expect(response.identity).toBe('')
  })

  test.each([
    ['by its address alone', overTls('192.0.2.201')],
    ['by the certificate of a trunk without TLS', overTls('198.51.100.99', 'carrier.test')],
    ['by a certificate of somebody', overTls('198.51.100.99', 'evil.test', 'sub.tls.carrier.test')],
  ])('[RFC5922-7.4] and not %s', async (_what, parts) => {
    expect(outcomeOf(await decideOn(node, request(parts)))).toBe('challenge 407')
  })

  test('[RFC3325-5a] a source that another domain trusts is asked like anybody', async () => {
    const asked = request({ ...PBX, from: '<sip:carl@closed.test>', ...asserted('<sip:alice@example.test>') })
    expect(outcomeOf(await decideOn(node, asked))).toBe('challenge 407')
  })

  test('[RFC3261-10.3.3] trust registers nobody', async () => {
    const register = { ...PBX, method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:alice@example.test>' }
    expect(outcomeOf(await decideOn(node, request(register)))).toBe('challenge 401')
  })

  test('[RFC3325-5b] [RFC3325-5c] of others nothing is believed: ours takes its place', async () => {
    const response = await authenticated(node, asserted('<sip:bob@example.test>', '<tel:+1555>'))
    expect(planOf(response).sourceTrusted).toBe(false)
    expect(assertedOf(response)).toEqual(['<sip:alice@example.test>'])
    expect(planOf(response).edits[0]).toMatchObject({ name: 'P-Asserted-Identity', value: '' })
  })

  const HINTS = [
    ['one of his names', ['<sip:al@a.example.test>'], ['<sip:al@example.test>']],
    [
      'a name and a number',
      ['"A" <sips:al@example.test>', '<tel:+49-30-1234>'],
      ['<sips:al@example.test>', '<tel:+49301234>'],
    ],
    ['a number alone', ['<tel:+49-30-1234>'], ['<sip:alice@example.test>', '<tel:+49301234>']],
    ['somebody else', ['<sip:bob@example.test>', '<tel:+1555>'], ['<sip:alice@example.test>']],
    ['nonsense', ['"', '<>'], ['<sip:alice@example.test>']],
  ] as const
  test.each(HINTS)(
    '[RFC3325-6a] [RFC3325-9.1] P-Preferred-Identity asks for %s',
    async (_what, preferred, expected) => {
      const response = await authenticated(node, { preferredIdentities: [...preferred] })
      expect(assertedOf(response)).toEqual(expected)
      expect(planOf(response).edits.some(({ name }) => name === 'P-Preferred-Identity')).toBe(true)
    },
  )

  test('[RFC3323-4.2a] who hides without Privacy gets no identity asserted; with it, the edge keeps it from others', async () => {
    const own = await createWorld([
      document('Domain', { name: 'example.test' }, { identity: 'assert' }),
      user('alice', 'example.test', { account: undefined }),
      user('bob', 'example.test', { account: undefined }),
    ])
    const hidden = (privacy: string) =>
      authenticated(own.node(), { from: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', privacy })
    expect(assertedOf(await hidden(''))).toEqual([])
    expect(assertedOf(await hidden('session'))).toEqual([])
    for (const privacy of ['id', 'none', 'user;critical']) {
      expect(assertedOf(await hidden(privacy)), privacy).toEqual(['<sip:alice@example.test>'])
    }
  })

  test('identity: off makes everybody who speaks there trusted', async () => {
    const call = { from: '<sip:olga@open.test>', requestUri: 'sip:olaf@open.test' }
    expect(planOf(await decideOn(node, request(call)))).toMatchObject({ sourceTrusted: true, edits: [] })
  })
})

describe('how a plan is carried out', () => {
  test('[RFC3261-16.11d] stateless for its domain, but not for a call that leaves a record', async () => {
    const call = { requestUri: 'sip:lea@lean.test' }
    const stranger = await decideOn(node, request({ ...call, from: '<sip:eve@elsewhere.test>' }))
    expect(planOf(stranger)).toMatchObject({ stateless: true, accounting: false })
    expect(planOf(await authenticated(node, call))).toMatchObject({ stateless: false, accounting: true })
  })

  test('[RFC7044-10.4a] members of a group are told who was called', async () => {
    const [step] = planOf(await authenticated(node, { requestUri: 'sip:sales@example.test' })).steps
    expect(step?.targets[0]?.retarget).toEqual({ from: 'sip:sales@example.test', reason: 'unconditional' })
  })

  test('[RFC3608-5] an admission says what to do at the limit, and whether to name the way out', async () => {
    const register = { method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:al@example.test>' }
    expect((await authenticated(node, register)).verdict).toMatchObject({
      $case: 'admit',
      value: { aor: 'sip:alice@example.test', minExpiresS: 120, replaceOldest: true, serviceRoute: true },
    })
  })
})
