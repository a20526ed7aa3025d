// SPDX-License-Identifier: MIT
// Probes of trunks: which node and edge, at what interval, and what their answers do to breakers.
import { expect, test } from 'vitest'
import type { PolicyService } from '../options.ts'
import type { World } from '../policy-fixture.ts'
import { endAt, FakeEdge, HOST, statusOf, tellSent, trunkDocument, trunkWorld } from './trunk-fixture.ts'

const SPEC = { probe: { intervalMs: 30_000, timeoutMs: 2_000, failures: 2 }, breaker: { openMs: 10_000, failures: 3 } }
const LEASE_MS = 5_000

async function pass(world: World, ms: number, ...nodes: readonly PolicyService[]): Promise<void> {
  world.clock.ms += ms
  for (const node of nodes) await node.trunks.work()
}

test('each host is asked by one node at its interval', async () => {
  const hosts = [
    { host: '192.0.2.9', port: 5060 },
    { host: 'sip.carrier.test', transport: 'tls' },
  ]
  const world = await trunkWorld(trunkDocument({ ...SPEC, hosts }), trunkDocument({}, 'unprobed'))
  const nodes = [world.node(), world.node()]
  const edges = nodes.map((node, i) => new FakeEdge(node, `edge-${i}.1`))
  const take = () => edges.flatMap(({ asked }) => asked.splice(0))
  await Promise.all(nodes.map((node) => node.trunks.work()))
  const asked = take()
  expect(asked.map(({ requestUri }) => requestUri).sort()).toEqual([
    'sip:192.0.2.9:5060;transport=udp',
    'sip:sip.carrier.test;transport=tls',
  ])
  expect(asked[0]).toMatchObject({ method: 'OPTIONS', timeoutMs: 2_000, cseq: 1 })
  for (const one of asked) await tellSent(nodes[1] as PolicyService, one, { status: 200, tookMs: 12 })
  await pass(world, 26_000, ...nodes)
  expect(take()).toEqual([])
  await pass(world, 8_000, ...nodes)
  expect(take()).toHaveLength(2)
  const { hosts: told } = await statusOf(nodes[0] as PolicyService)
  expect(told).toMatchObject([{ breaker: 'closed', probe: { good: true, status: 200, tookMs: 12 } }, {}])
})

test('another edge is asked where one says nothing: that is not the trunk', async () => {
  const world = await trunkWorld(trunkDocument(SPEC))
  const node = world.node()
  const edges = ['edge-0.1', 'edge-1.1'].map((peer) => new FakeEdge(node, peer))
  const at = () => edges.findIndex(({ asked }) => asked.splice(0).length > 0)
  await node.trunks.work()
  const first = at()
  await pass(world, LEASE_MS, node)
  expect(at()).toBe(1 - first)
  await node.trunks.board.look('carrier')
  expect((await statusOf(node)).hosts).toMatchObject([{ breaker: 'closed', failures: 0 }])
})

test('failed probes open the breaker, sooner than at the interval; a good one closes it once it may', async () => {
  const world = await trunkWorld(trunkDocument(SPEC))
  const [node, other] = [world.node(), world.node()]
  const edge = new FakeEdge(node)
  await node.trunks.work()
  await tellSent(node, edge.take(), { status: 0 })
  await pass(world, 5_000, node)
  await tellSent(node, edge.take(), { status: 503 })
  await other.trunks.board.poll()
  expect(other.trunks.board.facts('carrier')).toMatchObject({ open: true })
  await pass(world, 10_100, node)
  // Half open, and still left alone: the probe decides.
  await other.trunks.board.look('carrier')
  expect(other.trunks.board.facts('carrier')).toMatchObject({ open: true, trialHosts: new Set() })
  await tellSent(node, edge.take(), { status: 0 })
  await other.trunks.board.poll()
  expect((await statusOf(other)).hosts).toMatchObject([{ breaker: 'open' }])
  await pass(world, 10_100, node)
  await tellSent(node, edge.take(), { status: 404 })
  await other.trunks.board.poll()
  expect(other.trunks.board.facts('carrier')).toMatchObject({ open: false })
  expect(node.counts.trunkProbesFailed).toBe(3)
})

test('calls open the breaker, and the probe that closes it is sent when it may be', async () => {
  const world = await trunkWorld(trunkDocument(SPEC))
  const node = world.node()
  const edge = new FakeEdge(node)
  await node.trunks.work()
  await tellSent(node, edge.take(), { status: 200 })
  for (let i = 0; i < 3; i++) await endAt(node, { status: 503 }, { host: HOST })
  expect(node.trunks.board.facts('carrier')).toMatchObject({ open: true })
  await pass(world, 10_100, node)
  await tellSent(node, edge.take(), { status: 200 })
  expect(node.trunks.board.facts('carrier')).toMatchObject({ open: false })
})
