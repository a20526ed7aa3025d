// SPDX-License-Identifier: MIT
//
// Callers who are known without a password: by their address, by their certificate; and those whom nobody knows.
import type { policy } from '@tandem/rpc'
import { describe, expect, test } from 'vitest'
import { authenticated, createWorld, decideOn, outcomeOf, request } from '../policy-fixture.ts'

const resource = (kind: string, metadata: object, spec: object = {}) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata,
  spec,
})
const subscriber = (name: string, domain: string, spec: object = {}) =>
  resource('Subscriber', { name, domain }, { credentials: { password: `${name}-secret` }, account: 'demo', ...spec })

const world = await createWorld([
  resource('Account', { name: 'demo' }),
  resource('Domain', { name: 'example.test' }, { clientCertificates: 'accept', relay: { allow: ['out.test'] } }),
  resource('Domain', { name: 'lax.test' }, { identity: 'assert' }),
  resource('Domain', { name: 'open.test' }, { anonymous: { to: ['sales', '+4930*'], methods: ['INVITE'] } }),
  resource('Domain', { name: 'believing.test' }, { anonymous: { identity: 'believed', ownUsersMayHide: false } }),
  subscriber('alice', 'example.test'),
  subscriber('bob', 'example.test'),
  subscriber('pbx', 'example.test', { acl: { sources: ['192.0.2.7', '2001:db8:7::/48'], register: true } }),
  subscriber('fax', 'example.test', {
    acl: { sources: [{ range: '10.9.1.0/24', transports: ['tcp', 'tls'] }, '198.51.100.0/24'] },
  }),
  subscriber('desk', 'example.test', { acl: { sources: ['198.51.100.0/24'] } }),
  subscriber('gate', 'lax.test', { acl: { sources: ['203.0.113.9'] } }),
  subscriber('alice', 'open.test'),
  subscriber('sales', 'open.test'),
  subscriber('bob', 'open.test', { usernames: ['bob', '+49-30-1234', '+41441234'] }),
  subscriber('bob', 'believing.test'),
  resource('Trunk', { name: 'in' }, { hosts: [{ host: '192.0.2.200' }], inbound: 'allow', sources: ['10.9.0.0/16'] }),
  resource('Trunk', { name: 'quiet' }, { hosts: [{ host: '192.0.2.230' }], sources: ['192.0.2.231'] }),
  resource('Trunk', { name: 'tls' }, { hosts: [{ host: 'carrier.test', transport: 'tls' }], inbound: 'allow' }),
])
const node = world.node()

const at = (address: string, transport = 'udp', tls?: policy.TlsPeer): Partial<policy.DecideRequest> => ({
  source: { transport, address, port: 5062, ...(tls && { tls }) },
})
const from = (uri: string): Partial<policy.DecideRequest> => ({ from: `<${uri}>;tag=a1` })
const REGISTER = (user: string): Partial<policy.DecideRequest> => ({
  method: 'REGISTER',
  requestUri: 'sip:example.test',
  from: `<sip:${user}@example.test>;tag=a1`,
  to: `<sip:${user}@example.test>`,
})
const editsOf = ({ verdict }: policy.DecideResponse) =>
  verdict?.$case === 'plan' ? verdict.value.edits.map(({ name, value }) => `${name}: ${value}`) : []

interface Case {
  readonly what: string
  readonly parts: Partial<policy.DecideRequest>
  readonly expected: string
  readonly identity?: string
}

const BY_ADDRESS: readonly Case[] = [
  {
    what: 'a subscriber calls from his address over IPv4',
    parts: { ...at('192.0.2.7'), ...from('sip:pbx@example.test') },
    expected: 'plan',
    identity: 'sip:pbx@example.test',
  },
  {
    what: 'and over IPv6',
    parts: { ...at('2001:db8:7::9', 'tcp'), ...from('sip:pbx@example.test') },
    expected: 'plan',
    identity: 'sip:pbx@example.test',
  },
  {
    what: 'an address that comes mapped',
    parts: { ...at('::ffff:192.0.2.7'), ...from('sip:pbx@example.test') },
    expected: 'plan',
    identity: 'sip:pbx@example.test',
  },
  {
    what: 'not from another address',
    parts: { ...at('203.0.113.1'), ...from('sip:pbx@example.test') },
    expected: 'challenge 407',
  },
  {
    what: 'another user of ours at the address is asked for his own password',
    parts: { ...at('192.0.2.7'), ...from('sip:alice@example.test') },
    expected: 'challenge 407',
  },
  {
    what: 'a name that is not his is refused where From must be the caller',
    parts: { ...at('192.0.2.7'), ...from('sip:someone@elsewhere.test') },
    expected: 'reject 403 not_your_identity',
    identity: 'sip:pbx@example.test',
  },
  {
    what: 'and passes where the domain asserts',
    parts: { ...at('203.0.113.9'), ...from('sip:someone@elsewhere.test'), requestUri: 'sip:gate@lax.test' },
    expected: 'plan',
    identity: 'sip:gate@lax.test',
  },
  { what: 'registers where it may', parts: { ...at('192.0.2.7'), ...REGISTER('pbx') }, expected: 'admit' },
  {
    what: 'registers nobody else',
    parts: { ...at('192.0.2.7'), ...REGISTER('alice') },
    expected: 'challenge 401',
  },
  {
    what: 'does not register unless it may',
    parts: { ...at('198.51.100.4'), ...REGISTER('desk') },
    expected: 'challenge 401',
  },
  {
    what: 'a range for TCP counts for TCP',
    parts: { ...at('10.9.1.70', 'tcp'), ...from('sip:fax@example.test') },
    expected: 'plan',
    identity: 'sip:fax@example.test',
  },
  {
    what: 'over UDP the wider range counts, which is a trunk’s: nobody of ours',
    parts: { ...at('10.9.1.70'), ...from('sip:fax@example.test') },
    expected: 'plan',
    identity: '',
  },
  {
    what: 'of two at one range From says who speaks',
    parts: { ...at('198.51.100.4'), ...from('sip:desk@example.test') },
    expected: 'plan',
    identity: 'sip:desk@example.test',
  },
  {
    what: 'of two at one range nobody is taken for a stranger',
    parts: { ...at('198.51.100.4'), ...from('sip:x@elsewhere.test') },
    expected: 'challenge 407',
  },
  {
    what: 'a known caller relays where his domain lets him',
    parts: { ...at('192.0.2.7'), ...from('sip:pbx@example.test'), requestUri: 'sip:x@out.test' },
    expected: 'plan',
    identity: 'sip:pbx@example.test',
  },
  {
    what: 'a trunk is let in for its address, and charges nobody',
    parts: { ...at('192.0.2.200'), ...from('sip:alice@example.test') },
    expected: 'plan',
    identity: '',
  },
  {
    what: 'a trunk does not relay',
    parts: { ...at('192.0.2.200'), ...from('sip:x@elsewhere.test'), requestUri: 'sip:x@out.test' },
    expected: 'reject 403 relay_refused',
  },
  {
    what: 'a trunk does not register',
    parts: { ...at('192.0.2.200'), ...REGISTER('alice') },
    expected: 'challenge 401',
  },
  {
    what: 'a trunk that is not let in is asked',
    parts: { ...at('192.0.2.231'), ...from('sip:x@elsewhere.test') },
    expected: 'challenge 407',
  },
]

describe('by address', () => {
  test.each(BY_ADDRESS)('$what → $expected', async ({ parts, expected, identity }) => {
    const response = await decideOn(node, request(parts))
    expect(outcomeOf(response)).toBe(expected)
    if (identity !== undefined) expect(response.identity).toBe(identity)
  })

  test('a known caller gets his identity asserted, and his call an account', async () => {
    const asserted = { assertedIdentities: ['<sip:boss@example.test>'] }
    const response = await decideOn(node, request({ ...at('192.0.2.7'), ...from('sip:pbx@example.test'), ...asserted }))
    expect(editsOf(response)).toContain('P-Asserted-Identity: <sip:pbx@example.test>')
    expect(response).toMatchObject({ account: 'demo', identity: 'sip:pbx@example.test' })
    expect(response.callRef).not.toBe('')
  })

  test('[RFC3325-5e] what a trunk that is not trusted asserts is removed', async () => {
    const response = await decideOn(node, request({ ...at('192.0.2.200'), ...from('sip:x@elsewhere.test') }))
    expect(editsOf(response)).toEqual(['P-Asserted-Identity: ', 'P-Preferred-Identity: '])
  })

  test('where a password would do, the address comes first; elsewhere the password does', async () => {
    expect(outcomeOf(await authenticated(node, from('sip:pbx@example.test'), { username: 'pbx' }))).toBe('plan')
  })
})

const certificate = (...users: string[]): policy.TlsPeer => ({ names: [], users })
const BY_CERTIFICATE: readonly Case[] = [
  {
    what: 'a subscriber calls',
    parts: { ...at('203.0.113.1', 'tls', certificate('sip:alice@example.test')) },
    expected: 'plan',
    identity: 'sip:alice@example.test',
  },
  {
    what: 'a subscriber registers',
    parts: { ...at('203.0.113.1', 'tls', certificate('sip:alice@example.test')), ...REGISTER('alice') },
    expected: 'admit',
    identity: 'sip:alice@example.test',
  },
  {
    what: 'of several users From says who speaks',
    parts: {
      ...at('203.0.113.1', 'tls', certificate('sip:alice@example.test', 'sip:bob@example.test')),
      ...from('sip:bob@example.test'),
    },
    expected: 'plan',
    identity: 'sip:bob@example.test',
  },
  {
    what: 'another one is asked',
    parts: { ...at('203.0.113.1', 'tls', certificate('sip:bob@example.test')) },
    expected: 'challenge 407',
  },
  {
    what: 'registers nobody else',
    parts: { ...at('203.0.113.1', 'tls', certificate('sip:bob@example.test')), ...REGISTER('alice') },
    expected: 'challenge 401',
  },
  {
    what: 'a domain that does not say so takes none',
    parts: {
      ...at('203.0.113.1', 'tls', certificate('sip:gate@lax.test')),
      ...from('sip:gate@lax.test'),
      requestUri: 'sip:gate@lax.test',
    },
    expected: 'challenge 407',
  },
  {
    what: 'nobody of that name',
    parts: { ...at('203.0.113.1', 'tls', certificate('sip:mallory@example.test')) },
    expected: 'challenge 407',
  },
  {
    what: '[RFC5922-7.4] a trunk that is not trusted, by the domain',
    parts: {
      ...at('203.0.113.1', 'tls', { names: ['carrier.test'], users: [] }),
      ...from('sip:x@elsewhere.test'),
    },
    expected: 'plan',
    identity: '',
  },
]

describe('by certificate', () => {
  test.each(BY_CERTIFICATE)('$what → $expected', async ({ parts, expected, identity }) => {
    const response = await decideOn(node, request(parts))
    expect(outcomeOf(response)).toBe(expected)
    if (identity !== undefined) expect(response.identity).toBe(identity)
  })
})

const ANONYMOUS = from('sip:anonymous@anonymous.invalid')
const STRANGERS: readonly Case[] = [
  { what: 'nobody by default', parts: { ...ANONYMOUS }, expected: 'challenge 407' },
  { what: 'a listed user', parts: { ...ANONYMOUS, requestUri: 'sip:sales@open.test' }, expected: 'plan' },
  {
    what: 'a stranger with a name',
    parts: { ...from('sip:x@y.test'), requestUri: 'sip:sales@open.test' },
    expected: 'plan',
  },
  { what: 'a listed beginning', parts: { ...ANONYMOUS, requestUri: 'sip:+49(30)1234@open.test' }, expected: 'plan' },
  { what: 'in a tel URI', parts: { ...ANONYMOUS, requestUri: 'tel:+49-30-1234' }, expected: 'plan' },
  { what: 'another number', parts: { ...ANONYMOUS, requestUri: 'sip:+41441234@open.test' }, expected: 'challenge 407' },
  { what: 'another user', parts: { ...ANONYMOUS, requestUri: 'sip:bob@open.test' }, expected: 'challenge 407' },
  {
    what: 'another method',
    parts: { ...ANONYMOUS, requestUri: 'sip:sales@open.test', method: 'MESSAGE' },
    expected: 'challenge 407',
  },
  {
    what: 'nobody of ours without his password',
    parts: { ...from('sip:alice@open.test'), requestUri: 'sip:sales@open.test' },
    expected: 'challenge 407',
  },
]

describe('callers that nobody knows', () => {
  test.each(STRANGERS)('reach $what → $expected', async ({ parts, expected }) => {
    expect(outcomeOf(await decideOn(node, request(parts)))).toBe(expected)
  })

  const asserts = (requestUri: string) =>
    decideOn(node, request({ ...ANONYMOUS, requestUri, assertedIdentities: ['<tel:+4930999>'] }))

  test('[RFC3325-5e] are not believed, unless the domain says so', async () => {
    expect(editsOf(await asserts('sip:sales@open.test'))).toContain('P-Asserted-Identity: ')
    const believed = await asserts('sip:bob@believing.test')
    expect(editsOf(believed)).toEqual(['P-Preferred-Identity: '])
    expect(believed.verdict).toMatchObject({ value: { sourceTrusted: true } })
    expect(believed.identity).toBe('')
  })

  test('its own users may hide by the same setting, or not', async () => {
    const call = (domain: string) =>
      authenticated(node, { ...ANONYMOUS, requestUri: `sip:bob@${domain}` }, { username: 'bob' })
    // Who hides must say to whom he belongs: by credentials for the called domain.
    expect(outcomeOf(await call('open.test'))).toBe('plan')
  })
})
