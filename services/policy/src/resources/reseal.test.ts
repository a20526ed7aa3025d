// SPDX-License-Identifier: MIT
import { afterEach, expect, it } from 'vitest'
import { apply, DOMAIN, newStore, PASSWORD, startNode, stopNodes, subscriber, until } from './resource-fixture.ts'

const OLD = { id: 1, secret: 'a secret for tests only' }
const NEW = { id: 2, secret: 'another secret for tests' }
const TRUNK = {
  apiVersion: 'tandem/v1',
  kind: 'Trunk',
  metadata: { name: 'carrier' },
  spec: { hosts: [{ host: '192.0.2.1' }], credentials: { username: 'u', password: PASSWORD } },
}

afterEach(stopNodes)

it('another first key: one node seals secrets anew, nothing else changes, and the old key can go', async () => {
  const store = newStore()
  const nodes = [await startNode(store, [], [OLD]), await startNode(store, [], [OLD])] as const
  await apply(nodes[0], [DOMAIN, subscriber('alice'), subscriber('open', {}), TRUNK])
  await until(() => nodes[1].desk.node.at?.revision === 1)
  const sealed = () => [...nodes[0].desk.node.held.values()].flatMap(({ sealedBy }) => sealedBy ?? [])
  const before = sealed()
  expect(new Set(before)).toEqual(new Set([1]))
  await Promise.all(nodes.map(({ desk }) => desk.useKeyRing([OLD, NEW])))
  expect(sealed()).toEqual(before)
  await Promise.all(nodes.map(({ desk }) => desk.useKeyRing([NEW, OLD])))
  expect(sealed()).toEqual(before.map(() => 2))
  expect(nodes[0].desk.node.at?.revision).toBe(2)
  await Promise.all(nodes.map(({ desk }) => desk.useKeyRing([NEW])))
  const third = await startNode(store, [], [NEW])
  expect([third.desk.trouble, third.user('alice')]).toEqual(['', 'sip:alice@example.test'])
  expect(third.state()?.credentials.find('example.test', 'alice')).toBeDefined()
}, 30_000)

it('a node that starts where secrets are sealed by an older key seals them anew', async () => {
  const store = newStore()
  await apply(await startNode(store, [], [OLD]), [DOMAIN, subscriber('alice')])
  await stopNodes()
  const node = await startNode(store, [], [NEW, OLD])
  await until(() => node.desk.node.at?.revision === 2)
  expect([...node.desk.node.held.values()].map(({ sealedBy }) => sealedBy)).toEqual(expect.arrayContaining([2]))
}, 30_000)

it('without the old key an older revision stays unused, and it says which key is missing', async () => {
  const store = newStore()
  await apply(await startNode(store, [], [OLD]), [DOMAIN, subscriber('alice')])
  const node = await startNode(store, [], [NEW])
  expect(node.desk.trouble).toMatch(/sealed with a key that is not in cluster\.secrets/)
  await node.desk.useKeyRing([NEW, OLD])
  await until(() => node.desk.trouble === '' && node.desk.node.at?.revision === 2)
}, 30_000)
