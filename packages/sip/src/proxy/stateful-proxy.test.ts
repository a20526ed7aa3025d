// SPDX-License-Identifier: MIT
// Whole flows of the stateful proxy over the real transaction layer, with peers that write down and a clock of the test's own.
// Does not test: which bytes a forwarded message has (forward-*.test.ts), the ranking (best-response.test.ts), the CANCEL and
// timeout flows (cancel-and-timeouts.test.ts), where requests go.
import { describe, expect, test } from 'vitest'
import { tagOf } from './own-response.ts'
import { ProxyBench, requestText, responseTo, Script, TestPeer, valuesOf } from './testing.ts'

const bob = (): TestPeer => new TestPeer('bob', '203.0.113.1')
const carol = (): TestPeer => new TestPeer('carol', '203.0.113.2')

const setUp = (...steps: TestPeer[][]) => {
  const bench = new ProxyBench()
  const script = new Script(
    bench,
    steps.map((peers) => ({ peers })),
  )
  return { bench, script, caller: bench.caller }
}

describe('basic call', () => {
  test('MUST forward provisional responses but 100 and every 2xx at once [RFC3261-16.7.5abg]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    const context = bench.open(script)
    bench.proxy.trying(context)
    expect(caller.take()).toEqual(['100'])
    bench.answer(b, 100)
    expect(caller.take()).toEqual([])
    bench.answer(b, 180)
    bench.answer(b, 183)
    bench.answer(b, 200)
    expect(caller.take()).toEqual(['180', '183', '200'])
    expect(script.log).toEqual(['provisional 180', 'provisional 183', 'final 200'])
    expect(bench.proxy.inProgress).toBe(0)
  })

  test('MUST send on every retransmission of the 2xx, and no ACK of its own [RFC3261-16.7.5e] [RFC6026-7.2bc] [RFC3261-13.3.1.4]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    for (let k = 0; k < 3; k += 1) bench.answer(b, 200)
    expect(caller.take()).toEqual(['200', '200', '200'])
    expect(b.take()).toEqual(['INVITE'])
    expect(script.log).toEqual(['final 200'])
    bench.advance(32_000)
    expect(bench.layer.serverCount).toBe(0)
    expect(bench.layer.clientCount).toBe(0)
    expect(script.log).toEqual(['final 200', 'end'])
  })

  test('absorbs repeated INVITEs: the last provisional response again, nothing downstream [RFC3261-17.2.1e]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.answer(b, 180)
    caller.take()
    expect(bench.receiveRequest(requestText())).toBe(true)
    expect(caller.take()).toEqual(['180'])
    expect(b.take()).toEqual(['INVITE'])
  })

  test('absorbs repeated INVITEs after a 2xx [RFC6026-7.1b]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.answer(b, 200)
    caller.take()
    expect(bench.receiveRequest(requestText())).toBe(true)
    expect(caller.take()).toEqual([])
    expect(b.take()).toEqual(['INVITE'])
  })

  test('a failure goes up as it came and is acknowledged hop by hop [RFC3261-16.7.6dm] [RFC3261-17.1.1.2sv]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.answer(b, 486, 'busy', 'INVITE', ['Retry-After: 60'])
    const failure = caller.last('486')
    expect(valuesOf(failure, 'Retry-After')).toEqual(['60'])
    expect(valuesOf(failure, 'Via')).toEqual(['SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-up-1'])
    expect(b.take()).toEqual(['INVITE', 'ACK'])
    bench.answer(b, 486, 'busy')
    expect(b.take()).toEqual(['ACK'])
    bench.receiveRequest(requestText({ method: 'ACK', toTag: 'busy' }))
    bench.advance(5_000)
    expect(caller.take()).toEqual(['486'])
    expect(bench.layer.serverCount).toBe(0)
  })

  test('an ACK in the Accepted state belongs to the 2xx and is handed to the user [RFC6026-7.1d]', () => {
    const b = bob()
    const { bench, script } = setUp([b])
    bench.open(script)
    bench.answer(b, 200)
    expect(bench.receiveRequest(requestText({ method: 'ACK', toTag: 'bob' }))).toBe(true)
    expect(script.acks).toHaveLength(1)
  })

  test('a response of our own has the same To tag whoever makes it, and says where the request came from [RFC3261-8.2.6.2]', () => {
    const { bench, script, caller } = setUp()
    const via = 'Via: SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK-nat'
    const context = bench.open(script, requestText({ via }))
    bench.proxy.respond(context, 404, '')
    const sent = caller.last('404')
    expect(valuesOf(sent, 'Via')).toEqual([
      'SIP/2.0/UDP 10.0.0.1:5070;rport=5060;branch=z9hG4bK-nat;received=192.0.2.1',
    ])
    expect(valuesOf(sent, 'To')).toEqual([`<sip:bob@example.test>;tag=${tagOf(context.server.key)}`])
  })

  test('a full server table refuses the request and keeps nothing', () => {
    const bench = new ProxyBench({ maxServers: 0 })
    expect(bench.tryOpen(new Script(bench, []), requestText())).toBeUndefined()
    expect(bench.proxy.inProgress).toBe(0)
  })
})

describe('forking', () => {
  test('MUST forward a 2xx of two branches, and cancel what is pending at the first [RFC3261-16.7.5be] [RFC3261-16.7.10a]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    for (const peer of [b, c]) bench.answer(peer, 180)
    bench.answer(b, 200)
    expect(c.take()).toEqual(['INVITE', 'CANCEL'])
    expect(caller.take()).toEqual(['180', '180', '200'])
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['200'])
    expect(script.log.filter((word) => word === 'final 200')).toHaveLength(1)
  })

  test('says in the CANCEL that the call was answered elsewhere [RFC3326-2]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b, c])
    bench.open(script)
    bench.answer(c, 180)
    bench.answer(b, 200)
    expect(valuesOf(c.last('CANCEL'), 'Reason')).toEqual(['SIP;cause=200;text="Call completed elsewhere"'])
  })

  test('the losers of an answered call are acknowledged and go no further', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    bench.answer(c, 180)
    bench.answer(b, 200)
    bench.answer(c, 200, 'carol', 'CANCEL')
    bench.answer(c, 487)
    expect(c.take()).toEqual(['INVITE', 'CANCEL', 'ACK'])
    expect(caller.take()).toEqual(['180', '200'])
  })

  test('MUST NOT forward a 6xx while branches are pending, MUST cancel them and add none [RFC3261-16.7.5cdf] [RFC3261-16.7.10b]', () => {
    const [b, c, d] = [bob(), carol(), new TestPeer('dora', '203.0.113.3')]
    const { bench, script, caller } = setUp([b, c], [d])
    bench.open(script)
    bench.answer(c, 180)
    bench.answer(b, 603)
    expect(caller.take()).toEqual(['180'])
    expect(c.take()).toEqual(['INVITE', 'CANCEL'])
    bench.answer(c, 487)
    expect(caller.take()).toEqual(['603'])
    expect(d.take()).toEqual([])
  })

  test('a 2xx after a 6xx still goes up [RFC3261-16.7.5b]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    bench.answer(b, 600)
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['200'])
  })

  test.each([
    { name: 'a 4xx before a 5xx', statuses: [500, 404], expected: '404' },
    { name: 'a 3xx before a 4xx', statuses: [404, 302], expected: '302' },
    { name: 'a 6xx before all', statuses: [302, 603], expected: '603' },
    { name: 'one that a caller can act on', statuses: [404, 407], expected: '407' },
    { name: 'any before a 503', statuses: [503, 500], expected: '500' },
    { name: 'a 503 alone as 500', statuses: [503, 503], expected: '500' },
    { name: 'a flow that failed as 480', statuses: [430, 503], expected: '480' },
    { name: 'the first of equals', statuses: [486, 486], expected: '486' },
  ])('MUST send the best response when all have failed: $name [RFC3261-16.7.6abdefghi]', ({ statuses, expected }) => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    bench.answer(b, statuses[0] as number)
    expect(caller.take()).toEqual([])
    bench.answer(c, statuses[1] as number)
    expect(caller.take()).toEqual([expected])
  })

  test('serial forking: the next step begins when all of one have failed; the best of all goes up', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b], [c])
    bench.open(script)
    bench.answer(b, 404, 'bob', 'INVITE', ['X-From: bob'])
    expect(c.take()).toEqual(['INVITE'])
    bench.answer(c, 500)
    expect(valuesOf(caller.last('404'), 'X-From')).toEqual(['bob'])
    expect(script.log).toEqual(['failed 404', 'failed 404', 'final 404'])
  })

  test('a user that finishes while it is asked for more gets the response at hand, headers and all', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    script.onForkMore = (context) => bench.proxy.finish(context)
    bench.open(script)
    bench.answer(b, 401, 'bob', 'INVITE', ['WWW-Authenticate: Digest realm="x"'])
    expect(valuesOf(caller.last('401'), 'WWW-Authenticate')).toEqual(['Digest realm="x"'])
    expect(caller.take()).toEqual(['401'])
  })
})

describe('responses that nobody upstream can take', () => {
  const withoutOurCaller = (text: string): string =>
    text.replace('Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-up-1\r\n', '')

  test.each([200, 486])(
    'MUST NOT forward a %i without a Via below ours: 502 in its place [RFC3261-16.7.3]',
    (status) => {
      const b = bob()
      const { bench, script, caller } = setUp([b])
      bench.open(script)
      bench.receiveResponse(withoutOurCaller(responseTo(b.last('INVITE'), status)))
      expect(caller.take()).toEqual(['502'])
      expect(bench.proxy.counts.unforwardable).toBe(1)
      expect(bench.proxy.inProgress).toBe(0)
    },
  )

  test('a provisional one is for us alone', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.receiveResponse(withoutOurCaller(responseTo(b.last('INVITE'), 180)))
    expect(caller.take()).toEqual([])
  })
})

describe('a 2xx that is held back', () => {
  const held = () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    script.holds = true
    const context = bench.open(script)
    bench.answer(b, 200)
    return { bench, script, caller, context, b }
  }

  test('waits, is released once, and then passes', () => {
    const { bench, script, caller, context, b } = held()
    expect(caller.take()).toEqual([])
    bench.proxy.release(context, script.held[0]?.answer as never)
    expect(caller.take()).toEqual(['200'])
    script.holds = false
    bench.answer(b, 200)
    expect(caller.take()).toEqual(['200'])
    expect(bench.proxy.inProgress).toBe(0)
  })

  test('a CANCEL while it waits gets no 487 [RFC3261-9.2]', () => {
    const { bench, caller, b } = held()
    expect(bench.receiveRequest(requestText({ method: 'CANCEL' }))).toBe(true)
    expect(caller.take()).toEqual([])
    expect(b.take()).toEqual(['INVITE'])
  })

  test('withdrawn, a failure goes up in its place, and its retransmissions end here', () => {
    const { bench, script, caller, context, b } = held()
    bench.proxy.withdraw(context, 503, '', '')
    expect(caller.take()).toEqual(['503'])
    expect(script.log).toEqual(['final 503'])
    script.holds = false
    bench.answer(b, 200)
    expect(caller.take()).toEqual([])
  })

  test('a second one that is withdrawn takes nothing back from the first that has gone up', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    const context = bench.open(script)
    bench.answer(b, 200)
    script.holds = true
    bench.answer(c, 200)
    bench.proxy.withdraw(context, 503, '', '')
    expect(caller.take()).toEqual(['200'])
    expect(script.log).toEqual(['final 200'])
  })
})

describe('what lingers', () => {
  test('a failed call lets go of its context while its transactions wait', () => {
    const b = bob()
    const { bench, script } = setUp([b])
    const context = bench.open(script)
    bench.answer(b, 486)
    expect(context.server.context).toBeUndefined()
    expect(context.branches[0]?.client?.context).toBeUndefined()
    expect(context.request).toBeUndefined()
    expect(context.best).toBeUndefined()
    expect(bench.layer.serverCount).toBe(1)
  })

  test('an answered call keeps neither request nor earlier failures', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b, c])
    const context = bench.open(script)
    bench.answer(b, 404)
    expect(context.best).toBeDefined()
    bench.answer(c, 200)
    expect([context.request, context.best]).toEqual([undefined, undefined])
  })

  test('a request that another edge owns is dropped without an answer and not counted as in progress', () => {
    const { bench, script, caller } = setUp()
    const context = bench.open(script)
    expect(bench.proxy.inProgress).toBe(1)
    bench.proxy.drop(context)
    expect(caller.take()).toEqual([])
    expect([bench.proxy.inProgress, bench.layer.serverCount]).toEqual([0, 0])
    bench.proxy.drop(context)
    expect(bench.proxy.inProgress).toBe(0)
  })
})
