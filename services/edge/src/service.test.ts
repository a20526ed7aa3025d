// SPDX-License-Identifier: MIT
// The order in which an edge starts and stops, on real sockets: its ports toward the world are open only while the cluster knows it.
// Does not test: what it does with messages; whole processes (test/e2e, test/chaos).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { LocationMethods, location, PolicyMethods, policy } from '@tandem/rpc'
import { createLogger } from '@tandem/service-kit'
import { freePortRange, waitUntil } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEdgeService, type EdgeService } from './service.ts'
import { callerOf, ManualService, testConfig } from './testing.ts'

const HOST = '127.0.0.1'
let places: ManualService
let edge: EdgeService
let port: number

beforeEach(async () => {
  places = new ManualService()
  port = await freePortRange(8, 1)
  const config = testConfig({
    'edge.bindAddress': HOST,
    'edge.basePort': port,
    'edge.warmUpCalls': 0,
    'edge.listeners.tls': false,
    'edge.listeners.ws': false,
    'edge.listeners.wss': false,
    'shutdown.drainMs': 1,
  })
  edge = createEdgeService({
    config,
    location: callerOf<LocationMethods, location.Push>(places),
    policy: callerOf<PolicyMethods, policy.Push>(new ManualService()),
    logger: createLogger({ level: 'silent', service: 'test' }),
  })
})

afterEach(async () => {
  places.defaults.set('leaveEdge', {})
  await edge.stop()
})

/** Whether nobody has the UDP port. */
async function isFree(): Promise<boolean> {
  const socket = createSocket('udp4')
  const bound = once(socket, 'listening').then(
    () => true,
    () => false,
  )
  socket.bind({ port, address: HOST, exclusive: true })
  return bound.finally(() => socket.close())
}

const asked = (method: string): Promise<void> =>
  waitUntil(`a question: ${method}`, () => places.waiting().includes(method), 5_000)

const join = async (): Promise<void> => {
  await asked('leaseEdge')
  places.take('leaseEdge').answer({ edges: undefined })
}

test('joins first, and opens what faces the world last', async () => {
  const started = edge.start()
  await asked('leaseEdge')
  expect([await isFree(), edge.ready()]).toEqual([true, false])
  await join()
  await started
  expect(await isFree()).toBe(false)
  await waitUntil('an answer at its own ports', () => edge.ready(), 5_000)
})

test('leaves the port first, and the cluster after it', async () => {
  const started = edge.start()
  await join()
  await started
  const stopped = edge.stop()
  await asked('leaveEdge')
  expect([await isFree(), edge.ready()]).toEqual([true, false])
  places.take('leaveEdge').answer({})
  await stopped
})

test('a port that is taken: a sentence with the port and its setting, and the cluster is left', async () => {
  const holder = createSocket('udp4')
  holder.bind({ port, address: HOST, exclusive: true })
  await once(holder, 'listening')
  places.defaults.set('leaveEdge', {})
  try {
    const started = edge.start()
    await join()
    await expect(started).rejects.toThrow(new RegExp(`\\b${port}\\b.*edge.basePort`))
    expect(edge.ready()).toBe(false)
  } finally {
    holder.close()
  }
})
