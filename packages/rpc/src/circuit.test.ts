// SPDX-License-Identifier: MIT
//
// A caller of policy whose nodes are dead, slow or lie: what it asks, whom, and how soon it gives up.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DecideRequest, type StreamRequest } from './gen/tandem/policy/v1/policy.ts'
import { planned, question, type RawStream, reply, serveRaw } from './raw-policy.ts'
import { policyService } from './service.ts'
import { createStreamCaller } from './stream-caller.ts'

const LONG_MS = 20_000
const CIRCUIT = { failures: 4, ratio: 0.5, windowMs: 10_000, openMs: 200, probes: 1, downMs: 300, hedgeShare: 0.5 }
type Items = StreamRequest['items']
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function serve(onItems: (items: Items, stream: RawStream) => void, port = 0) {
  const node = await serveRaw({ onItems }, port)
  closers.push(node.close)
  return node
}

function connect(addresses: readonly string[], circuit = CIRCUIT) {
  const caller = createStreamCaller(policyService, addresses, { peer: 'edge-1.a', backoffMaxMs: 50, circuit })
  closers.push(() => caller.close())
  const ask = (timeoutMs: number) => caller.invoke('decide', DecideRequest.fromPartial(question()), timeoutMs)
  const allUp = () =>
    vi.waitFor(() => expect(caller.endpoints?.().map(({ state }) => state)).not.toContain('down'), LONG_MS)
  return { caller, ask, allUp }
}

const answer = (items: Items, stream: RawStream): void => {
  for (const { id } of items) stream.write(planned(id, 'sip:bob@x'))
}
const silence = (): void => undefined

describe('policy is dead', () => {
  it('a node that refuses connections: after a while decisions end at once, reports still wait', async () => {
    const node = await serve(answer)
    await node.close()
    const { caller, ask } = connect([node.address])
    await vi.waitFor(
      async () => expect(await ask(50)).toMatchObject({ detail: expect.stringMatching(/^circuit_open: /) }),
      LONG_MS,
    )
    expect(caller.counts.shunned).toBeGreaterThan(0)
    expect(caller.endpoints?.()).toMatchObject([{ state: 'down' }])
    const report = await caller.invoke('report', { callRef: 'r', call: undefined, event: undefined, ageMs: 0 }, 50)
    expect(report).toMatchObject({ detail: expect.stringMatching(/^timeout: /) })
  })

  it('and when it is back it is asked again', async () => {
    const node = await serve(answer)
    await node.close()
    const { ask } = connect([node.address])
    await vi.waitFor(async () => expect((await ask(50)).outcome).toBe('unknown'), LONG_MS)
    await serve(answer, node.port)
    await vi.waitFor(async () => expect((await ask(LONG_MS)).outcome).toBe('done'), LONG_MS)
  })
})

describe('policy is slow', () => {
  it('the breaker opens, and a probe closes it when answers come again', async () => {
    let isSlow = true
    const node = await serve((items, stream) => (isSlow ? silence() : answer(items, stream)))
    const { caller, ask, allUp } = connect([node.address])
    await allUp()
    for (let k = 0; k < CIRCUIT.failures; k += 1) expect((await ask(30)).outcome).toBe('unknown')
    expect(caller.endpoints?.()).toMatchObject([{ state: 'open', opened: 1 }])
    expect(await ask(LONG_MS)).toMatchObject({ detail: expect.stringMatching(/^circuit_open: /) })
    isSlow = false
    await vi.waitFor(async () => expect((await ask(LONG_MS)).outcome).toBe('done'), LONG_MS)
    expect(caller.endpoints?.()).toMatchObject([{ state: 'closed', opened: 1 }])
  })

  it('an answer after the deadline is dropped and counted', async () => {
    const held: (() => void)[] = []
    const node = await serve((items, stream) => held.push(() => answer(items, stream)))
    const { caller, ask, allUp } = connect([node.address])
    await allUp()
    expect((await ask(30)).outcome).toBe('unknown')
    for (const give of held) give()
    await vi.waitFor(() => expect(caller.counts.late).toBe(1), LONG_MS)
  })

  it('one of two is silent: the other one is asked within the deadline, and then preferred', async () => {
    let asked = 0
    const slow = await serve((items) => {
      asked += items.length
    })
    const good = await serve(answer)
    const { caller, ask, allUp } = connect([slow.address, good.address])
    await allUp()
    for (let k = 0; k < 20; k += 1) expect((await ask(400)).outcome).toBe('done')
    expect(caller.counts.hedged).toBe(asked)
    expect(asked).toBeGreaterThan(0)
    expect(asked).toBeLessThanOrEqual(CIRCUIT.failures + 10) // further ones are probes
  })

  it('retries stay within their budget', async () => {
    const [slow, slower] = [await serve(silence), await serve(silence)]
    const { caller, ask, allUp } = connect([slow.address, slower.address], {
      ...CIRCUIT,
      failures: 10_000,
      hedgeShare: 0.01,
    })
    await allUp()
    await Promise.all(Array.from({ length: 200 }, () => ask(100)))
    expect(caller.counts.hedged).toBeLessThanOrEqual(12)
    expect(caller.counts).toMatchObject({ unknown: 200, inFlight: 0, queued: 0 })
  })
})

describe('policy lies', () => {
  const DECIDE = { $case: 'decide', value: { verdict: undefined, callRef: '', identity: '', account: '' } } as const
  const none = (id: number) => ({ id, refused: undefined, response: undefined })

  it.each([
    { what: 'an id that nobody has', say: (id: number) => [{ ...none(id + 1_000), response: DECIDE }, none(id)] },
    {
      what: 'the same result twice',
      say: (id: number) => [
        { ...none(id), response: DECIDE },
        { ...none(id), response: DECIDE },
      ],
    },
  ])('$what is dropped and counted', async ({ say }) => {
    const node = await serve((items, stream) => stream.write(reply(items.flatMap(({ id }) => say(id)))))
    const { caller, ask, allUp } = connect([node.address])
    await allUp()
    await ask(LONG_MS)
    expect(caller.counts).toMatchObject({ late: 1, inFlight: 0 })
  })

  it('a result of another method, or none at all, is unknown', async () => {
    const report = { $case: 'report', value: { paidMs: undefined } } as const
    const node = await serve((items, stream) =>
      stream.write(reply(items.map(({ id }) => ({ ...none(id), response: report })))),
    )
    const { ask, allUp } = connect([node.address])
    await allUp()
    expect(await ask(LONG_MS)).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^undecided: /) })
  })

  it.each([
    { what: 'bytes that are no message', message: Buffer.from('ff07ff07ffff', 'hex') },
    { what: 'a message of 4 MiB', message: Buffer.alloc(4 * 1024 * 1024, 0x0a) },
  ])('$what: the stream is given up, calls end as unknown, a new one is opened', async ({ message }) => {
    let isLying = true
    const node = await serve((items, stream) => (isLying ? void stream.write(message) : answer(items, stream)))
    const { ask, allUp } = connect([node.address])
    await allUp()
    expect(await ask(LONG_MS)).toMatchObject({ outcome: 'unknown', detail: expect.stringMatching(/^stream_broken: /) })
    isLying = false
    await vi.waitFor(async () => expect((await ask(LONG_MS)).outcome).toBe('done'), LONG_MS)
  })
})
