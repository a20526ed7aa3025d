// SPDX-License-Identifier: MIT
//
// What every binding of Caller promises, as tests: run on in-process, in-process encoded and gRPC over loopback.
// Not tested here: reconnecting (remote-contract.ts), sizes of batches (stream-caller.test.ts), the clock's resolution.
import { afterEach, describe, expect, it } from 'vitest'
import {
  type BindingSetup,
  counter,
  deferred,
  located,
  locateRequest,
  plainHandlers,
  type TestBinding,
  turn,
  whenReady,
} from './contract-kit.ts'
import { BeginCallRequest, type LocateResponse, type Push } from './gen/tandem/location/v1/location.ts'
import { PushHub } from './push-hub.ts'
import { type Result, refused, unknown } from './result.ts'

export type MakeBinding = (setup: BindingSetup) => Promise<TestBinding>

const LONG_MS = 10_000

interface Running extends TestBinding {
  pushes: PushHub<Push>
  bugs: string[]
}

/** @param make gives a fresh binding whose service runs the handlers of the setup */
export function runCallerContract(name: string, make: MakeBinding): void {
  const open: TestBinding[] = []

  async function start(setup: Partial<BindingSetup> = {}): Promise<Running> {
    const pushes = new PushHub<Push>()
    const bugs: string[] = []
    const onBug = (_error: unknown, where: string) => bugs.push(where)
    const binding = await make({ handlers: plainHandlers(), pushes, peer: 'edge-1.a', onBug, ...setup })
    open.push(binding)
    await whenReady(binding.caller)
    return { ...binding, pushes, bugs }
  }

  afterEach(async () => {
    for (const binding of open.splice(0)) await binding.stop()
  })

  describe(`caller contract: ${name}`, () => {
    it('MUST deliver the value of a call that is done', async () => {
      const { caller } = await start()
      expect(await caller.invoke('locate', locateRequest('sip:bob@a'), LONG_MS)).toEqual(located('sip:bob@a'))
      expect(caller.counts).toMatchObject({ items: 1, refused: 0, unknown: 0, inFlight: 0, queued: 0 })
    })

    it('MUST deliver each result to its own call, in whatever order they come', async () => {
      const waiting: { aor: string; answer: (result: Result<LocateResponse>) => void }[] = []
      const arrived = counter(3)
      const locate = ({ aor }: { aor: string }) => {
        const { promise, resolve } = deferred<Result<LocateResponse>>()
        waiting.push({ aor, answer: resolve })
        arrived.hit()
        return promise
      }
      const { caller } = await start({ handlers: plainHandlers({ locate }) })
      const order: string[] = []
      const ask = async (aor: string) => {
        const result = await caller.invoke('locate', locateRequest(aor), LONG_MS)
        order.push(aor)
        expect(result).toEqual(located(aor))
      }
      const all = [ask('sip:a@x'), ask('sip:b@x'), ask('sip:c@x')]
      await arrived.reached
      for (const { aor, answer } of waiting.reverse()) {
        answer(located(aor))
        await turn()
      }
      await Promise.all(all)
      expect(order).toEqual(['sip:c@x', 'sip:b@x', 'sip:a@x'])
    })

    it('MUST pass a refusal on with all its fields', async () => {
      const refusal = refused('expires_too_brief', 423, 'ask for a minute', { minExpiresS: 60, retryAfterS: 5 })
      const { caller } = await start({ handlers: plainHandlers({ locate: () => refusal }) })
      expect(await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)).toEqual(refusal)
      expect(caller.counts.refused).toBe(1)
    })

    it('MUST end as unknown what the service could not tell', async () => {
      const { caller } = await start({ handlers: plainHandlers({ locate: async () => unknown('store away') }) })
      const result = await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)
      expect(result.outcome).toBe('unknown')
      expect(caller.counts.unknown).toBe(1)
    })

    it('MUST end as unknown after the timeout, once, also when the answer comes later', async () => {
      const { promise, resolve } = deferred<Result<LocateResponse>>()
      const { caller } = await start({ handlers: plainHandlers({ locate: () => promise }) })
      const results: Result<LocateResponse>[] = []
      const ended = counter(1)
      const began = performance.now()
      caller.call('locate', locateRequest('sip:a@x'), 60, (result) => {
        results.push(result)
        ended.hit()
      })
      await ended.reached
      expect(performance.now() - began).toBeGreaterThanOrEqual(60)
      resolve(located('sip:a@x'))
      await caller.invoke('leaveEdge', { edgeId: 'x' }, LONG_MS)
      expect(results).toHaveLength(1)
      expect(results[0]).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^timeout: /) })
      expect(caller.counts.inFlight).toBe(0)
    })

    it('MUST tell the handler the time left and who asks', async () => {
      const seen: { msLeft: number; peer: string }[] = []
      const locate: ReturnType<typeof plainHandlers>['locate'] = ({ aor }, context) => {
        seen.push({ ...context })
        return located(aor)
      }
      const { caller } = await start({ handlers: plainHandlers({ locate }), peer: 'edge-7.q' })
      await caller.invoke('locate', locateRequest('sip:a@x'), 5_000)
      expect(seen).toHaveLength(1)
      expect(seen[0]?.peer).toBe('edge-7.q')
      expect(seen[0]?.msLeft).toBeGreaterThan(3_000)
      expect(seen[0]?.msLeft).toBeLessThanOrEqual(5_000)
    })

    it('MUST NOT call onResult inside call()', async () => {
      const { caller } = await start({ bound: 4 })
      const ended = counter(20)
      let inside = false
      let early = 0
      const ask = () => {
        inside = true
        caller.call('locate', locateRequest('sip:a@x'), LONG_MS, () => {
          if (inside) early++
          ended.hit()
        })
        inside = false
      }
      for (let i = 0; i < 10; i++) ask()
      await caller.close()
      for (let i = 0; i < 10; i++) ask()
      await ended.reached
      expect(early).toBe(0)
    })

    it('MUST end 10,000 calls of one turn, each exactly once', async () => {
      const { caller } = await start()
      const count = 10_000
      const hits = new Uint8Array(count)
      const ended = counter(count)
      let wrong = 0
      for (let i = 0; i < count; i++) {
        caller.call('locate', locateRequest(`sip:${i}@x`), LONG_MS, (result) => {
          hits[i] = (hits[i] as number) + 1
          if (result.outcome !== 'done' || result.value.bindings[0]?.uri !== `sip:${i}@x`) wrong++
          ended.hit()
        })
      }
      await ended.reached
      await turn()
      expect(wrong).toBe(0)
      expect(hits.every((n) => n === 1)).toBe(true)
      expect(caller.counts).toMatchObject({ items: count, inFlight: 0, queued: 0, unknown: 0 })
    })

    it('MUST hold no more calls than its bound: the others end as unknown at once', async () => {
      const never = new Promise<Result<LocateResponse>>(() => undefined)
      const { caller } = await start({ handlers: plainHandlers({ locate: () => never }), bound: 100 })
      const details: string[] = []
      const [overflow, all] = [counter(50), counter(150)]
      for (let i = 0; i < 150; i++) {
        caller.call('locate', locateRequest('sip:a@x'), 1_000, (result) => {
          if (result.outcome === 'unknown') details.push(result.detail.split(':')[0] ?? '')
          overflow.hit()
          all.hit()
        })
        if (i % 50 === 49) await turn()
      }
      await overflow.reached
      expect(caller.counts.inFlight + caller.counts.queued).toBeLessThanOrEqual(100)
      expect(details.slice(0, 50)).toEqual(new Array(50).fill('queue_full'))
      await all.reached
      expect(details.slice(50)).toEqual(new Array(100).fill('timeout'))
    })

    it('MUST carry a request of a megabyte, byte for byte', async () => {
      const invite = Buffer.alloc(1_048_576, 'x\u0000ä')
      let same = false
      const beginCall: ReturnType<typeof plainHandlers>['beginCall'] = (request) => {
        same = invite.equals(request.invite)
        return { outcome: 'done', value: { created: true, owner: request.owner, epoch: 7 } }
      }
      const { caller } = await start({ handlers: plainHandlers({ beginCall }) })
      const request = BeginCallRequest.fromPartial({ transactionKey: 'k', owner: 'o', invite })
      const result = await caller.invoke('beginCall', request, LONG_MS)
      expect(result).toEqual({ outcome: 'done', value: { created: true, owner: 'o', epoch: 7 } })
      expect(same).toBe(true)
    })

    it('MUST deliver pushes in order, to all and to one peer', async () => {
      const { caller, pushes } = await start({ peer: 'edge-2.b' })
      const revisions: bigint[] = []
      const got = counter(3)
      caller.onPush(({ event }) => {
        if (event?.$case === 'edges') revisions.push(event.value.revision)
        got.hit()
      })
      const edges = (revision: bigint): Push => ({ event: { $case: 'edges', value: { revision, edges: [] } } })
      expect(pushes.send(edges(1n))).toBe(1)
      expect(pushes.sendTo('edge-2.b', edges(2n))).toBe(true)
      expect(pushes.sendTo('edge-3.c', edges(9n))).toBe(false)
      pushes.send(edges(3n))
      expect(revisions).toEqual([])
      await got.reached
      expect(revisions).toEqual([1n, 2n, 3n])
    })

    it('MUST tell the service when a stream opens and when it closes', async () => {
      const events: string[] = []
      const closed = counter(1)
      const { caller } = await start({
        peer: 'edge-4.d',
        onStreamOpen: (peer) => events.push(`open ${peer}`),
        onStreamClose: (peer) => {
          events.push(`close ${peer}`)
          closed.hit()
        },
      })
      await caller.invoke('leaveEdge', { edgeId: 'x' }, LONG_MS)
      expect(events).toEqual(['open edge-4.d'])
      await caller.close()
      await closed.reached
      expect(events).toEqual(['open edge-4.d', 'close edge-4.d'])
    })

    it('MUST end as unknown what a failing handler leaves, and nothing else of its batch', async () => {
      const locate: ReturnType<typeof plainHandlers>['locate'] = ({ aor }) => {
        if (aor === 'throws') throw new Error('a bug')
        return aor === 'rejects' ? Promise.reject(new Error('a bug')) : located(aor)
      }
      const { caller, bugs } = await start({ handlers: plainHandlers({ locate }) })
      const aors = ['sip:a@x', 'throws', 'rejects', 'sip:b@x']
      const results = await Promise.all(aors.map((aor) => caller.invoke('locate', locateRequest(aor), LONG_MS)))
      expect(results.map(({ outcome }) => outcome)).toEqual(['done', 'unknown', 'unknown', 'done'])
      expect(bugs).toEqual(['handler of locate', 'handler of locate'])
    })

    it('MUST go on when a listener throws', async () => {
      const { caller, bugs } = await start()
      const ended = counter(2)
      for (let i = 0; i < 2; i++) {
        caller.call('locate', locateRequest('sip:a@x'), LONG_MS, () => {
          ended.hit()
          throw new Error('a bug')
        })
      }
      await ended.reached
      expect(await caller.invoke('leaveEdge', { edgeId: 'x' }, LONG_MS)).toEqual({ outcome: 'done', value: {} })
      expect(bugs).toEqual(['onResult of locate', 'onResult of locate'])
    })

    it('MUST end what is left as unknown when it is closed', async () => {
      const arrived = counter(1)
      const locate = () => {
        arrived.hit()
        return new Promise<Result<LocateResponse>>(() => undefined)
      }
      const { caller } = await start({ handlers: plainHandlers({ locate }) })
      const left = caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)
      await arrived.reached
      await caller.close()
      expect(await left).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^closed: /) })
      expect(caller.ready).toBe(false)
      const after = await caller.invoke('locate', locateRequest('sip:a@x'), LONG_MS)
      expect(after).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^closed: /) })
    })
  })
}
