// SPDX-License-Identifier: MIT
//
// A location node that reads no more: the caller's write() returns false, its queue fills to its bound, what is beyond ends at once, and all
// goes on when the node does. The bound of the node itself is serve.test.ts's.
import { afterEach, expect, it } from 'vitest'
import { deferred, located, locateRequest, plainHandlers, turn, whenReady } from './contract-kit.ts'
import type { Result } from './result.ts'
import { createRpcServer } from './rpc-server.ts'
import { type LocationHandlers, serveLocation } from './serve.ts'
import { locationService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'

const MAX_QUEUE = 200
const CALLS = 4_000
const closers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it('a node that reads no more: a bounded queue, the others end as queue_full at once, and it goes on afterwards', async () => {
  const { promise: released, resolve: release } = deferred<void>()
  const locate: LocationHandlers['locate'] = ({ aor }) => released.then(() => located(aor))
  const server = createRpcServer()
  const served = serveLocation(server, plainHandlers({ locate }), { maxInProgressPerStream: 4 })
  const address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  closers.push(() => server.close(0))
  const caller = createStreamCaller(locationService, [address], { peer: 'edge-1.a', maxQueueItems: MAX_QUEUE })
  closers.push(() => caller.close())
  await whenReady(caller)

  const results: Result<unknown>[] = []
  const long = `sip:${'a'.repeat(2_000)}@x`
  let mostQueued = 0
  for (let k = 0; k < CALLS; k++) {
    caller.call('locate', locateRequest(long), 30_000, (result) => results.push(result))
    mostQueued = Math.max(mostQueued, caller.counts.queued)
    if (k % 50 === 0) await turn()
  }
  await turn()
  expect(served.counts.pauses).toBeGreaterThan(0)
  expect(mostQueued).toBeLessThanOrEqual(MAX_QUEUE)
  expect(caller.counts.inFlight).toBeLessThan(CALLS / 2) // HTTP/2 has taken what its windows hold, and no more
  const full = results.filter((result) => result.outcome === 'unknown' && result.detail.startsWith('queue_full'))
  expect(full.length).toBeGreaterThan(CALLS / 3)
  expect(full.length).toBe(results.length)

  release()
  while (results.length < CALLS) await turn()
  expect(results.filter(({ outcome }) => outcome === 'done').length).toBe(CALLS - full.length)
  expect(await caller.invoke('locate', locateRequest('sip:a@x'), 10_000)).toEqual(located('sip:a@x'))
})
