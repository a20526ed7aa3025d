// SPDX-License-Identifier: MIT
//
// The service's side: bounds, draining, hostile bytes, unary methods, health. The callers' promises are in the contracts.
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { counter, deferred, located, locateRequest, plainHandlers, turn, whenReady } from './contract-kit.ts'
import { HealthCheckResponse_ServingStatus, HealthService } from './gen/grpc/health/v1/health.ts'
import type { LocateResponse, Push } from './gen/tandem/location/v1/location.ts'
import { done, type Result, refused, unknown } from './result.ts'
import { createRpcServer } from './rpc-server.ts'
import { type LocationHandlers, type ServeOptions, serveHealth, serveLocation } from './serve.ts'
import { locationService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'
import { createUnaryCaller } from './unary-caller.ts'

const LONG_MS = 10_000
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function serve(replace: Partial<LocationHandlers> = {}, options: ServeOptions<Push> = {}) {
  const bugs: string[] = []
  const server = createRpcServer({ onBug: (_error, where) => bugs.push(where) })
  const served = serveLocation(server, plainHandlers(replace), options)
  let healthy = true
  serveHealth(server, () => healthy)
  const address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  closers.push(() => server.close(0))
  const setHealthy = (now: boolean) => {
    healthy = now
  }
  return { server, served, address, bugs, setHealthy }
}

function connect(address: string) {
  const caller = createStreamCaller(locationService, [address], { peer: 'edge-1.a', backoffMaxMs: 50 })
  closers.push(() => caller.close())
  return caller
}

function unary(address: string) {
  const caller = createUnaryCaller(locationService, address, { peer: 'admin' })
  closers.push(() => caller.close())
  return caller
}

describe('a served stream', () => {
  it('stops reading at the bound of items in progress, and answers all in the end', async () => {
    const { promise, resolve } = deferred<void>()
    const locate: LocationHandlers['locate'] = ({ aor }) => promise.then(() => located(aor))
    const { served, address } = await serve({ locate }, { maxInProgressPerStream: 128 })
    const caller = connect(address)
    await whenReady(caller)
    const ended = counter(5_000)
    for (let i = 0; i < 5_000; i++) caller.call('locate', locateRequest('sip:a@x'), LONG_MS, ended.hit)
    while (served.counts.pauses === 0) await turn()
    for (let i = 0; i < 50; i++) await turn()
    expect(served.counts.inProgress).toBeLessThanOrEqual(128 + 64)
    resolve()
    await ended.reached
    expect(caller.counts.unknown).toBe(0)
    expect(served.counts).toMatchObject({ items: 5_000, inProgress: 0 })
  })

  it('sends no result to a caller whose time is over, and counts it', async () => {
    const { promise, resolve } = deferred<Result<LocateResponse>>()
    const arrived = counter(1)
    const locate = () => {
      arrived.hit()
      return promise
    }
    const { served, address } = await serve({ locate })
    const caller = connect(address)
    await whenReady(caller)
    const timedOut = caller.invoke('locate', locateRequest('sip:a@x'), 500)
    await arrived.reached
    expect(await timedOut).toMatchObject({ outcome: 'unknown' })
    resolve(located('sip:a@x'))
    await caller.invoke('leaveEdge', { edgeId: 'x' }, LONG_MS)
    expect(served.counts).toMatchObject({ late: 1, inProgress: 0 })
  })

  it('answers what is in progress before it closes', async () => {
    const { promise, resolve } = deferred<Result<LocateResponse>>()
    const arrived = counter(1)
    const locate = () => {
      arrived.hit()
      return promise
    }
    const { server, address } = await serve({ locate })
    const caller = connect(address)
    const held = caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)
    await arrived.reached
    const closed = server.close(LONG_MS)
    await turn()
    resolve(located('sip:a@x'))
    expect(await held).toEqual(located('sip:a@x'))
    await closed
    await whenReady(caller, false)
  })

  it('ends a stream of bytes that are no message, and serves the others', async () => {
    const { address, served } = await serve()
    const caller = connect(address)
    await whenReady(caller)
    const client = new Client(address, credentials.createInsecure())
    closers.push(() => client.close())
    const same = (bytes: Buffer) => bytes
    const stream = client.makeBidiStreamRequest(locationService.streamPath, same, same, new Metadata())
    const failed = deferred<number>()
    stream.on('error', (error: Error & { code: number }) => failed.resolve(error.code))
    stream.resume()
    stream.write(Buffer.from([0x0a, 0x7f, 0x08, 0xff]))
    expect(await failed.promise).toBeGreaterThan(0)
    while (served.counts.streams > 1) await turn()
    expect(await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).toEqual(located('sip:a@x'))
  })

  it('refuses an item of a kind that it does not know', async () => {
    const { address } = await serve()
    const client = new Client(address, credentials.createInsecure())
    closers.push(() => client.close())
    const { request, response } = locationService
    const stream = client.makeBidiStreamRequest(
      locationService.streamPath,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => response.decode(bytes),
      new Metadata(),
    )
    const answered = deferred<unknown>()
    stream.on('error', () => undefined)
    stream.on('data', answered.resolve)
    const item = { id: 5, msLeft: 1_000, traceparent: '', request: undefined }
    stream.write(Buffer.from(request.encode({ items: [item], keepTraces: '' }).finish()))
    expect(await answered.promise).toMatchObject({ results: [{ id: 5, refused: { code: 'unknown_method' } }] })
    stream.cancel()
  })

  it('says which address and port it cannot listen on', async () => {
    const { address } = await serve()
    const port = Number(address.split(':')[1])
    await expect(createRpcServer().listen('127.0.0.1', port)).rejects.toThrow(`gRPC cannot listen on 127.0.0.1:${port}`)
  })
})

describe('unary methods', () => {
  it('go to the handlers of the stream and of admin', async () => {
    const { address } = await serve()
    const caller = unary(address)
    expect(await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).toEqual(located('sip:a@x'))
    expect(await caller.invoke('listEdges', {}, LONG_MS)).toEqual(done({ edges: { revision: 1n, edges: [] } }))
    expect(caller.ready).toBe(true)
  })

  it('carry refusal, unknown and timeout', async () => {
    const refusal = refused('store_away', 503, 'the store is away', { retryAfterS: 5 })
    const answers: Record<string, () => Result<LocateResponse> | Promise<Result<LocateResponse>>> = {
      refused: () => refusal,
      unknown: () => unknown('store away'),
      throws: () => {
        throw new Error('a bug')
      },
      never: () => new Promise(() => undefined),
    }
    const { address, bugs } = await serve({ locate: ({ aor }) => answers[aor]?.() ?? located(aor) })
    const caller = unary(address)
    const ask = (aor: string, ms = LONG_MS) => caller.invoke('locate', locateRequest(aor), ms)
    expect(await ask('refused')).toEqual(refusal)
    expect(await ask('unknown')).toMatchObject({ outcome: 'unknown', detail: expect.stringContaining('store away') })
    expect(await ask('throws')).toMatchObject({ outcome: 'unknown' })
    expect(bugs).toEqual(['handler of locate'])
    expect(await ask('never', 60)).toMatchObject({ detail: expect.stringMatching(/^timeout: /) })
  })

  it('end as unknown when nobody listens, and when the caller closes', async () => {
    const caller = unary('127.0.0.1:1')
    expect(await caller.invoke('listEdges', {}, LONG_MS)).toMatchObject({ outcome: 'unknown' })
    await caller.close()
    expect(await caller.invoke('listEdges', {}, LONG_MS)).toMatchObject({ detail: expect.stringMatching(/^closed: /) })
  })
})

describe('health', () => {
  it('answers grpc.health.v1 Check', async () => {
    const { address, setHealthy } = await serve()
    const client = new Client(address, credentials.createInsecure())
    closers.push(() => client.close())
    const { path, requestSerialize, responseDeserialize } = HealthService.check
    const check = () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: '' }, (error, value) =>
          error === null ? resolve(value?.status) : reject(error),
        )
      })
    expect(await check()).toBe(HealthCheckResponse_ServingStatus.SERVING)
    setHealthy(false)
    expect(await check()).toBe(HealthCheckResponse_ServingStatus.NOT_SERVING)
  })
})
