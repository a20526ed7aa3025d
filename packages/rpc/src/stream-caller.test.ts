// SPDX-License-Identifier: MIT
//
// What the contract can't see: sizes of batches, replicas that come and go, a request that does not fit, back-off.
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { backoffMs } from './channel.ts'
import { counter, deferred, located, locateRequest, plainHandlers, turn, whenReady } from './contract-kit.ts'
import { BeginCallRequest, type LocateResponse, type Push } from './gen/tandem/location/v1/location.ts'
import { done, type Result } from './result.ts'
import { createRpcServer } from './rpc-server.ts'
import { type LocationHandlers, type ServeOptions, serveLocation } from './serve.ts'
import { locationService } from './service.ts'
import { type Addresses, createStreamCaller, headlessAddresses } from './stream-caller.ts'

const LONG_MS = 10_000
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const serve = (handlers?: LocationHandlers, options?: ServeOptions<Push>) => serveAt(0, handlers, options)

async function serveAt(at: number, handlers = plainHandlers(), options: ServeOptions<Push> = {}) {
  const server = createRpcServer()
  const served = serveLocation(server, handlers, options)
  const port = await server.listen('127.0.0.1', at)
  closers.push(() => server.close(0))
  return { server, served, address: `127.0.0.1:${port}` }
}

function connect(addresses: Addresses, options: Partial<Parameters<typeof createStreamCaller>[2]> = {}) {
  const caller = createStreamCaller(locationService, addresses, { peer: 'edge-1.a', backoffMaxMs: 50, ...options })
  closers.push(() => caller.close())
  return caller
}

describe('stream caller', () => {
  it('sends a turn of 640 calls in ten messages', async () => {
    const { served, address } = await serve()
    const caller = connect([address])
    await whenReady(caller)
    const ended = counter(640)
    for (let i = 0; i < 640; i++) caller.call('locate', locateRequest('sip:a@x'), LONG_MS, ended.hit)
    await ended.reached
    expect(caller.counts.batches).toBe(10)
    expect(served.counts).toMatchObject({ items: 640, inProgress: 0, streams: 1 })
    expect(served.counts.batches).toBeLessThanOrEqual(10)
  })

  it('sends to the replica that has the fewest calls in flight', async () => {
    const arrived = counter(10)
    const locate = () => {
      arrived.hit()
      return new Promise<Result<LocateResponse>>(() => undefined)
    }
    const replicas = [await serve(plainHandlers({ locate })), await serve(plainHandlers({ locate }))]
    const addresses = replicas.map(({ address }) => address)
    const caller = connect(addresses, { maxBatchItems: 1, batchWindowMs: 0 })
    while (replicas.some(({ served }) => served.counts.streams === 0)) await turn()
    await caller.invoke('leaveEdge', { edgeId: 'x' }, LONG_MS)
    for (let i = 0; i < 10; i++) caller.call('locate', locateRequest('sip:a@x'), LONG_MS, () => undefined)
    await arrived.reached
    expect(replicas.map(({ served }) => served.counts.inProgress)).toEqual([5, 5])
  })

  describe('when a replica dies with a call in flight', () => {
    /** The one that is asked first holds the call, and is killed. */
    async function killUnder(method: 'locate' | 'beginCall' | 'adoptCall', isAlone = false) {
      const asked: number[] = []
      const replica = (index: number) => {
        const hold = () => {
          asked.push(index)
          if (asked.length === 1) return new Promise<never>(() => undefined)
          return method === 'beginCall'
            ? (done({ created: false, owner: 'e', epoch: 1 }) as never)
            : located('sip:held@x')
        }
        return serve({ ...plainHandlers({ locate: hold }), beginCall: hold as never, adoptCall: hold as never })
      }
      const replicas = await Promise.all((isAlone ? [0] : [0, 1]).map(replica))
      const caller = connect(replicas.map(({ address }) => address))
      while (replicas.some(({ served }) => served.counts.streams === 0)) await turn()
      await whenReady(caller)
      const request =
        method === 'locate'
          ? locateRequest('sip:held@x')
          : { ...BeginCallRequest.fromPartial({ transactionKey: 'k', owner: 'e' }), epoch: 1, newOwner: 'f' }
      const held = caller.invoke(method, request as never, LONG_MS)
      while (asked.length === 0) await turn()
      await replicas[asked[0] ?? 0]?.server.close(0)
      return { result: await held, asked, caller }
    }

    it('asks the other one, once, where a repeat does no harm', async () => {
      const { result, asked, caller } = await killUnder('locate')
      expect(result).toEqual(located('sip:held@x'))
      expect(asked.toSorted()).toEqual([0, 1])
      expect(caller.counts).toMatchObject({ repeated: 1, unknown: 0, inFlight: 0, queued: 0 })
    })

    it('a call that begins finds its place in the directory through the other one', async () => {
      const { result, asked } = await killUnder('beginCall')
      expect([result.outcome, asked.toSorted()]).toEqual(['done', [0, 1]])
    })

    it.each([
      { what: 'a method that may not be repeated', method: 'adoptCall', isAlone: false },
      { what: 'no other one', method: 'locate', isAlone: true },
    ] as const)('ends it as unknown: $what', async ({ method, isAlone }) => {
      const { result, asked, caller } = await killUnder(method, isAlone)
      expect(result).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^stream_broken: /) })
      expect(asked).toHaveLength(1)
      expect(caller.counts).toMatchObject({ repeated: 0, unknown: 1, inFlight: 0, queued: 0 })
    })
  })

  it('follows replicas that join and leave, and lets a leaving one answer', async () => {
    const { promise, resolve } = deferred<Result<LocateResponse>>()
    const arrived = counter(1)
    const locate = () => {
      arrived.hit()
      return promise
    }
    const [first, second] = [await serve(plainHandlers({ locate })), await serve()]
    let addresses = [first.address]
    const caller = connect(async () => addresses, { resolveIntervalMs: 5 })
    const held = caller.invoke('locate', locateRequest('sip:held@x'), LONG_MS)
    await arrived.reached
    addresses = [second.address]
    while (second.served.counts.streams === 0) await turn()
    expect(await caller.invoke('locate', locateRequest('sip:new@x'), LONG_MS)).toEqual(located('sip:new@x'))
    resolve(located('sip:held@x'))
    expect(await held).toEqual(located('sip:held@x'))
    while (first.served.counts.streams > 0) await turn()
    addresses = []
    await turn()
    expect(caller.ready).toBe(true)
  })

  describe('when a replica goes', () => {
    const SLOW_BACKOFF = { backoffMinMs: 60_000, backoffMaxMs: 60_000, random: () => 0.999 }

    /** Calls again and again until `over`; what came of each. */
    async function outcomes(caller: ReturnType<typeof connect>, over: Promise<unknown>) {
      const found = { done: 0, other: 0 }
      let isOver = false
      const end = over.then(() => {
        isOver = true
      })
      while (!isOver) {
        const { outcome } = await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)
        found[outcome === 'done' ? 'done' : 'other']++
        await turn()
      }
      await end
      return found
    }

    it('goes to another one that is there, at once, and loses no call', async () => {
      const replicas = [await serve(), await serve()]
      const caller = connect(replicas.map(({ address }) => address))
      while (replicas.some(({ served }) => served.counts.streams === 0)) await turn()
      await whenReady(caller)
      const [going, staying] = replicas
      const found = await outcomes(caller, going?.server.handOver(LONG_MS) as Promise<void>)
      expect(going?.served.counts.streams).toBe(0)
      await going?.server.close(0)
      expect((await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).outcome).toBe('done')
      expect(staying?.served.counts.streams).toBe(1)
      expect(found.other).toBe(0)
    })

    it('finds one that has just come, though its next attempt there were a minute away', async () => {
      const [going, later] = [await serve(), await serve()]
      const { port } = new URL(`http://${later.address}`)
      await later.server.close(0)
      const caller = connect([going.address, later.address], SLOW_BACKOFF)
      await whenReady(caller)
      await turn()
      const { server, served } = await serveAt(Number(port))
      const found = await outcomes(caller, going.server.handOver(LONG_MS))
      await going.server.close(0)
      expect(served.counts.streams).toBe(1)
      expect(found.other).toBe(0)
      expect((await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).outcome).toBe('done')
      await server.close(0)
    })

    it('asks for the addresses anew', async () => {
      const [going, later] = [await serve(), await serve()]
      let addresses = [going.address]
      const caller = connect(async () => addresses, { resolveIntervalMs: 60_000 })
      await whenReady(caller)
      addresses = [going.address, later.address]
      await going.server.handOver(LONG_MS)
      expect([going.served.counts.streams, later.served.counts.streams]).toEqual([0, 1])
    })

    it('is answered by it to the last where there is no other; nobody new is let in', async () => {
      const { server, served, address } = await serve()
      const caller = connect([address])
      await whenReady(caller)
      const over = server.handOver(300)
      const other = connect([address], { peer: 'edge-2.a' })
      const found = await outcomes(caller, over)
      expect(found.done).toBeGreaterThan(10)
      expect(found.other).toBe(0)
      expect([served.counts.streams, other.ready]).toEqual([1, false])
    })

    it('answers what was in flight before the stream ends', async () => {
      const { promise, resolve } = deferred<Result<LocateResponse>>()
      const arrived = counter(1)
      const locate = () => {
        arrived.hit()
        return promise
      }
      const [going, staying] = [await serve(plainHandlers({ locate })), await serve()]
      let addresses = [going.address]
      const caller = connect(async () => addresses, { resolveIntervalMs: 60_000 })
      const held = caller.invoke('locate', locateRequest('sip:held@x'), LONG_MS)
      await arrived.reached
      addresses = [going.address, staying.address]
      const over = going.server.handOver(LONG_MS)
      while (staying.served.counts.streams === 0) await turn()
      resolve(located('sip:held@x'))
      await over
      expect(await held).toEqual(located('sip:held@x'))
      expect(caller.counts).toMatchObject({ repeated: 0, unknown: 0, inFlight: 0 })
    })
  })

  it('refuses a request that is too large or malformed, and goes on', async () => {
    const { address } = await serve()
    const bugs: string[] = []
    const caller = connect([address], { onBug: (_error, where) => bugs.push(where) })
    const large = BeginCallRequest.fromPartial({ invite: Buffer.alloc(3_000_000) })
    expect(await caller.invoke('beginCall', large, LONG_MS)).toMatchObject({ refusal: { code: 'item_too_large' } })
    const malformed = BeginCallRequest.fromPartial({ step: -1 })
    expect(await caller.invoke('beginCall', malformed, LONG_MS)).toMatchObject({ refusal: { code: 'bad_request' } })
    expect(bugs).toEqual(['request of beginCall'])
    expect(await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).toEqual(located('sip:a@x'))
  })

  it('resolves a name to all of its addresses', async () => {
    const addresses = await headlessAddresses('localhost', 50051)()
    expect(addresses.length).toBeGreaterThan(0)
    for (const address of addresses) expect(address).toMatch(/^(127\.0\.0\.1|\[::1\]):50051$/)
  })

  it('backs off below an exponential step, and never above the maximum', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.nat(2_000), unit, (attempt, random) => {
        const ms = backoffMs(attempt, 50, 5_000, () => random)
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(Math.min(5_000, 50 * 2 ** Math.min(attempt, 20)))
      }),
    )
  })
})
