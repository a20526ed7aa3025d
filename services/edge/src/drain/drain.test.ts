// SPDX-License-Identifier: MIT
// How an edge goes: who is refused, which connections are closed and when, how long it waits. Does not test: whole processes (test/ops,
// test/e2e/failures.test.ts).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { freePortRange, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it, test } from 'vitest'
import type { EdgeCore } from '../core.ts'
import { Facing } from '../listeners/facing.ts'
import { StreamPeer } from '../listeners/peers.ts'
import { createEdgeService } from '../service.ts'
import { callerOf, FakeConnection, ManualService, testConfig } from '../testing.ts'
import { ConnectionDrain } from './connection-drain.ts'
import { refusesNew } from './drain.ts'

const HOST = '127.0.0.1'
type Member = location.Edge

const member = (id: string, listeners: string[], draining = false): Member => ({
  ...{ id, name: id, incarnation: 'x', internalAddress: HOST, internalPort: 1, version: '' },
  listeners,
  draining,
})

const A = 'udp:192.0.2.1:5060'
const B = 'udp:192.0.2.2:5060'

describe('requests that begin something', () => {
  it.each<[string, Member[], boolean]>([
    ['others have addresses of their own', [member('me', [A]), member('b', [B])], true],
    ['another one has the same address', [member('me', [A]), member('b', [A])], false],
    ['the other one of this address goes too', [member('me', [A]), member('b', [A], true)], true],
    ['it is alone', [member('me', [A])], true],
    ['it is off the list', [member('b', [A])], true],
    ['without UDP, the same address', [member('me', ['tls:a:5061']), member('b', ['wss:a:1', 'tls:a:5061'])], false],
    ['without UDP, another address', [member('me', ['tls:a:5061']), member('b', ['tls:b:5061'])], true],
  ])('auto: %s', (_, edges, isRefused) => {
    const core = { config: testConfig(), edgeId: 'me', membership: { edges: () => edges } } as unknown as EdgeCore
    expect(refusesNew(core)).toBe(isRefused)
  })

  it.each([
    ['take', false],
    ['refuse', true],
  ])('%s, wherever others are', (newRequests, isRefused) => {
    for (const others of [[], [member('b', [A])], [member('b', [B])]]) {
      const membership = { edges: () => [member('me', [A]), ...others] }
      const config = testConfig({ 'edge.drain.newRequests': newRequests })
      expect(refusesNew({ config, edgeId: 'me', membership } as unknown as EdgeCore)).toBe(isRefused)
    }
  })
})

describe('[RFC5626-4.4] [RFC5626-4.5] connections', () => {
  const facing = new Facing({ transport: 'tcp', host: HOST, port: 5060, edgeHash: 1, internal: false })

  function drainOf(count: number, connectionsMs: number, busyServers: StreamPeer[] = []) {
    const all = Array.from({ length: count }, (_, k) => new FakeConnection(k + 1, '192.0.2.9', 1_000 + k, []))
    const peers = all.map((connection) => {
      const peer = new StreamPeer(connection as unknown as StreamPeer['connection'], facing)
      connection.context = peer
      return peer
    })
    const core = {
      config: testConfig({ 'edge.drain.connectionsMs': connectionsMs, 'shutdown.drainMs': 60_000 }),
      layer: {
        eachUnansweredServer: (visit: (tx: unknown) => void) => {
          for (const peer of busyServers) visit({ peer })
        },
      },
    } as unknown as EdgeCore
    const arrivedConnections = () => all.filter(({ isOpen }) => isOpen) as unknown as StreamPeer['connection'][]
    const drain = new ConnectionDrain(core, { arrivedConnections }, 0)
    return { drain, peers, open: () => arrivedConnections().length }
  }

  it('are closed one after the other, over the time that is set', () => {
    const { drain, open } = drainOf(1_000, 5_000)
    const left = [0, 1_000, 2_500, 5_000].map((now) => [drain.close(now), open()])
    expect(left).toEqual([
      [false, 1_000],
      [false, 800],
      [false, 500],
      [false, 0],
    ])
    expect(drain.close(5_050)).toBe(true)
  })

  it('a few are closed at once', () => {
    const { drain, open } = drainOf(3, 5_000)
    drain.close(50)
    expect(open()).toBe(0)
  })

  it('stay while a request to them, or of theirs, has no answer', () => {
    const waiting: StreamPeer[] = []
    const { drain, peers, open } = drainOf(3, 100, waiting)
    waiting.push(peers[0] as StreamPeer)
    peers[1]?.clients.add({} as never)
    drain.close(1_000)
    expect(open()).toBe(2)
    waiting.pop()
    drain.close(1_050)
    expect(open()).toBe(1)
    peers[1]?.clients.clear()
    drain.close(1_100)
    expect([open(), drain.close(1_150)]).toEqual([0, true])
  })
})

describe('an edge on real sockets', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  test('[RFC5626-4.4.2] lets STUN keep-alives go unanswered, closes connections, takes none, and comes to its end', async () => {
    const places = new ManualService()
    places.defaults.set('leaveEdge', {})
    places.defaults.set('leaseEdge', { edges: undefined })
    const port = await freePortRange(8, 1)
    const edge = createEdgeService({
      config: testConfig({
        'edge.bindAddress': HOST,
        'edge.basePort': port,
        'edge.warmUpCalls': 0,
        'shutdown.drainMs': 20_000,
      }),
      location: callerOf<LocationMethods, location.Push>(places),
      policy: callerOf<PolicyMethods, policy.Push>(new ManualService()),
      logger: createLogger({ level: 'silent', service: 'test' }),
    })
    cleanups.push(() => edge.stop())
    await edge.start()
    const udp = createSocket('udp4').bind(0, HOST)
    await once(udp, 'listening')
    cleanups.push(() => udp.close())
    let answers = 0
    udp.on('message', () => {
      answers += 1
    })
    const ping = Buffer.from('000100002112a442000102030405060708090a0b', 'hex')
    udp.send(ping, port, HOST)
    await waitUntil('an answer to STUN', () => answers === 1, 10_000)
    const phone = connect({ host: HOST, port })
    cleanups.push(() => phone.destroy())
    await once(phone, 'connect')
    phone.write('\r\n\r\n')
    await once(phone, 'data')
    const gone = once(phone, 'close')
    const drained = edge.drain()
    await gone
    await drained
    udp.send(ping, port, HOST)
    const late = connect({ host: HOST, port })
    const outcome = await once(late, 'connect').then(
      () => 'connected',
      (error: NodeJS.ErrnoException) => error.code,
    )
    expect([outcome, answers]).toEqual(['ECONNREFUSED', 1])
  })
})
