// SPDX-License-Identifier: MIT
// Whatever sequence of events comes, each transaction ends, exactly once, leaves no timer and no bytes behind, and
// passes up at most one final response (each 2xx of an INVITE aside). Once the sequence is over, the core does its
// part: it answers what it has not answered, and gives up on INVITEs that ring (its Timer C).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClientTransaction } from './client-transaction.ts'
import { STATE } from './machine.ts'
import type { ServerTransaction } from './server-transaction.ts'
import { Bench, type MessageParts, request, requestText, response, TCP, UDP } from './testing.ts'

type Step =
  | { do: 'status'; status: number }
  | { do: 'repeat' }
  | { do: 'ack' }
  | { do: 'transport error' }
  | { do: 'abort' }
  | { do: 'wait'; ms: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 40,
      arbitrary: fc
        .constantFrom(100, 101, 180, 183, 199, 200, 202, 299, 302, 401, 408, 486, 503, 699)
        .map((status): Step => ({ do: 'status', status })),
    },
    { weight: 20, arbitrary: fc.constant<Step>({ do: 'repeat' }) },
    { weight: 10, arbitrary: fc.constant<Step>({ do: 'ack' }) },
    { weight: 10, arbitrary: fc.constant<Step>({ do: 'transport error' }) },
    {
      weight: 30,
      arbitrary: fc.constantFrom(0, 1, 499, 500, 2000, 5000, 31_999, 32_000).map((ms): Step => ({ do: 'wait', ms })),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'abort' }) },
  ),
  { maxLength: 25 },
)
const scenario = fc.record({ isInvite: fc.boolean(), peer: fc.constantFrom(UDP, TCP), steps })

const partsOf = (isInvite: boolean): MessageParts => ({ method: isInvite ? 'INVITE' : 'OPTIONS' })

const checkEmpty = (bench: Bench): void => {
  const { layer } = bench
  expect([layer.clientCount, layer.serverCount, layer.runningTimers, layer.keptBytes]).toEqual([0, 0, 0, 0])
  expect(layer.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
}

const doClientStep = (bench: Bench, tx: ClientTransaction, step: Step, parts: MessageParts): void => {
  if (step.do === 'status') bench.layer.receiveResponse(tx, response(step.status, parts))
  else if (step.do === 'transport error') bench.layer.transportError(tx)
  else if (step.do === 'abort') bench.layer.abort(tx)
  else if (step.do === 'wait') bench.advance(step.ms)
}

const doServerStep = (bench: Bench, tx: ServerTransaction, step: Step, parts: MessageParts): void => {
  if (step.do === 'status') bench.respond(tx, step.status, parts)
  else if (step.do === 'repeat') bench.layer.receiveRequest(tx, request(parts))
  else if (step.do === 'ack' && tx.isInvite) bench.layer.receiveRequest(tx, request({ method: 'ACK' }))
  else if (step.do === 'transport error') bench.layer.transportError(tx)
  else if (step.do === 'abort') bench.layer.abort(tx)
  else if (step.do === 'wait') bench.advance(step.ms)
}

/** Everything that the user was told, over the whole life. */
const listen = (bench: Bench): string[] => {
  const words: string[] = []
  bench.recorder.onEvent = (_tx, word) => words.push(word)
  return words
}

const finalsUp = (words: string[], isInvite: boolean): string[] =>
  words.filter((word) => (isInvite ? /^up [3-6]/ : /^up [2-6]/).test(word))

describe('any sequence of events', () => {
  test('client transactions', () => {
    fc.assert(
      fc.property(scenario, ({ isInvite, peer, steps }) => {
        const bench = new Bench()
        const words = listen(bench)
        const parts = partsOf(isInvite)
        const tx = bench.client(requestText(parts), peer)
        for (const step of steps) doClientStep(bench, tx, step, parts)
        if (tx.state === STATE.PROCEEDING && isInvite) bench.layer.abort(tx)
        bench.advance(64_000)
        expect(finalsUp(words, isInvite).length).toBeLessThanOrEqual(1)
        expect(words.filter((word) => word === 'client end').length + bench.layer.counts.aborted).toBe(1)
        expect(words.slice(words.indexOf('client end') + 1).length === 0 || bench.layer.counts.aborted === 1).toBe(true)
        checkEmpty(bench)
      }),
      { numRuns: 400 },
    )
  })

  test('server transactions', () => {
    fc.assert(
      fc.property(scenario, ({ isInvite, peer, steps }) => {
        const bench = new Bench()
        const words = listen(bench)
        const parts = partsOf(isInvite)
        const tx = bench.server(request(parts), peer)
        for (const step of steps) doServerStep(bench, tx, step, parts)
        bench.respond(tx, 500, parts)
        bench.advance(64_000)
        expect(words.filter((word) => word.startsWith('server end')).length + bench.layer.counts.aborted).toBe(1)
        checkEmpty(bench)
      }),
      { numRuns: 400 },
    )
  })

  test('a server transaction sends one failure at most, whatever the core gives it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 300, max: 699 }), { minLength: 1, maxLength: 5 }), (statuses) => {
        const bench = new Bench()
        const tx = bench.server(request(), UDP)
        for (const status of statuses) bench.respond(tx, status)
        expect(bench.recorder.take()).toEqual([`send ${statuses[0]}`])
      }),
      { numRuns: 50 },
    )
  })

  test('many transactions at once: each ends, and the tables are empty afterwards', () => {
    const kinds = fc.array(fc.record({ isInvite: fc.boolean(), status: fc.constantFrom(0, 180, 200, 486) }), {
      minLength: 1,
      maxLength: 300,
    })
    fc.assert(
      fc.property(kinds, (all) => {
        const bench = new Bench()
        all.forEach(({ isInvite, status }, i) => {
          const parts = { ...partsOf(isInvite), branch: `z9hG4bK${i}` }
          const tx = bench.client(requestText(parts), UDP)
          if (status > 0) bench.layer.receiveResponse(tx, response(status, parts))
          if (isInvite && status === 180) bench.layer.receiveResponse(tx, response(487, parts))
          bench.advance(i % 3)
        })
        bench.advance(64_000)
        checkEmpty(bench)
      }),
      { numRuns: 20 },
    )
  })
})
