// SPDX-License-Identifier: MIT
//
// Routing beyond the plain call: wildcards, relaying, redirects, forking, trust, GRUUs, static contacts; and what
// a set says when two settings contradict one another. Not tested here: what edges make of a plan.
import { describe, expect, test } from 'vitest'
import { addressList } from './addresses.ts'
import { leadsAway, planInstance, planRelay } from './plan.ts'
import { findDomain } from './resource-index.ts'
import { staticBindings } from './static-bindings.ts'
import { document, domain, group, indexOf, load, planOf, problemsOf, redirect, subscriber } from './testing.ts'

describe('names of domains', () => {
  const HOSTS = [
    ['example.test', 'example.test'],
    ['a.example.test', 'example.test'],
    ['A.B.Example.Test.', 'example.test'],
    ['b.example.test', 'b.example.test'],
    ['x.b.example.test', 'example.test'],
    ['x.deep.example.test', 'deep.test'],
    ['notexample.test', undefined],
    ['.example.test', undefined],
    ['192.0.2.9', undefined],
  ] as const
  test.each(HOSTS)('%s belongs to %s: written out before wildcard, the longest wildcard first', async (host, name) => {
    const index = await indexOf(
      domain({ aliases: ['*.example.test'] }),
      domain({}, 'b.example.test'),
      domain({ aliases: ['*.deep.example.test'] }, 'deep.test'),
    )
    expect(findDomain(index, host)?.name).toBe(name)
  })

  test('one wildcard belongs to one domain, and never to all names there are', async () => {
    const twice = await problemsOf(domain({ aliases: ['*.x.test'] }), domain({ aliases: ['*.X.test'] }, 'other.test'))
    expect(twice).toEqual(['spec.aliases[0]: expected a name of its own; Domain/example.test has this one'])
    expect(await problemsOf(domain({ aliases: ['*'] }))).toEqual([
      'spec.aliases[0]: expected a host name, an IP address or *.NAME',
    ])
  })
})

describe('how the contacts of a user ring', () => {
  test.each(['parallel', 'q', 'serial'] as const)('forking %s stands in the step', async (forking) => {
    const index = await indexOf(domain({ forking, ringMs: 9_000 }), subscriber('bob'))
    expect(planOf(index, 'bob').steps).toMatchObject([{ forking, ringMs: 9_000 }])
  })

  test('a group rings all members at once whatever the domain says, and each is told who was called [RFC7044-10.4a]', async () => {
    const members = { members: ['alice', 'bob'] }
    const index = await indexOf(domain({ forking: 'serial' }), subscriber('alice'), subscriber('bob'), group(members))
    const [step] = planOf(index, 'sales').steps
    expect(step?.forking).toBe('parallel')
    expect(step?.targets.map(({ retarget }) => retarget)).toEqual([
      { from: 'sip:sales@example.test', reason: 'unconditional' },
      { from: 'sip:sales@example.test', reason: 'unconditional' },
    ])
    expect(planOf(index, 'bob').steps[0]?.targets[0]?.retarget).toBeUndefined()
  })

  test('3xx responses are followed where the domain says so, with a bound [RFC3261-21.3.3a]', async () => {
    const index = await indexOf(domain({ redirects: 'recurse', maxRecursions: 3 }), subscriber('bob'))
    expect(planOf(index, 'bob').mode).toEqual({ stateless: false, maxRecursions: 3 })
    expect(await problemsOf(domain({ redirects: 'recurse', maxRecursions: 21 }))).toEqual([
      expect.stringContaining('spec.maxRecursions'),
    ])
  })
})

describe('stateless forwarding [RFC3261-16.11d]', () => {
  const STATELESS = { forwarding: 'stateless', accounting: false, registration: { maxContacts: 1 } }

  test('one user, one contact, no record', async () => {
    const index = await indexOf(domain(STATELESS), subscriber('bob'), group({ members: ['bob'] }))
    expect(planOf(index, 'bob').mode.stateless).toBe(true)
  })

  const REFUSED = [
    ['accounting', domain({ ...STATELESS, accounting: true }), 'spec.accounting: expected false'],
    ['recursion', domain({ ...STATELESS, redirects: 'recurse' }), 'spec.redirects: expected pass'],
    ['ring times', domain({ ...STATELESS, ringMs: 5_000 }), 'spec.ringMs: expected no ring time'],
    ['an order of targets', domain({ ...STATELESS, forking: 'q' }), 'spec.forking: expected none'],
    ['several contacts', domain({ ...STATELESS, registration: {} }), 'spec.registration.maxContacts: expected 1'],
    [
      'a relay with records',
      domain({ relay: { allow: ['*'], forwarding: 'stateless' } }),
      'spec.accounting: expected false',
    ],
  ] as const
  test.each(REFUSED)('with %s it is refused, with the reason', async (_what, resource, expected) => {
    const problems = await problemsOf(resource)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${expected}: a stateless proxy `))
  })

  test('users of such a domain have one contact, and its groups one member', async () => {
    const contacts = [{ uri: 'sip:a@192.0.2.5' }, { uri: 'sip:b@192.0.2.5' }]
    const problems = await problemsOf(
      domain(STATELESS),
      subscriber('alice', { maxContacts: 2 }),
      subscriber('bob', { contacts }),
      group({ members: ['alice', 'bob'], ringMs: 5_000 }),
    )
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'spec.maxContacts',
      'spec.contacts',
      'spec.members',
      'spec.ringMs',
    ])
  })
})

describe('relaying', () => {
  const ALLOW = ['carrier.test', '*.partner.test', '198.51.100.7']
  const trunk = document('Trunk', { name: 't' }, { hosts: [{ host: 'carrier.test' }], trusted: true })
  const RELAYED = [
    { host: 'carrier.test', targets: ['sip:x@there'] },
    { host: 'Carrier.Test.', targets: ['sip:x@there'] },
    { host: 'sip.partner.test', targets: ['sip:x@there'] },
    { host: 'partner.test', code: 'relay_refused' },
    { host: 'elsewhere.test', code: 'relay_refused' },
    { host: '198.51.100.7', targets: ['sip:x@there'] },
    { host: '198.51.100.8', code: 'relay_refused' },
    { host: 'carrier.test', maddr: '10.0.0.1', code: 'relay_refused' },
    { host: 'carrier.test', maddr: '198.51.100.7', targets: ['sip:x@there'] },
    { host: 'example.test', maddr: '10.0.0.1', code: 'relay_refused' },
  ]
  test.each(RELAYED)(
    '[RFC3261-16.5b] $host, maddr $maddr → $targets $code',
    async ({ host, maddr = '', ...expected }) => {
      const index = await indexOf(domain({ relay: { allow: ALLOW } }), trunk)
      const sender = findDomain(index, 'example.test')
      if (sender === undefined) throw new Error('no domain')
      expect(leadsAway({ host, maddr }, index)).toBe(true)
      const verdict = planRelay({ uri: 'sip:x@there', host, maddr }, sender, index)
      expect(verdict.code).toBe(expected.code ?? '')
      expect(verdict.steps.flatMap(({ targets }) => targets.map(({ uri }) => uri))).toEqual(expected.targets ?? [])
    },
  )

  test('* is every name but no address; without a list nothing is relayed', async () => {
    const index = await indexOf(domain({ relay: { allow: ['*'] } }), domain({}, 'closed.test'))
    const codeFor = (host: string, from: string) => {
      const sender = findDomain(index, from)
      return sender && planRelay({ uri: 'sip:x@there', host, maddr: '' }, sender, index).code
    }
    expect(codeFor('anything.test', 'example.test')).toBe('')
    expect(codeFor('10.0.0.1', 'example.test')).toBe('relay_refused')
    expect(codeFor('[::1]', 'example.test')).toBe('relay_refused')
    expect(codeFor('anything.test', 'closed.test')).toBe('relay_refused')
  })

  test('[RFC3261-26.3.2.2b] a domain that asks nobody relays for nobody', async () => {
    const problems = await problemsOf(domain({ authentication: 'none', relay: { allow: ['*'] } }))
    expect(problems[0]).toMatch(/^spec\.relay\.allow: expected an empty list: .* open relay$/)
  })

  test('a maddr that is ours leads nowhere else [RFC3261-16.4d]', async () => {
    const index = await indexOf(domain())
    expect(leadsAway({ host: 'example.test', maddr: '192.0.2.1' }, index)).toBe(false)
  })

  test('[RFC3325-5e] a target is trusted where its host is a trusted trunk', async () => {
    const index = await indexOf(domain({ relay: { allow: ['*'] } }), trunk)
    const sender = findDomain(index, 'example.test')
    const trusted = ['carrier.test', 'other.test'].map(
      (host) => sender && planRelay({ uri: 'u', host, maddr: '' }, sender, index).steps[0]?.targets[0]?.trusted,
    )
    expect(trusted).toEqual([true, false])
  })
})

describe('redirects [RFC3261-8.3d]', () => {
  test('contacts by q, then the bindings of a subscriber', async () => {
    const contacts = [{ uri: 'sip:a@192.0.2.5', q: 0.5 }, { uri: 'sip:b@192.0.2.5' }]
    const index = await indexOf(domain(), subscriber('bob'), redirect({ status: 300, contacts, subscriber: 'bob' }))
    expect(planOf(index, 'moved')).toMatchObject({
      kind: 'redirect',
      status: 300,
      contacts: ['<sip:b@192.0.2.5>', '<sip:a@192.0.2.5>;q=0.5'],
      aor: 'sip:bob@example.test',
    })
  })

  test('a redirect domain answers for each user with its bindings, for a group with its members [RFC3261-21.3.1]', async () => {
    const index = await indexOf(domain({ routing: 'redirect' }), subscriber('bob'), group({ members: ['bob'] }))
    expect(planOf(index, 'bob')).toMatchObject({ kind: 'redirect', status: 302, aor: 'sip:bob@example.test' })
    expect(planOf(index, 'sales')).toMatchObject({ status: 300, contacts: ['<sip:bob@example.test>'], aor: '' })
    expect(planOf(index, 'nobody').code).toBe('unknown_user')
  })

  const REFUSED = [
    ['[RFC3261-21.3.4] 305 is not for us to give', { status: 305, subscriber: 'bob' }, 'expected 300, 301 or 302'],
    ['nowhere to go', {}, 'expected contacts, a subscriber or both'],
    ['nobody', { subscriber: 'eve' }, 'expected an existing resource'],
    ['[RFC3261-8.3b] back to itself', { contacts: [{ uri: 'sip:moved@EXAMPLE.test' }] }, 'expected another address'],
    ['a header', { contacts: [{ uri: 'sip:a@b.test?Subject=x' }] }, 'expected a SIP URI'],
    ['a line end', { contacts: [{ uri: 'sip:a@b.test\r\nX: y' }] }, 'expected a SIP URI'],
  ] as const
  test.each(REFUSED)('refused: %s', async (_what, spec, expected) => {
    const problems = await problemsOf(domain(), subscriber('bob'), redirect(spec))
    expect(problems.join('\n')).toContain(expected)
  })
})

describe('GRUU', () => {
  test('[RFC5627-6.1a] one instance of a subscriber, never of a group [RFC5627-6.1h], never redirected [RFC5627-6.1i]', async () => {
    const index = await indexOf(domain({ routing: 'redirect' }), subscriber('bob'), group({ members: ['bob'] }))
    const users = index.domains.get('example.test')?.users
    const choice = { instanceId: 'urn:uuid:1', registrationHash: 7 }
    const verdict = planInstance(users?.get('bob'), choice)
    expect(verdict.steps[0]?.targets).toMatchObject([{ aor: 'sip:bob@example.test', ...choice }])
    expect(verdict.kind).toBe('plan')
    for (const user of [users?.get('sales'), undefined]) expect(planInstance(user, choice).code).toBe('unknown_gruu')
    expect(planInstance(users?.get('bob'), undefined).code).toBe('unknown_gruu')
  })
})

describe('static contacts', () => {
  test('by address-of-record, highest q first', async () => {
    const contacts = [
      { uri: 'sip:b@pbx.test', q: 0.25 },
      { uri: 'sip:a@192.0.2.5', path: ['sip:edge.test;lr'] },
    ]
    const { resources } = await load([domain(), subscriber('bob', { contacts }), subscriber('eve')])
    expect([...staticBindings(resources)]).toEqual([
      [
        'sip:bob@example.test',
        [
          { uri: 'sip:a@192.0.2.5', qMilli: 1000, path: ['sip:edge.test;lr'] },
          { uri: 'sip:b@pbx.test', qMilli: 250, path: [] },
        ],
      ],
    ])
  })

  test('one that leads back into the cluster is refused', async () => {
    const contacts = [{ uri: 'sip:alice@x.example.test:5080' }]
    expect(await problemsOf(domain({ aliases: ['*.example.test'] }), subscriber('bob', { contacts }))).toEqual([
      'spec.contacts[0]: expected an address outside of this cluster; x.example.test is a name of Domain/example.test',
    ])
  })
})

describe('trusted sources [RFC3325-5e]', () => {
  const LIST = addressList(['192.0.2.0/24', '198.51.100.7', '2001:db8::/32'])
  const ADDRESSES = [
    ['192.0.2.77', true],
    ['::ffff:192.0.2.77', true],
    ['198.51.100.7', true],
    ['198.51.100.8', false],
    ['2001:db8::5', true],
    ['2001:db9::5', false],
    ['not an address', false],
  ] as const
  test.each(ADDRESSES)('%s: %s', (address, expected) => {
    expect(LIST?.has(address)).toBe(expected)
  })

  test.each(['192.0.2.0/33', 'pbx.test', '192.0.2.1/', '::/129', '1/2/3'])('%s is no range', async (range) => {
    expect((await problemsOf(domain({ trust: { sources: [range] } })))[0]).toContain(
      'expected an IP address or a range',
    )
  })

  test('trunks are known by their addresses and their sources, trusted or not', async () => {
    const trunk = (name: string, spec: object) =>
      document('Trunk', { name }, { hosts: [{ host: '192.0.2.10' }, { host: 'name.test' }], ...spec })
    const index = await indexOf(trunk('a', { trusted: true, sources: ['203.0.113.0/25'] }))
    const found = (address: string) => index.acl?.find(address, 'udp', undefined)?.trunk
    expect(found('192.0.2.10')).toEqual({ name: 'a', trusted: true, inbound: true })
    expect(found('203.0.113.9')?.name).toBe('a')
    expect(found('203.0.113.200')).toBeUndefined()
    const other = await indexOf(trunk('b', { trusted: false }))
    expect(other.acl?.find('192.0.2.10', 'udp', undefined)?.trunk).toEqual({
      name: 'b',
      trusted: false,
      inbound: false,
    })
    const open = await indexOf(trunk('c', { inbound: 'allow' }))
    expect(open.acl?.find('192.0.2.10', 'udp', undefined)?.trunk).toEqual({ name: 'c', trusted: false, inbound: true })
  })

  test('the phones of a domain are trusted where it says so', async () => {
    const index = await indexOf(domain({ trust: { phones: true } }), subscriber('bob'))
    expect(planOf(index, 'bob').steps[0]?.targets[0]?.trusted).toBe(true)
  })
})
