// SPDX-License-Identifier: MIT
// Branches in whose place another goes (failover, a followed 3xx), what a 6xx, a late 2xx and the end of a context do to others, and
// the reasons that CANCELs carry.
// Does not test: where the other branch goes (the edge's), the order of endpoints (transport).
import { describe, expect, test } from 'vitest'
import { reasonLines } from './cancels.ts'
import { messageOf, ProxyBench, requestText, Script, TestPeer, TIMER_C_MS, valuesOf } from './testing.ts'

const bob = (): TestPeer => new TestPeer('bob', '203.0.113.1')
const carol = (): TestPeer => new TestPeer('carol', '203.0.113.2')
const dave = (): TestPeer => new TestPeer('dave', '203.0.113.3')

const setUp = (...steps: TestPeer[][]) => {
  const bench = new ProxyBench()
  const script = new Script(
    bench,
    steps.map((peers) => ({ peers })),
  )
  return { bench, script, caller: bench.caller }
}

/** The one more branch that stands in for the first that fails. */
const standIn = (bench: ProxyBench, script: Script, peer: TestPeer): number[] => {
  const statuses: number[] = []
  script.onFailOver = (context, _branch, status) => {
    statuses.push(status)
    if (statuses.length > 1) return false
    bench.fork(context, peer, 0)
    return true
  }
  return statuses
}

describe('failover', () => {
  test.each([
    ['a 503', (bench: ProxyBench, peer: TestPeer) => bench.answer(peer, 503), 503],
    ['a 430', (bench: ProxyBench, peer: TestPeer) => bench.answer(peer, 430), 430],
    ['no response at all', (bench: ProxyBench) => bench.advance(33_000), 408],
    [
      'a transport error',
      (bench: ProxyBench) => {
        const client = bench.contexts[0]?.branches[0]?.client
        if (client !== undefined) bench.layer.transportError(client)
      },
      503,
    ],
  ])('another way takes the place of a branch that ended in %s [RFC3263-4.3]', (_name, fail, status) => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b])
    const statuses = standIn(bench, script, c)
    bench.open(script)
    fail(bench, b)
    expect([statuses, c.take().slice(0, 1), caller.take()]).toEqual([[status], ['INVITE'], []])
    bench.answer(c, 486)
    expect(caller.take()).toEqual(['486'])
    expect(bench.proxy.counts.failedOver).toBe(1)
  })

  test('with a branch of its own [RFC3263-4.3]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b])
    standIn(bench, script, c)
    bench.open(script)
    bench.answer(b, 503)
    const [first, second] = [b, c].map((peer) => valuesOf(peer.last('INVITE'), 'Via')[0])
    expect(first).not.toBe(second)
  })

  test('what the failed one ended with counts for nothing: no 503 beside the 404 of the other', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b])
    standIn(bench, script, c)
    const context = bench.open(script)
    bench.answer(b, 503)
    expect([context.bestStatus, context.pending]).toEqual([0, 1])
    bench.answer(c, 503)
    expect(caller.take()).toEqual(['500'])
  })

  test.each([
    ['any other failure', 486, false],
    ['503 once the caller has given up', 503, true],
  ])('is not asked for after %s', (_name, status, cancelled) => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b])
    const statuses = standIn(bench, script, c)
    bench.open(script)
    bench.answer(b, 180)
    if (cancelled) bench.proxy.cancel(bench.contexts[0])
    bench.answer(b, status)
    expect(statuses).toEqual([])
  })

  test('is not asked for when a branch has rung in vain, nor when the client table is full', () => {
    const [b, c] = [bob(), carol()]
    const bench = new ProxyBench({ maxClients: 1 })
    const script = new Script(bench, [{ peers: [b, c] }])
    const statuses = standIn(bench, script, dave())
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(TIMER_C_MS + 33_000)
    expect(statuses).toEqual([])
  })
})

describe('a 3xx that is followed', () => {
  const CONTACTS = ['Contact: <sip:a@x.test>, <sip:b@x.test>', 'X-Odd: kept', 'm: <tel:+1>']

  const redirected = (left: string | undefined) => {
    const [b, c, d] = [bob(), carol(), dave()]
    const { bench, script, caller } = setUp([b, d])
    script.onRedirect = (context) => {
      if (left !== undefined) bench.fork(context, c, 0)
      return left
    }
    bench.open(script)
    bench.answer(d, 404)
    bench.answer(b, 302, 'bob', 'INVITE', CONTACTS)
    if (left !== undefined) bench.answer(c, 486)
    return { caller, c }
  }

  test('MUST NOT keep Contacts that are followed [RFC3261-16.7.4a]', () => {
    const { caller } = redirected('Contact: <tel:+1>\r\n')
    const text = caller.last('302')
    expect([valuesOf(text, 'Contact'), valuesOf(text, 'm'), valuesOf(text, 'X-Odd')]).toEqual([
      ['<tel:+1>'],
      [],
      ['kept'],
    ])
    expect(messageOf(text).contentLength).toBe(0)
    expect(valuesOf(text, 'Via')).toHaveLength(1)
  })

  test('SHOULD NOT be kept at all when all of them are followed [RFC3261-16.7.4c]', () => {
    expect(redirected('').caller.take()).toEqual(['404'])
  })

  test('goes up as it came where none is followed [RFC3261-16.7.6d]', () => {
    const { caller, c } = redirected(undefined)
    expect(valuesOf(caller.last('302'), 'Contact')).toEqual(['<sip:a@x.test>, <sip:b@x.test>'])
    expect(c.take()).toEqual([])
  })

  test('is not followed once the caller has given up', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b])
    script.onRedirect = (context) => {
      bench.fork(context, c, 0)
      return ''
    }
    bench.open(script)
    bench.proxy.cancel(bench.contexts[0])
    bench.answer(b, 302, 'bob', 'INVITE', CONTACTS)
    expect([caller.take(), c.take()]).toEqual([['302'], []])
  })
})

describe('6xx and 2xx of several branches', () => {
  test('a 6xx waits for the others, which are cancelled; nothing is forked any more [RFC3261-16.7.5c] [RFC3261-16.7.5d]', () => {
    const [b, c, d] = [bob(), carol(), dave()]
    const { bench, script, caller } = setUp([b, c], [d])
    bench.open(script)
    bench.answer(c, 180)
    bench.answer(b, 603)
    expect([caller.take(), c.take()]).toEqual([['180'], ['INVITE', 'CANCEL']])
    bench.answer(c, 487)
    expect([caller.take(), d.take()]).toEqual([['603'], []])
  })

  test('a 2xx after a 6xx that has not gone up yet goes up in its place [RFC3261-16.7.5b]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    bench.answer(b, 600)
    bench.answer(c, 200)
    bench.advance(40_000)
    expect(caller.take()).toEqual(['200'])
  })

  test('every 2xx goes up, after a timeout, a CANCEL and another 2xx [RFC3261-16.7.5e]', () => {
    const [b, c, d] = [bob(), carol(), dave()]
    const { bench, script, caller } = setUp([b, c, d])
    bench.open(script)
    bench.answer(c, 180)
    bench.answer(d, 180)
    bench.advance(33_000) // b has timed out
    bench.proxy.cancel(bench.contexts[0])
    bench.answer(c, 200)
    bench.answer(d, 200)
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['180', '180', '200', '200', '200'])
  })

  test('a final response of our own cancels what is pending [RFC3261-16.7.10a]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    const context = bench.open(script)
    bench.answer(b, 180)
    bench.proxy.respond(context, 503, '')
    expect([b.take(), caller.take()]).toEqual([
      ['INVITE', 'CANCEL'],
      ['180', '503'],
    ])
    bench.answer(b, 487)
    expect(caller.take()).toEqual([])
  })

  test('a 2xx whose server transaction has failed upstream is discarded and counted [RFC6026-8.3]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    const context = bench.open(script)
    bench.answer(b, 180)
    bench.proxy.respond(context, 503, '')
    bench.answer(b, 200)
    expect(caller.take()).toEqual(['180', '503'])
    expect(bench.proxy.counts.lateDiscarded).toBe(1)
  })

  test('408 where nothing was received at all [RFC3261-16.7.6c]', () => {
    const { bench, script, caller } = setUp()
    const context = bench.tryOpen(script, requestText())
    if (context !== undefined) bench.proxy.finish(context)
    expect(caller.take()).toEqual(['408'])
  })
})

describe('Reason of CANCELs [RFC3326-2c]', () => {
  const reasonsOf = (peer: TestPeer): string[] => valuesOf(peer.last('CANCEL'), 'Reason')
  const two = () => {
    const [b, c] = [bob(), carol()]
    const set = setUp([b, c])
    set.bench.open(set.script)
    return { ...set, b, c }
  }

  test('answered elsewhere, also where it has to wait for a provisional response [RFC3326-3.1]', () => {
    const { bench, b, c } = two()
    bench.answer(b, 200)
    bench.answer(c, 100)
    expect(reasonsOf(c)).toEqual(['SIP;cause=200;text="Call completed elsewhere"'])
  })

  test('a 6xx elsewhere', () => {
    const { bench, b, c } = two()
    bench.answer(c, 180)
    bench.answer(b, 603)
    expect(reasonsOf(c)).toEqual(['SIP;cause=603'])
  })

  test('rung out', () => {
    const { bench, b } = two()
    bench.answer(b, 180)
    bench.advance(TIMER_C_MS + 1_000)
    expect(reasonsOf(b)).toEqual(['SIP;cause=408;text="Request Timeout"'])
  })

  test.each([180, 0])(
    'the caller’s own are passed on, and none is added [RFC3326-2a] [RFC3326-2b]: %i before it',
    (first) => {
      const { bench, b } = two()
      if (first !== 0) bench.answer(b, first)
      const lines = ['Reason: Q.850;cause=16;text="Terminated"', 'Reason: SIP;cause=487']
      const cancel = messageOf(requestText({ method: 'CANCEL', headers: lines }))
      bench.proxy.cancel(bench.contexts[0], reasonLines(cancel))
      if (first === 0) bench.answer(b, 100)
      expect(reasonsOf(b)).toEqual(lines.map((line) => line.slice(8)))
    },
  )

  test('reasons that are too long are left out', () => {
    const long = `Reason: SIP;text="${'x'.repeat(1_024)}"`
    const cancel = messageOf(requestText({ method: 'CANCEL', headers: [long, 'Reason: Q.850;cause=16'] }))
    expect(reasonLines(cancel)).toBe('Reason: Q.850;cause=16\r\n')
  })
})
