// SPDX-License-Identifier: MIT
// Early dialogs of several branches as the caller sees them: each with its own To tag, and a 199 where one ends while others go on.
// Does not test: requests inside an early dialog (the edge's).
import { describe, expect, test } from 'vitest'
import { ProxyBench, requestText, Script, TestPeer, valuesOf } from './testing.ts'

const setUp = (headers: readonly string[] = ['Supported: 100rel, 199'], steps = 1) => {
  const bench = new ProxyBench()
  const b = new TestPeer('bob', '203.0.113.1')
  const c = new TestPeer('carol', '203.0.113.2')
  const script = new Script(bench, steps === 1 ? [{ peers: [b, c] }] : [{ peers: [b] }, { peers: [c] }])
  bench.open(script, requestText({ headers }))
  return { bench, b, c, caller: bench.caller }
}

const tagOf = (text: string): string => /;tag=([^;]+)/.exec(valuesOf(text, 'To')[0] ?? '')?.[1] ?? ''

describe('provisional responses', () => {
  test('of every branch go up, each with its own To tag [RFC3261-16.7.5a] [RFC3262-3]', () => {
    const { bench, b, c, caller } = setUp([])
    bench.answer(b, 180)
    bench.answer(c, 183, 'carol', 'INVITE', ['Require: 100rel', 'RSeq: 7'])
    bench.answer(b, 183, 'bob-fork')
    expect(caller.sent.map(tagOf)).toEqual(['bob', 'carol', 'bob-fork'])
    expect(valuesOf(caller.last('183'), 'RSeq')).toEqual([])
    expect(caller.sent.flatMap((text) => valuesOf(text, 'RSeq'))).toEqual(['7'])
  })

  test('MUST NOT go up after a final response, 100 never [RFC3261-16.7.5f] [RFC3261-16.7.5g]', () => {
    const { bench, b, c, caller } = setUp([])
    bench.answer(b, 100)
    bench.answer(b, 200)
    bench.answer(c, 180)
    bench.answer(c, 100)
    expect(caller.take()).toEqual(['200'])
  })

  test('a 199 from downstream goes up as any other [RFC6228-6a] [RFC6228-6b]', () => {
    const { bench, b, caller } = setUp([])
    bench.answer(b, 180)
    bench.answer(b, 199)
    bench.answer(b, 199, 'nobody-knows')
    expect(caller.take()).toEqual(['180', '199', '199'])
  })
})

describe('199 of our own', () => {
  test('MUST be sent for each early dialog of a branch that fails while others go on [RFC6228-6c] [RFC6228-6d] [RFC6228-6e] [RFC6228-6g]', () => {
    const { bench, b, c, caller } = setUp()
    bench.answer(b, 180, 'b1')
    bench.answer(b, 183, 'b2')
    bench.answer(c, 180)
    caller.take()
    bench.answer(b, 486)
    expect(caller.take()).toEqual(['199', '199'])
    const ends = caller.sent.slice(-2)
    expect(ends.map(tagOf)).toEqual(['b1', 'b2'])
    for (const text of ends) {
      expect(valuesOf(text, 'Reason')).toEqual(['SIP;cause=486'])
      for (const name of ['Supported', 'Require', 'Contact', 'Record-Route']) expect(valuesOf(text, name)).toEqual([]) // [RFC6228-6f]
    }
    expect(bench.proxy.counts.earlyEnds).toBe(2)
  })

  test('SHOULD NOT carry a Contact, a Record-Route or the option tag [RFC6228-6f] [RFC6228-6j]', () => {
    const { bench, b, caller } = setUp(['k: 199', 'Record-Route: <sip:p@192.0.2.9;lr>'])
    bench.answer(b, 180)
    bench.answer(b, 404)
    const names = caller
      .last('199')
      .split('\r\n')
      .slice(1, -2)
      .map((line) => line.split(':')[0])
    expect(names).toEqual(['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Reason', 'Content-Length'])
  })

  test('before the next step is tried, too [RFC6228-6c]', () => {
    const { bench, b, c, caller } = setUp(undefined, 2)
    bench.answer(b, 183)
    bench.answer(b, 486)
    expect(caller.take()).toEqual(['183', '199'])
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['200'])
  })

  test('MUST NOT be sent again where a 199 came from downstream [RFC6228-6h]', () => {
    const { bench, b, caller } = setUp()
    bench.answer(b, 180, 'b1')
    bench.answer(b, 180, 'b2')
    bench.answer(b, 199, 'b1')
    bench.answer(b, 486)
    expect(caller.take()).toEqual(['180', '180', '199', '199'])
    expect(caller.sent.slice(-2).map(tagOf)).toEqual(['b1', 'b2'])
  })

  test('a reliable 199 that comes after ours goes up even so [RFC6228-6i]', () => {
    const { bench, b, c, caller } = setUp()
    bench.answer(b, 180)
    bench.answer(b, 486)
    bench.answer(c, 199, 'bob', 'INVITE', ['Require: 100rel', 'RSeq: 2'])
    expect(caller.take()).toEqual(['180', '199', '199'])
  })

  test.each([
    ['does not support it', ['Supported: 100rel']],
    ['requires reliable provisional responses [RFC6228-6k]', ['Supported: 199', 'Require: 100rel']],
    ['has them required by proxies [RFC6228-6k]', ['Supported: 199', 'Proxy-Require: 100rel']],
  ])('not when the caller %s', (_name, headers) => {
    const { bench, b, caller } = setUp(headers)
    bench.answer(b, 180)
    bench.answer(b, 486)
    expect(caller.take()).toEqual(['180'])
  })

  test.each([
    ['the failure goes up at once', 486],
    ['no early dialog began', 0],
  ])('not when %s', (_name, status) => {
    const bench = new ProxyBench()
    const b = new TestPeer('bob', '203.0.113.1')
    bench.open(new Script(bench, [{ peers: [b] }]), requestText({ headers: ['Supported: 199'] }))
    if (status !== 0) bench.answer(b, 180)
    bench.answer(b, status || 486)
    expect(bench.caller.take()).toEqual(status === 0 ? ['486'] : ['180', '486'])
  })

  test('when a ring time is over: with the response to our CANCEL [RFC6228-6e]', () => {
    const bench = new ProxyBench()
    const [b, c] = [new TestPeer('bob', '203.0.113.1'), new TestPeer('carol', '203.0.113.2')]
    const steps = [{ peers: [b], ringMs: 5_000 }, { peers: [c] }]
    bench.open(new Script(bench, steps), requestText({ headers: ['Supported: 199'] }))
    bench.answer(b, 180)
    bench.advance(6_000)
    bench.answer(b, 487)
    expect(bench.caller.take()).toEqual(['180', '199'])
    expect(valuesOf(bench.caller.last('199'), 'Reason')).toEqual(['SIP;cause=487'])
  })

  test('early dialogs of one branch beyond eight are not kept', () => {
    const { bench, b, caller } = setUp()
    for (let k = 0; k < 12; k += 1) bench.answer(b, 180, `b${k}`)
    caller.take()
    bench.answer(b, 486)
    expect(caller.take()).toHaveLength(8)
  })
})
