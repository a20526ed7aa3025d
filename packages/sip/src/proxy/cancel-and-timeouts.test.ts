// SPDX-License-Identifier: MIT
// CANCEL, Timer C, ring times, and requests that nobody answers, over the real transaction layer and a clock of the test's own.
// Does not test: the machines' own timers (transaction/*.test.ts), CANCEL without an INVITE (the edge's).
import { describe, expect, test } from 'vitest'
import { lateTryingMs } from './proxy-context.ts'
import { ProxyBench, requestText, Script, type Step, TestPeer, TIMER_C_MS, valuesOf } from './testing.ts'

const bob = (): TestPeer => new TestPeer('bob', '203.0.113.1')
const carol = (): TestPeer => new TestPeer('carol', '203.0.113.2')
const CANCEL = requestText({ method: 'CANCEL' })

const setUp = (steps: Step[], options: ConstructorParameters<typeof ProxyBench>[0] = {}) => {
  const bench = new ProxyBench(options)
  return { bench, script: new Script(bench, steps), caller: bench.caller }
}

describe('CANCEL', () => {
  test('MUST cancel every pending branch; the 487 goes up [RFC3261-16.10ac]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([{ peers: [b, c] }])
    bench.open(script)
    for (const peer of [b, c]) bench.answer(peer, 180)
    bench.receiveRequest(CANCEL)
    expect([b.take(), c.take()]).toEqual([
      ['INVITE', 'CANCEL'],
      ['INVITE', 'CANCEL'],
    ])
    for (const peer of [b, c]) {
      bench.answer(peer, 200, peer.name, 'CANCEL')
      bench.answer(peer, 487)
    }
    expect(caller.take()).toEqual(['180', '180', '487'])
    expect(script.log.at(-1)).toBe('final 487')
    bench.advance(33_000)
    expect([bench.layer.clientCount, bench.layer.serverCount]).toEqual([0, 0])
  })

  test('the CANCEL has the Request-URI, the one Via and the CSeq number of what was sent [RFC3261-9.1bcd]', () => {
    const b = bob()
    const { bench, script } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    const sent = b.last('CANCEL')
    expect(sent.split('\r\n')[0]).toBe('CANCEL sip:bob@203.0.113.1 SIP/2.0')
    expect(valuesOf(sent, 'Via')).toEqual(valuesOf(b.last('INVITE'), 'Via').slice(0, 1))
    expect(valuesOf(sent, 'CSeq')).toEqual(['1 CANCEL'])
  })

  test('MUST NOT be sent before a provisional response, and is sent at the first, 100 too [RFC3261-9.1gh]', () => {
    const b = bob()
    const { bench, script } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.receiveRequest(CANCEL)
    expect(b.take()).toEqual(['INVITE'])
    bench.answer(b, 100)
    expect(b.take()).toEqual(['CANCEL'])
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    expect(b.take()).toEqual([])
  })

  test('while the user still decides: 487 at once, and nothing is forked any more', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    const context = bench.tryOpen(script, requestText())
    if (context === undefined) throw new Error('refused')
    bench.receiveRequest(CANCEL)
    expect(caller.take()).toEqual(['487'])
    script.next(context)
    bench.proxy.trying(context)
    bench.proxy.finish(context)
    expect([caller.take(), b.take()]).toEqual([[], []])
    expect(script.log).toEqual(['final 487'])
  })

  test('between two steps: 487, not the failure of the first', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    script.forkMore = () => true
    bench.open(script)
    bench.answer(b, 404)
    bench.receiveRequest(CANCEL)
    expect(caller.take()).toEqual(['487'])
  })

  test('a 2xx that crosses it goes up, no branch is added [RFC3261-16.7.5b]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([{ peers: [b] }, { peers: [c] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    bench.answer(b, 200)
    expect(caller.take()).toEqual(['180', '200'])
    expect(c.take()).toEqual([])
  })

  test('a failure after it does not lead to the next step', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([{ peers: [b] }, { peers: [c] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    bench.answer(b, 486)
    expect(c.take()).toEqual([])
    expect(caller.take()).toEqual(['180', '486'])
  })

  test('after the final response it changes nothing [RFC3261-9.1i]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.answer(b, 486)
    bench.receiveRequest(CANCEL)
    expect(caller.take()).toEqual(['486'])
    expect(b.take()).toEqual(['INVITE', 'ACK'])
  })

  test('a branch that stays silent after it ends after 64*T1 as 487 [RFC3261-9.1k]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    caller.take()
    bench.advance(33_000)
    expect(caller.take()).toContain('487')
    expect(bench.gone).toContain('z9hG4bK-down-1')
    expect(bench.proxy.inProgress).toBe(0)
  })

  test('with a full client table the branch ends all the same', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }], { maxClients: 1 })
    bench.open(script)
    bench.answer(b, 180)
    bench.receiveRequest(CANCEL)
    expect(b.take()).toEqual(['INVITE'])
    bench.advance(33_000)
    expect(caller.take()).toContain('487')
  })
})

describe('Timer C and ring time', () => {
  test('MUST cancel a branch that rings on at Timer C; the caller is told 408 [RFC3261-16.8ab]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(TIMER_C_MS - 100)
    expect(b.take()).toEqual(['INVITE'])
    bench.advance(200)
    expect(b.take()).toEqual(['CANCEL'])
    bench.answer(b, 487)
    expect(caller.take()).toEqual(['180', '408'])
    expect(bench.proxy.counts.timerC).toBe(1)
  })

  test('MUST reset Timer C at each 101 to 199, not at 100 [RFC3261-16.7.2ab]', () => {
    const b = bob()
    const { bench, script } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(150_000)
    bench.answer(b, 183)
    bench.advance(150_000)
    bench.answer(b, 100)
    bench.advance(34_000)
    expect(b.take()).toEqual(['INVITE'])
    bench.advance(1_200)
    expect(b.take()).toEqual(['CANCEL'])
  })

  test('a ring time is not reset by provisional responses; the next step rings', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([{ peers: [b], ringMs: 20_000 }, { peers: [c] }])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(15_000)
    bench.answer(b, 183)
    bench.advance(5_200)
    expect(b.take()).toEqual(['INVITE', 'CANCEL'])
    bench.answer(b, 487)
    expect(script.log).toContain('failed 408')
    expect(c.take()).toEqual(['INVITE'])
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['180', '183', '200'])
  })

  test('a ring time without any response ends the branch as 408 [RFC3261-16.8c]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b], ringMs: 5_000 }])
    bench.open(script)
    bench.advance(5_200)
    expect(caller.take()).toEqual(['408'])
    expect(bench.gone).toEqual(['z9hG4bK-down-1'])
    expect(bench.layer.clientCount).toBe(0)
  })

  test('the caller that cancels a call whose ring time is over gets 487', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b], ringMs: 5_000 }])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(6_000)
    bench.receiveRequest(CANCEL)
    bench.answer(b, 487)
    expect(caller.take()).toEqual(['180', '487'])
  })
})

describe('nobody answers', () => {
  test('an INVITE without any response ends as 408 after Timer B [RFC3261-16.7.6c] [RFC3261-17.1.1.2l]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script)
    bench.advance(31_900)
    expect(caller.take()).toEqual([])
    bench.advance(200)
    expect(caller.take()).toEqual(['408'])
  })

  test('a transport error is as a 503, which goes up as 500 [RFC3261-16.9a] [RFC3261-16.7.6hi]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    const context = bench.open(script)
    const client = context.branches[0]?.client
    if (client === undefined) throw new Error('no client transaction')
    bench.layer.transportError(client)
    expect(caller.take()).toEqual(['500'])
    expect(bench.gone).toEqual(['z9hG4bK-down-1'])
  })

  test('a full client table is as a 503 of the next hop', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }], { maxClients: 0 })
    bench.open(script)
    bench.advance(100)
    expect(caller.take()).toEqual(['500'])
    expect(b.take()).toEqual([])
  })

  test('what ends beyond the proxy (its own requests) tells nobody', () => {
    const { bench } = setUp([])
    const peer = bob()
    const bye = requestText({ method: 'BYE', branch: 'z9hG4bK-own', toTag: 'bob' })
    bench.layer.createClient('z9hG4bK-own', 7, Buffer.from(bye), 0, bye.length, peer, undefined)
    bench.advance(33_000)
    expect(bench.layer.clientCount).toBe(0)
  })
})

describe('requests other than INVITE [RFC4320]', () => {
  const MESSAGE = requestText({ method: 'MESSAGE' })

  test('MUST NOT get 100 before Timer E reaches T2, MUST get it then [RFC4320-4.1bc] [RFC3261-16.2b]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script, MESSAGE)
    bench.advance(3_500)
    expect(caller.take()).toEqual([])
    bench.advance(600)
    expect(caller.take()).toEqual(['100'])
    bench.answer(b, 200, 'bob', 'MESSAGE')
    bench.advance(10_000)
    expect(caller.take()).toEqual(['200'])
  })

  test('MUST NOT send 408 when nobody answers, and absorbs repetitions [RFC4320-4.2a]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script, MESSAGE)
    bench.advance(32_500)
    expect(caller.take()).toEqual(['100'])
    expect(script.log).toEqual(['failed 408', 'final 408'])
    expect(bench.receiveRequest(MESSAGE)).toBe(true)
    expect(caller.take()).toEqual([])
    bench.advance(33_000)
    expect(bench.layer.serverCount).toBe(0)
    expect(bench.proxy.counts.suppressed408).toBe(1)
  })

  test('MUST NOT forward a 1xx [RFC4320-4.1a]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([{ peers: [b] }])
    bench.open(script, MESSAGE)
    bench.answer(b, 183, 'bob', 'MESSAGE')
    expect(caller.take()).toEqual([])
  })

  test('only the first of several 2xx goes up, and no CANCEL leaves [RFC3261-9.1a]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([{ peers: [b, c] }])
    bench.open(script, MESSAGE)
    bench.answer(b, 200, 'bob', 'MESSAGE')
    bench.answer(c, 202, 'carol', 'MESSAGE')
    expect(caller.take()).toEqual(['200'])
    expect(c.take()).toEqual(['MESSAGE'])
    expect(script.log).toEqual(['final 200'])
  })

  test('over a stream the user hears of the end before the transaction goes', () => {
    const b = bob()
    const { bench, script } = setUp([{ peers: [b] }], { callerReliable: true })
    bench.open(script, requestText({ method: 'BYE', toTag: 'bob' }))
    bench.answer(b, 200, 'bob', 'BYE')
    expect(script.log).toEqual(['final 200', 'end'])
    expect(bench.layer.serverCount).toBe(0)
  })

  test.each([
    [500, 4_000, 3_500],
    [500, 500, 0],
    [100, 1_600, 1_500],
  ])('Timer E from T1 %i reaches T2 %i after %i ms', (t1, t2, expected) => {
    expect(lateTryingMs(t1, t2)).toBe(expected)
  })
})
