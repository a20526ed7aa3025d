// SPDX-License-Identifier: MIT
// What RFC 3261 §16 asks of the stateful proxy beyond the flows of stateful-proxy.test.ts: that a response goes up as it came,
// what a context waits for, and what a failing upstream does not do. Over the real transaction layer, with a clock of its own.
import { describe, expect, test } from 'vitest'
import {
  ProxyBench,
  type RequestOptions,
  requestText,
  responseTo,
  Script,
  TestPeer,
  TIMER_C_MS,
  valuesOf,
} from './testing.ts'

const bob = (reliable = false): TestPeer => new TestPeer('bob', '203.0.113.1', reliable)
const carol = (reliable = false): TestPeer => new TestPeer('carol', '203.0.113.2', reliable)

const setUp = (...steps: TestPeer[][]) => {
  const bench = new ProxyBench()
  const script = new Script(
    bench,
    steps.map((peers) => ({ peers })),
  )
  return { bench, script, caller: bench.caller }
}

/** The response without its first line of this name. */
const withoutFirst = (text: string, name: string): string => text.replace(new RegExp(`${name}: .*\r\n`), '')

describe('a response that goes up', () => {
  const BODY = 'v=0\r\no=- 1 1 IN IP4 203.0.113.1\r\n'
  const ODD = ['X-Odd:  kept \t', 'Date: no date', 'Record-Route: <sip:p@198.51.100.1;lr>', 'Warning: 399 x "y"']
  const withBody = (text: string): string =>
    text.replace('Content-Length: 0\r\n\r\n', `Content-Length: ${BODY.length}\r\n\r\n${BODY}`)

  interface Row {
    status: number
    cite: string
  }
  const ROWS: Row[] = [
    { status: 183, cite: '[RFC3261-16.7.5ah] [RFC3261-16.7.6kl]' },
    { status: 200, cite: '[RFC3261-16.7.5bh] [RFC3261-16.7.6kl]' },
    { status: 486, cite: '[RFC3261-16.7.6dj]' },
  ]
  test.each(ROWS)(
    'a $status has all that it had but our Via: fields, To tag, body $cite [RFC3261-16.7bc] [RFC3261-16.7.9ab]',
    ({ status }) => {
      const b = bob()
      const { bench, script, caller } = setUp([b])
      bench.open(script)
      const answer = withBody(responseTo(b.last('INVITE'), status, 'bob', ODD))
      bench.receiveResponse(answer)
      expect(caller.last(String(status))).toBe(withoutFirst(answer, 'Via'))
    },
  )

  test.each([180, 200, 404])(
    'MUST NOT change the To tag of a %i where the request had one [RFC3261-16.7.6n]',
    (status) => {
      const b = bob()
      const { bench, script, caller } = setUp([b])
      bench.open(script, requestText({ toTag: 'dialog' }))
      bench.answer(b, status)
      expect(valuesOf(caller.last(String(status)), 'To')).toEqual(['<sip:bob@example.test>;tag=dialog'])
    },
  )

  test('MUST NOT add a To tag to a response that has none [RFC3261-16.7.6k]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.receiveResponse(responseTo(b.last('INVITE'), 180).replace(';tag=bob', ''))
    expect(valuesOf(caller.last('180'), 'To')).toEqual(['<sip:bob@example.test>'])
  })

  test('MUST NOT lose the received that was added on the way down [RFC3261-16.7.9c]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script, requestText({ via: 'Via: SIP/2.0/UDP pc.example.test;branch=z9hG4bK-up-1' }))
    bench.answer(b, 200)
    expect(valuesOf(caller.last('200'), 'Via')).toEqual([
      'SIP/2.0/UDP pc.example.test;branch=z9hG4bK-up-1;received=192.0.2.1',
    ])
  })

  test('MUST go through the server transaction, which sends it again [RFC3261-16.7.9d] [RFC3261-17.2.1l]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.answer(b, 486)
    bench.receiveRequest(requestText())
    bench.advance(500)
    expect(caller.take()).toEqual(['486', '486', '486'])
  })

  test('MUST NOT go up once the server transaction is gone [RFC6026-8.3] [RFC4320-4.2b]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    const options: RequestOptions = { method: 'MESSAGE' }
    const context = bench.open(script, requestText(options))
    const late = responseTo(b.last('MESSAGE'), 200)
    bench.layer.abort(context.server)
    bench.receiveResponse(late)
    expect(caller.take()).toEqual([])
  })
})

describe('a response context', () => {
  test('MUST last until all its transactions have ended [RFC3261-16.7.9f]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script, caller } = setUp([b, c])
    bench.open(script)
    bench.answer(b, 200)
    bench.advance(20_000)
    expect(script.log).not.toContain('end')
    bench.answer(c, 200)
    expect(caller.take()).toEqual(['200', '200'])
    bench.advance(64_000)
    expect(script.log.filter((word) => word === 'end')).toEqual(['end'])
    expect(bench.layer.clientCount).toBe(0)
  })

  test('MUST NOT cancel its branches because a response could not be sent [RFC3261-16.9b]', () => {
    const b = bob()
    const { bench, script, caller } = setUp([b])
    const context = bench.open(script)
    bench.answer(b, 180)
    bench.layer.transportError(context.server)
    bench.advance(1_000)
    expect(b.take()).toEqual(['INVITE'])
    bench.answer(b, 200)
    expect(caller.take()).toEqual(['180', '200'])
  })

  test('MUST have a client transaction for each target, with a branch of its own [RFC3261-16.6.10] [RFC3261-16.6.7gh]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b, c])
    bench.open(script)
    expect(bench.layer.clientCount).toBe(2)
    const branches = [b, c].map((peer) => /branch=([^;\r]+)/.exec(peer.last('INVITE'))?.[1])
    expect(new Set(branches).size).toBe(2)
    bench.advance(500)
    expect([b.take(), c.take()]).toEqual([
      ['INVITE', 'INVITE'],
      ['INVITE', 'INVITE'],
    ])
  })

  test('MUST have a Timer C for each of its branches [RFC3261-16.6.11a] [RFC3261-16.8b]', () => {
    const [b, c] = [bob(true), carol(true)]
    const { bench, script } = setUp([b, c])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(10_000)
    bench.answer(c, 180)
    bench.advance(TIMER_C_MS - 9_500)
    expect([b.take(), c.take()]).toEqual([['INVITE', 'CANCEL'], ['INVITE']])
    bench.advance(10_000)
    expect(c.take()).toEqual(['CANCEL'])
  })

  test('Timer C ends a branch: what its 487 brings is the end of the call [RFC3261-16.8a]', () => {
    const b = bob(true)
    const { bench, script, caller } = setUp([b])
    bench.open(script)
    bench.answer(b, 180)
    bench.advance(TIMER_C_MS + 40_000)
    expect(caller.take().slice(0, 2)).toEqual(['180', '408'])
    bench.advance(70_000)
    expect([bench.layer.clientCount, bench.proxy.inProgress]).toEqual([0, 0])
  })

  test('MUST be set when the INVITE leaves: a 100 alone does not keep it for ever [RFC3261-16.6.11a]', () => {
    const b = bob(true)
    const { bench, script } = setUp([b])
    bench.open(script)
    bench.answer(b, 100)
    bench.advance(TIMER_C_MS - 500)
    expect(b.take()).toEqual(['INVITE'])
    bench.advance(1_000)
    expect(b.take()).toEqual(['CANCEL'])
  })

  test('a request other than INVITE has no Timer C [RFC3261-16.6.11a]', () => {
    const b = bob(true)
    const { bench, script } = setUp([b])
    bench.open(script, requestText({ method: 'MESSAGE' }))
    bench.advance(TIMER_C_MS + 1_000)
    expect(bench.proxy.counts.timerC).toBe(0)
  })
})

describe('CANCEL', () => {
  test('MUST NOT carry the Require and Proxy-Require of its INVITE [RFC3261-9.1f]', () => {
    const b = bob()
    const { bench, script } = setUp([b])
    bench.open(script, requestText({ headers: ['Require: 100rel', 'Proxy-Require: foo', 'Route: <sip:p.test;lr>'] }))
    bench.answer(b, 180)
    bench.receiveRequest(requestText({ method: 'CANCEL' }))
    const sent = b.last('CANCEL')
    expect(b.last('INVITE')).toContain('Require: 100rel')
    expect(sent).not.toContain('equire:')
    expect(valuesOf(sent, 'Route')).toEqual(['<sip:p.test;lr>'])
  })

  test('MUST cancel only what still waits [RFC3261-16.10c] [RFC3261-9.1i]', () => {
    const [b, c] = [bob(), carol()]
    const { bench, script } = setUp([b, c])
    bench.open(script)
    for (const peer of [b, c]) bench.answer(peer, 180)
    bench.answer(b, 486)
    bench.receiveRequest(requestText({ method: 'CANCEL' }))
    expect([b.take(), c.take()]).toEqual([
      ['INVITE', 'ACK'],
      ['INVITE', 'CANCEL'],
    ])
  })
})
