// SPDX-License-Identifier: MIT
// Whole calls through the cluster in memory. Not tested here: what each handler does in detail, which is beside it.
import { headerValues, startLine } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import {
  ACCOUNTED_DOMAIN,
  createMemoryCluster,
  type MemoryCluster,
  type MemoryClusterOptions,
} from './memory-cluster.ts'
import { MemoryPhone } from './phone.ts'

let cluster: MemoryCluster
afterEach(() => cluster.close())

async function open(options: MemoryClusterOptions = {}) {
  cluster = await createMemoryCluster(options)
  const edges = cluster.edges.map(({ endpoint }) => ({ address: endpoint.address, port: endpoint.port }))
  const server = edges[0] as { address: string; port: number }
  const alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, server)
  const bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.30', 5060, edges.at(-1) ?? server)
  bob.register('tandem.test')
  alice.register('tandem.test')
  await cluster.settle()
  return { alice, bob }
}

/** INVITE, 180, 200, ACK, BYE, 200. */
async function call(alice: MemoryPhone, bob: MemoryPhone): Promise<void> {
  const ends = { from: '<sip:alice@tandem.test>;tag=a', to: '<sip:bob@tandem.test>', callId: 'c1' }
  alice.send(alice.request('INVITE', { ...ends, uri: 'sip:bob@tandem.test', contact: alice.contact }))
  await cluster.settle()
  const invite = bob.last()
  bob.answer(invite, 180)
  bob.answer(invite, 200)
  await cluster.settle()
  const ok = alice.last()
  const inDialog = {
    ...ends,
    to: headerValues(ok, 'to')[0] ?? '',
    uri: 'sip:bob@192.0.2.30:5060',
    headers: alice.routesOf(ok, true),
  }
  alice.send(alice.request('ACK', inDialog))
  await cluster.settle()
  await cluster.advance(3000)
  alice.send(alice.request('BYE', { ...inDialog, cseq: 2 }))
  await cluster.settle()
  bob.answer(bob.last(), 200)
  await cluster.settle()
}

describe('a cluster in memory', () => {
  it.each([1, 2])('carries a call with %i edges, each phone at an edge of its own', async (edgeCount) => {
    const { alice, bob } = await open({ edgeCount })
    await call(alice, bob)
    expect(alice.inbox.map((text) => startLine(text))).toEqual([
      'SIP/2.0 200 OK',
      'SIP/2.0 100 Trying',
      'SIP/2.0 180 Test',
      'SIP/2.0 200 Test',
      'SIP/2.0 200 Test',
    ])
    const requests = bob.inbox.filter((text) => !text.startsWith('SIP/2.0')).map((text) => text.split(' ')[0])
    expect(requests).toEqual(['INVITE', 'ACK', 'BYE'])
    expect(cluster.problems).toEqual([])
  })

  it('leaves one record for it', async () => {
    const { alice, bob } = await open({ resources: ACCOUNTED_DOMAIN })
    await call(alice, bob)
    expect(cluster.store.counts()).toMatchObject({ recordCount: 1, finishedCallCount: 1, callCount: 0 })
  })

  it('gives the parameters of a Contact back so that they cannot be taken for another Contact', async () => {
    const { bob } = await open()
    const params = ';+sip.instance="<urn:uuid:0001>";note="a, <sip:eve@192.0.2.66>";flag'
    bob.send(
      bob.request('REGISTER', { uri: 'sip:tandem.test', to: '<sip:bob@tandem.test>', contact: bob.contact + params }),
    )
    await cluster.settle()
    expect(headerValues(bob.last(), 'contact')).toEqual([`${bob.contact};expires=3600${params}`])
  })

  it('has no transaction left once their timers have run', async () => {
    const { alice, bob } = await open()
    await call(alice, bob)
    await cluster.advance(70_000, 500)
    const { layer, proxy } = cluster.edge.core
    expect([layer.serverCount, layer.clientCount, proxy.inProgress, layer.keptBytes]).toEqual([0, 0, 0, 0])
  })
})
