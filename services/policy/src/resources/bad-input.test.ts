// SPDX-License-Identifier: MIT
//
// Bad input at the service that all who change resources call: each is refused with what was expected and where, and nothing of what stood
// beside it is taken. What a schema refuses by itself is tested beside it.
import { afterEach, describe, expect, test } from 'vitest'
import {
  apply,
  DOMAIN,
  group,
  newStore,
  OPTIONS,
  part,
  problemsOf,
  startNode,
  stopNodes,
  subscriber,
} from './resource-fixture.ts'

afterEach(stopNodes)

const document = (kind: string, name: string, spec: object, domain?: string) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name, ...(domain !== undefined && { domain }) },
  spec,
})
const at = 'example.test'
const base = [DOMAIN, subscriber('alice'), subscriber('bob')]
const forwards = (name: string, to: object) => subscriber(name, { forwarding: { always: to } })
const ring = (name: string, members: readonly unknown[]) => document('HuntGroup', name, { members, ringMs: 9_000 }, at)
const schedule = (spec: object) =>
  document('Schedule', 'office', { weekly: [{ days: ['mon'], from: '08:00', to: '18:00' }], ...spec })
const route = (name: string, spec: object) => document('Route', name, { trunk: 'out', ...spec })
const trunk = document('Trunk', 'out', { hosts: [{ host: 'carrier.example' }] })
const number = (name: string, spec: object) =>
  document('Number', name, { domain: at, to: { subscriber: 'alice' }, ...spec })

const bomb = (levels: number): string => {
  const level = (n: number) => `a${n}: &a${n} [${Array.from({ length: 10 }, () => `*a${n - 1}`).join(', ')}]\n`
  return `a0: &a0 [x, x]\n${Array.from({ length: levels }, (_, n) => level(n + 1)).join('')}`
}

const CASES: readonly { what: string; bad: readonly object[]; path: string; expected: string }[] = [
  {
    what: 'hunt groups that ring one another',
    bad: [ring('one', [{ to: { huntGroup: 'two' } }]), ring('two', [{ to: { huntGroup: 'one' } }])],
    path: 'spec.members[0].to',
    expected:
      'this one goes round: HuntGroup/example.test/one → HuntGroup/example.test/two → HuntGroup/example.test/one',
  },
  {
    what: 'forwardings that lead to one another',
    bad: [forwards('alice', { subscriber: 'bob' }), forwards('bob', { subscriber: 'alice' })],
    path: 'spec.forwarding.always',
    expected: 'expected a way that ends',
  },
  {
    what: 'a forwarding that comes back by a number',
    bad: [number('did', { number: '+4930123', to: { subscriber: 'bob' } }), forwards('bob', { number: '+4930123' })],
    path: 'spec.forwarding.always',
    expected: 'expected a way that ends',
  },
  { what: 'a schedule without a zone', bad: [schedule({})], path: 'spec.timeZone', expected: 'expected string' },
  {
    what: 'a zone that there is not',
    bad: [schedule({ timeZone: 'Europe/Berlim' })],
    path: 'spec.timeZone',
    expected: 'expected a time zone such as Europe/Berlin',
  },
  {
    what: 'holidays that overlap',
    bad: [schedule({ timeZone: 'Europe/Berlin', holidays: ['12-25', '2026-12-25'] })],
    path: 'spec',
    expected: '2026-12-25 is in two holidays',
  },
  {
    what: 'two routes for one prefix',
    bad: [trunk, route('one', { prefix: '+49' }), route('two', { pattern: '+49*' })],
    path: 'spec.pattern',
    expected: 'Route/one has +49* too',
  },
  {
    what: 'a number of two owners',
    bad: [number('one', { number: '+4930123' }), number('two', { number: '+4930123' })],
    path: 'spec.number',
    expected: 'expected numbers of its own',
  },
  {
    what: 'a number that a user has',
    bad: [subscriber('dora', { usernames: ['+4930123'] }), number('did', { number: '+4930123' })],
    path: 'spec.number',
    expected: 'Subscriber/example.test/dora has it',
  },
  {
    what: 'a name that leads nowhere',
    bad: [group(['alice', 'bbo'])],
    path: 'spec.members[1]',
    expected: 'there is no Subscriber/example.test/bbo; did you mean "Subscriber/example.test/bob"?',
  },
  {
    what: 'a trunk that is not there',
    bad: [route('one', { prefix: '+49' })],
    path: 'spec.trunk',
    expected: 'there is no Trunk/out',
  },
  {
    what: 'two resources of one name',
    bad: [group(['alice']), group(['bob'])],
    path: 'metadata.name',
    expected: 'expected HuntGroup/example.test/sales once',
  },
  {
    what: 'a name that a held user has',
    bad: [document('HuntGroup', 'team', { username: 'alice', members: ['bob'] }, at)],
    path: 'spec.username',
    expected: 'Subscriber/example.test/alice has this one',
  },
  {
    what: 'a user of a login that a held one has',
    bad: [subscriber('dora', { credentials: { username: 'alice', password: 'x' } })],
    path: 'spec.credentials.username',
    expected: 'Subscriber/example.test/alice has this one',
  },
  {
    what: 'an unknown field',
    bad: [subscriber('dora', { maxContact: 2 })],
    path: 'spec.maxContact',
    expected: 'did you mean "maxContacts"?',
  },
  {
    what: 'an unknown kind',
    bad: [document('Suscriber', 'dora', {}, at)],
    path: 'kind',
    expected: 'Subscriber',
  },
]

describe('all or nothing', () => {
  test.each(CASES)('$what', async ({ bad, path, expected }) => {
    const node = await startNode(newStore())
    await apply(node, base)
    const before = node.state()
    const response = await apply(node, [subscriber('carol'), ...bad])
    expect(response).toMatchObject({ applied: false })
    expect(problemsOf(response)).toContainEqual(expect.stringContaining(expected))
    expect(response.problems.map((one) => one.path)).toContain(path)
    expect(node.desk.node.at?.revision).toBe(1)
    expect([...node.desk.node.held.keys()]).toHaveLength(base.length)
    expect(node.state()).toBe(before)
    expect(await apply(node, [subscriber('carol')])).toMatchObject({ applied: true, problems: [] })
  })
})

test('static contacts are refused where they would never reach location, and nothing else is', async () => {
  const node = await startNode(newStore(), [], undefined, { isApart: true })
  const contacts = [{ uri: 'sip:pbx@192.0.2.9' }]
  await apply(node, base)
  const response = await apply(node, [subscriber('alice', { contacts })])
  expect(problemsOf(response)).toEqual([expect.stringContaining('spec.contacts: expected no contacts')])
  expect(await apply(node, [subscriber('alice', { maxContacts: 3 })])).toMatchObject({ applied: true })
  expect(await apply(await startNode(newStore()), [...base, subscriber('pbx', { contacts })])).toMatchObject({
    applied: true,
  })
})

describe('what is held is left in one piece', () => {
  test('whoever goes and is named is kept, and who names him is told', async () => {
    const node = await startNode(newStore())
    await apply(node, [
      ...base,
      subscriber('carol', { account: 'rich' }),
      document('Account', 'rich', {}),
      group(['alice']),
    ])
    const terms = { expectedRevision: 0n, dryRun: false, author: '', comment: '', manager: '' }
    for (const [key, by] of [
      ['Subscriber/example.test/alice', 'HuntGroup/example.test/sales'],
      ['Account/rich', 'Subscriber/example.test/carol'],
      ['Domain/example.test', 'Subscriber/example.test/bob'],
    ]) {
      const result = await node.caller.delete({ ...terms, keys: [key as string] })
      if (result.outcome !== 'done') throw new Error(result.outcome)
      expect(result.value.applied).toBe(false)
      expect(result.value.problems.map(({ file }) => file)).toContain(by)
    }
    expect(node.desk.node.at?.revision).toBe(1)
  })

  test('a domain that gets the realm of another one, where two then have one login', async () => {
    const node = await startNode(newStore())
    const other = { ...subscriber('alice'), metadata: { name: 'alice', domain: 'other.test' } }
    await apply(node, [...base, document('Domain', 'other.test', {}), other])
    const response = await apply(node, [document('Domain', 'other.test', { realm: at })])
    expect(problemsOf(response)[0]).toContain('has this one')
  })
})

describe('text that is no set of documents', () => {
  test.each([
    { what: 'anchors that grow', text: bomb(9), code: 'syntax' },
    { what: 'a document that is cut off', text: 'kind: [Domain, ', code: 'syntax' },
    { what: 'a list of lists', text: '[[1], [2]]', code: 'invalid' },
    { what: 'bytes that are no text', text: '\u0000\u0001\ufffd', code: 'invalid' },
  ])('$what: told in time, with its place', async ({ text, code }) => {
    const node = await startNode(newStore())
    const began = performance.now()
    const response = await apply(node, text)
    expect(response.applied).toBe(false)
    expect(response.problems[0]).toMatchObject({ file: 'some.yaml', code })
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test('10 MB of documents are read in turns, and their one mistake is told with its line', async () => {
    const node = await startNode(newStore())
    const filler = `# ${'x'.repeat(2_000)}\n`
    const one = (name: string, spec: string) =>
      `---\napiVersion: tandem/v1\nkind: Subscriber\nmetadata: { name: ${name}, domain: example.test }\n${filler.repeat(10)}spec: ${spec}\n`
    const names = Array.from({ length: 500 }, (_, n) => `u${n}`)
    const text = [
      '---\napiVersion: tandem/v1\nkind: Domain\nmetadata: { name: example.test }\n',
      ...names.map((name, n) => one(name, n === 400 ? '{ maxContacs: 1 }' : '{}')),
    ].join('')
    expect(text.length).toBeGreaterThan(10_000_000)
    const parts = []
    for (let from = 0; from < text.length; from += 2_000_000) parts.push(...part(text.slice(from, from + 2_000_000)))
    let turns = 0
    const turning = setInterval(() => turns++, 5)
    const result = await node.caller.apply(OPTIONS, parts)
    clearInterval(turning)
    if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
    expect(result.value.applied).toBe(false)
    expect(result.value.problems).toHaveLength(1)
    expect(result.value.problems[0]).toMatchObject({ document: 402, path: 'spec.maxContacs' })
    expect(result.value.problems[0]?.line).toBeGreaterThan(5_000)
    expect(turns).toBeGreaterThan(3)
    expect(node.desk.node.held.size).toBe(0)
  }, 30_000)

  test('one document of more than 1 MiB is refused by its name', async () => {
    const node = await startNode(newStore())
    const large = document('BlockList', 'large', {
      callees: { patterns: ['+49*'] },
      description: 'x'.repeat(1_100_000),
    })
    const result = await node.caller.apply(OPTIONS, part([DOMAIN, large]))
    const isRefused = result.outcome === 'refused' || (result.outcome === 'done' && !result.value.applied)
    expect(isRefused).toBe(true)
    expect(node.desk.node.held.size).toBe(0)
  })
})
