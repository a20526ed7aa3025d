// SPDX-License-Identifier: MIT
//
// Resources in the store through the service of a policy node: two nodes over one store, from an apply to a decision.
// Not tested here: the store's own contract (packages/store), Redis under load (bench/resources.mjs).
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore } from '@tandem/store'
import { afterEach, describe, expect, test } from 'vitest'
import {
  apply,
  DOMAIN,
  group,
  logged,
  type Node,
  newStore,
  OPTIONS,
  PASSWORD,
  part,
  problemsOf,
  RING,
  startNode,
  stopNodes,
  subscriber,
  until,
} from './resource-fixture.ts'

afterEach(stopNodes)

describe('apply', () => {
  test('is in use on the node that answers, and on the others', async () => {
    const store = newStore()
    const [one, two] = [await startNode(store), await startNode(store)]
    const response = await apply(one, [DOMAIN, subscriber('alice')])
    expect(response).toMatchObject({ applied: true, added: 2, changed: 0, removed: 0, problems: [] })
    expect(response.head).toMatchObject({ revision: 1n, author: 'ann', comment: 'a change', manager: 'api', added: 2 })
    expect(one.user('alice')).toBe('sip:alice@example.test')
    await until(() => two.user('alice') !== undefined)
    expect(two.state()?.credentials.find('example.test', 'alice')?.md5).toMatch(/^[0-9a-f]{32}$/)
  })

  test('tells what would change, and writes nothing where it is a dry run', async () => {
    const store = newStore()
    const node = await startNode(store)
    await apply(node, [DOMAIN, subscriber('alice', { maxContacts: 2 })])
    const dry = await apply(node, [subscriber('alice', { maxContacts: 3 }), subscriber('bob')], { dryRun: true })
    expect(dry).toMatchObject({ applied: false, added: 1, changed: 1, unchanged: 0 })
    expect(dry.changes).toEqual([
      {
        key: 'Subscriber/example.test/alice',
        action: 'changed',
        fields: [{ path: 'spec.maxContacts', before: '2', after: '3' }],
      },
      { key: 'Subscriber/example.test/bob', action: 'added', fields: [] },
    ])
    expect(node.desk.node.at?.revision).toBe(1)
  })

  test('of what is there already is no revision', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice')])
    const again = await apply(node, [{ ...DOMAIN, metadata: { name: 'example.test' } }, subscriber('alice')])
    expect(again).toMatchObject({ applied: false, unchanged: 2, added: 0, changed: 0 })
    expect(node.desk.node.at?.revision).toBe(1)
  })

  test('is all or nothing: problems name file, line and column, and what was likely meant', async () => {
    const node = await startNode(newStore())
    const yaml = [
      'apiVersion: tandem/v1\nkind: Domain\nmetadata: { name: example.test }\nspec:\n  relam: x\n',
      'apiVersion: tandem/v1\nkind: Subscriber\nmetadata: { name: alice, domain: exmaple.test }\n',
    ].join('---\n')
    const response = await apply(node, yaml)
    expect(response.applied).toBe(false)
    expect(response.problems).toEqual([
      expect.objectContaining({
        file: 'some.yaml',
        document: 1,
        line: 5,
        column: 3,
        path: 'spec.relam',
        code: 'invalid',
      }),
    ])
    expect(response.problems[0]?.expected).toContain('did you mean "realm"?')
    expect(node.desk.node.held.size).toBe(0)
  })

  test('checks references against the set as it would be', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice')])
    expect(problemsOf(await apply(node, [group(['alice', 'bob'])]))).toEqual([
      expect.stringContaining('there is no Subscriber/example.test/bob'),
    ])
    expect(await apply(node, [group(['alice', 'bob']), subscriber('bob')])).toMatchObject({ applied: true })
    const targets = node.state()?.index.domains.get('example.test')?.users.get('sales')?.plan.steps[0]?.targets
    expect(targets?.map(({ aor }) => aor)).toEqual(['sip:alice@example.test', 'sip:bob@example.test'])
  })

  test('refuses two documents of one name, and an anchor bomb', async () => {
    const node = await startNode(newStore())
    expect(problemsOf(await apply(node, [DOMAIN, DOMAIN]))[0]).toContain('expected Domain/example.test once')
    const level = (n: number) => `a${n}: &a${n} [${Array.from({ length: 10 }, () => `*a${n - 1}`).join(', ')}]\n`
    const bomb = `a0: &a0 [x, x]\n${Array.from({ length: 9 }, (_, n) => level(n + 1)).join('')}`
    expect((await apply(node, bomb)).problems[0]).toMatchObject({ code: 'syntax' })
  })

  test('with replace removes what the manager no longer has, and nobody else has', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN], { manager: 'base' })
    await apply(node, [subscriber('alice'), subscriber('bob')], { manager: 'crm' })
    const response = await apply(node, [subscriber('bob')], { manager: 'crm', replace: true })
    expect(response).toMatchObject({ applied: true, removed: 1, unchanged: 1 })
    expect([...node.desk.node.held.keys()].sort()).toEqual(['Domain/example.test', 'Subscriber/example.test/bob'])
    expect([node.user('alice'), node.user('bob')]).toEqual([undefined, 'sip:bob@example.test'])
    expect(node.state()?.credentials.find('example.test', 'alice')).toBeUndefined()
  })

  test('of a resource of another manager is refused', async () => {
    const node = await startNode(newStore(), [DOMAIN])
    const response = await apply(node, [{ ...DOMAIN, spec: { accounting: false } }])
    expect(response.problems[0]).toMatchObject({ code: 'managed' })
    expect(response.problems[0]?.expected).toContain('belongs to files')
    const asFiles = await node.caller.apply({ ...OPTIONS, manager: 'files' }, part([DOMAIN]))
    expect(asFiles).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_request' } })
  })

  test('on another head than expected is a conflict', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN], { expectedRevision: 0n })
    const late = await node.caller.apply({ ...OPTIONS, expectedRevision: 7n }, part([subscriber('alice')]))
    expect(late).toMatchObject({ outcome: 'refused', refusal: { code: 'conflict', sipStatus: 409 } })
    expect(await apply(node, [subscriber('alice')], { expectedRevision: 1n })).toMatchObject({ applied: true })
  })

  test('of two writers at once on two nodes lets one win and tells the other', async () => {
    const store = newStore()
    const [one, two] = [await startNode(store), await startNode(store)]
    await apply(one, [DOMAIN])
    await until(() => two.desk.node.at?.revision === 1)
    const results = await Promise.all([
      one.caller.apply({ ...OPTIONS, expectedRevision: 1n }, part([subscriber('alice')])),
      two.caller.apply({ ...OPTIONS, expectedRevision: 1n }, part([subscriber('bob')])),
    ])
    const codes = results.map((result) => (result.outcome === 'refused' ? result.refusal.code : result.outcome))
    expect(codes.sort()).toEqual(['conflict', 'done'])
    await until(() => one.desk.node.at?.revision === 2 && two.desk.node.at?.revision === 2)
    expect([...one.desk.node.held.keys()]).toEqual([...two.desk.node.held.keys()])
  })

  test('takes entries of users who are the same over from the revision before', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice'), subscriber('bob')])
    const entry = (name: string) => node.state()?.index.domains.get('example.test')?.users.get(name)
    const [alice, bob] = [entry('alice'), entry('bob')]
    await apply(node, [subscriber('bob', { maxContacts: 1 }), subscriber('carol')])
    expect(entry('alice')).toBe(alice)
    expect(entry('bob')).not.toBe(bob)
    expect(entry('carol')?.aor).toBe('sip:carol@example.test')
    expect(node.state()?.credentials.find('example.test', 'bob')).toBeUndefined()
  })
})

describe('reading', () => {
  test('gets one with who refers to it, lists pages, and exports what applies again', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice'), subscriber('bob'), subscriber('carol', {}), group(['alice'])])
    const got = await node.caller.get({ kind: 'Subscriber', domain: 'example.test', name: 'alice' })
    expect(got).toMatchObject({
      value: { resource: { manager: 'api', revision: 1n }, referredBy: ['HuntGroup/example.test/sales'] },
    })
    const wanted = {
      kind: 'Subscriber',
      domain: '',
      manager: '',
      labels: {},
      namePrefix: '',
      pageSize: 2,
      pageToken: '',
    }
    const first = await node.caller.list(wanted)
    if (first.outcome !== 'done') throw new Error(first.outcome)
    expect(first.value.resources.map(({ name }) => name)).toEqual(['alice', 'bob'])
    expect(first.value.total).toBe(3)
    const second = await node.caller.list({ ...wanted, pageToken: first.value.nextPageToken })
    expect(second).toMatchObject({ value: { resources: [{ name: 'carol' }], nextPageToken: '' } })
    const exported = await node.caller.export({ kind: '', domain: '', manager: '', pageToken: '' })
    if (exported.outcome !== 'done') throw new Error(exported.outcome)
    expect(await apply(node, exported.value.yaml)).toMatchObject({ applied: false, unchanged: 5, problems: [] })
    const elsewhere = await startNode(newStore())
    expect(problemsOf(await apply(elsewhere, exported.value.yaml))[0]).toContain('expected a secret')
  })

  test('deletes what nobody refers to, and says who refers to the others', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice'), subscriber('bob'), group(['alice'])])
    const terms = { expectedRevision: 0n, dryRun: false, author: '', comment: '', manager: '' }
    const used = await node.caller.delete({ ...terms, keys: ['Subscriber/example.test/alice'] })
    expect(used).toMatchObject({ value: { applied: false, problems: [{ file: 'HuntGroup/example.test/sales' }] } })
    const free = await node.caller.delete({ ...terms, keys: ['Subscriber/example.test/bob'] })
    expect(free).toMatchObject({ value: { applied: true, removed: 1 } })
    expect(node.user('bob')).toBeUndefined()
    const unknown = await node.caller.delete({ ...terms, keys: ['Subscriber/example.test/zoe'] })
    expect(unknown).toMatchObject({ outcome: 'refused', refusal: { code: 'unknown_resource' } })
  })

  test('tells the history, and goes back to a revision of it', async () => {
    const node = await startNode(newStore())
    await apply(node, [DOMAIN, subscriber('alice', { maxContacts: 2 }), subscriber('bob')])
    await apply(node, [subscriber('alice', { maxContacts: 5 }), subscriber('carol')])
    const back = { revision: 1n, expectedRevision: 0n, dryRun: false, author: 'ann', comment: '' }
    const dry = await node.caller.rollback({ ...back, dryRun: true })
    expect(dry).toMatchObject({ value: { applied: false, changed: 1, removed: 1 } })
    const done = await node.caller.rollback(back)
    expect(done).toMatchObject({ value: { applied: true, head: { revision: 3n, comment: 'back to revision 1' } } })
    expect(node.user('carol')).toBeUndefined()
    expect(node.state()?.index.domains.get('example.test')?.users.get('alice')?.maxContacts).toBe(2)
    expect(node.state()?.credentials.find('example.test', 'bob')?.md5).toMatch(/^[0-9a-f]{32}$/)
    const history = await node.caller.listHistory({ before: 0n, limit: 0 })
    expect(history).toMatchObject({
      value: { revisions: [{ revision: 3n }, { revision: 2n, added: 1, changed: 1 }, { revision: 1n, added: 3 }] },
    })
    const gone = await node.caller.rollback({ ...back, revision: 77n })
    expect(gone).toMatchObject({ outcome: 'refused', refusal: { code: 'unknown_revision' } })
  })
})

describe('the files of the cluster', () => {
  test('are applied once however many nodes start, and anew when they say something else', async () => {
    const store = newStore()
    const nodes = await Promise.all([0, 1, 2].map(() => startNode(store, [DOMAIN, subscriber('alice')])))
    await until(() => nodes.every(({ desk }) => desk.node.at?.revision === 1))
    expect(nodes.map(({ user }) => user('alice'))).toEqual(nodes.map(() => 'sip:alice@example.test'))
    await startNode(store, [DOMAIN, subscriber('alice')])
    expect(await store.head()).toMatchObject({ value: { revision: 1 } })
    const [first] = nodes
    await apply(first as Node, [subscriber('bob')])
    const later = await startNode(store, [DOMAIN, subscriber('carol')])
    expect([later.user('alice'), later.user('bob'), later.user('carol')]).toEqual([
      undefined,
      'sip:bob@example.test',
      'sip:carol@example.test',
    ])
  })

  test('that take away what others need are not used, and that is said', async () => {
    const store = newStore()
    const node = await startNode(store, [DOMAIN, subscriber('alice')])
    await apply(node, [group(['alice'])])
    const later = await startNode(store, [DOMAIN])
    expect(later.desk.trouble).toContain('there is no Subscriber/example.test/alice')
    expect(later.user('alice')).toBe('sip:alice@example.test')
  })
})

describe('secrets', () => {
  test('are nowhere in what is stored, told or logged', async () => {
    const store = newStore()
    const node = await startNode(store)
    const md5 = '0123456789abcdef0123456789abcdef'
    await apply(node, [DOMAIN, subscriber('alice'), subscriber('bob', { credentials: { ha1: { md5 } } })])
    await apply(node, [subscriber('alice', { credentials: { password: 'another' } })])
    const stored: string[] = []
    const log = await store.readLog(undefined)
    if (log.state !== 'stored' || log.value.outcome === 'gap') throw new Error('a gap')
    for (const { stage, note } of log.value.revisions)
      stored.push(note, JSON.stringify(await store.readChunk(stage, 0)))
    const told = [
      await node.caller.get({ kind: 'Subscriber', domain: 'example.test', name: 'alice' }),
      await node.caller.export({ kind: '', domain: '', manager: '', pageToken: '' }),
      await node.caller.listHistory({ before: 0n, limit: 0 }),
      await node.caller.rollback({ revision: 1n, expectedRevision: 0n, dryRun: true, author: '', comment: '' }),
    ]
    const hash = node.state()?.credentials.find('example.test', 'alice')?.md5 ?? 'none'
    const all = [...stored, ...told.map((one) => JSON.stringify(one, bigints)), ...logged].join('\n')
    expect(all).toContain('[secret]')
    for (const secret of [PASSWORD, 'another', md5, hash]) expect(all).not.toContain(secret)
  })

  test('are read with any key of the ring, and a node without it keeps what it has', async () => {
    const store = newStore()
    const node = await startNode(store)
    await apply(node, [DOMAIN, subscriber('alice')])
    const newer = await startNode(store, [], [{ id: 2, secret: 'the next secret of tests' }, ...RING])
    expect(newer.state()?.credentials.find('example.test', 'alice')).toBeDefined()
    const without = await startNode(store, [], [{ id: 3, secret: 'somebody else altogether' }])
    expect(without.desk.trouble).toContain('not in cluster.secrets')
    expect(without.state()).toBeUndefined()
  })
})

describe('an embedded store', () => {
  test('has what was applied after a restart, and no file while nothing was', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-resources-'))
    const resourcesFile = join(folder, 'data', 'resources.ndjson')
    const open = () => createMemoryStore({ now: Date.now, resourcesFile }).resources
    try {
      const before = await startNode(open(), [DOMAIN])
      await expect(readFile(resourcesFile, 'utf8')).rejects.toThrow('ENOENT')
      await apply(before, [subscriber('alice')])
      await apply(before, [subscriber('bob')])
      const after = await startNode(open(), [DOMAIN])
      expect([after.user('alice'), after.user('bob')]).toEqual(['sip:alice@example.test', 'sip:bob@example.test'])
      expect(after.desk.node.at).toEqual(before.desk.node.at)
      expect(await readFile(resourcesFile, 'utf8')).not.toContain(PASSWORD)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
