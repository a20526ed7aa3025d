// SPDX-License-Identifier: MIT
// Two location nodes behind one edge, on one Redis, over gRPC: REGISTERs go to both, and one that dies under load costs nothing but a
// repetition. Each node knows at once what the other has stored.
import { createRpcServer, createStreamCaller, location, locationService, type Result, serveLocation } from '@tandem/rpc'
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { locationOn, openStore } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of several location nodes are skipped: ${server.reason}`)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function openNode(redis: RunningRedis) {
  const store = await openStore({ url: redis.url })
  const service = locationOn(store)
  const rpc = createRpcServer({ onBug: (error) => expect.unreachable(String(error)) })
  serveLocation(rpc, { ...service.handlers, ...service.unary }, { pushes: service.pushes, ...service.hooks })
  const port = await rpc.listen('127.0.0.1', 0)
  const die = async () => {
    await rpc.close(0)
    await store.close()
  }
  cleanups.push(die)
  return { service, place: `127.0.0.1:${port}`, die }
}

describe.skipIf(!server.available)('two location nodes on one Redis', () => {
  it('one dies under load: every REGISTER is stored, by a repetition at the most', async () => {
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    const nodes = [await openNode(redis), await openNode(redis)] as const
    const caller = createStreamCaller(locationService, async () => nodes.map(({ place }) => place), {
      peer: 'edge-0.a',
    })
    cleanups.push(() => caller.close())
    await waitUntil('a stream', () => caller.ready)
    const ask = (user: number): Promise<Result<location.RegisterResponse>> =>
      caller.invoke('register', registerOf(user), 2_000)
    const shared = () => nodes.every(({ service }) => service.counts.registers > 0)
    let users = 0
    await waitUntil('both nodes to be asked', async () => {
      await Promise.all(Array.from({ length: 300 }, () => ask(users++)))
      return shared()
    })
    const asked = Array.from({ length: 500 }, (_, i) => repeated(() => ask(users + i)))
    await nodes[0].die()
    const tries = await Promise.all(asked)
    expect(Math.max(...tries)).toBeLessThanOrEqual(3)
    const context = { msLeft: 2_000, peer: 'edge-0.a' }
    for (let user = 0; user < users + 500; user += 7) {
      const found = await nodes[1].service.handlers.locate({ aor: `sip:${user}@example.test` }, context)
      expect(found).toMatchObject({ value: { bindings: [{ uri: `sip:${user}@192.0.2.1` }] } })
    }
  }, 30_000)
})

/** As a phone does: the same REGISTER again, until it is acknowledged. How often it was sent. */
async function repeated(ask: () => Promise<Result<unknown>>): Promise<number> {
  for (let tries = 1; ; tries++) {
    const result = await ask()
    if (result.outcome === 'done' || tries === 10) return tries
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function registerOf(user: number): location.RegisterRequest {
  const contacts = [{ uri: `sip:${user}@192.0.2.1` }]
  return location.RegisterRequest.fromPartial({
    aor: `sip:${user}@example.test`,
    callId: `call ${user}`,
    cseq: 1,
    contacts,
  })
}
