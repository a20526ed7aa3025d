// SPDX-License-Identifier: MIT
// The challenges of several branches in one response, over the real transaction layer, and the bounds of what is kept for it.
// Does not test: which response is the best (response-context.test.ts), how a caller answers several challenges.
import { describe, expect, test } from 'vitest'
import { MAX_CHALLENGE_BYTES, MAX_CHALLENGE_LINES } from './challenges.ts'
import { messageOf, ProxyBench, responseTo, Script, TestPeer, valuesOf } from './testing.ts'

const PEERS = ['bob', 'carol', 'dave'] as const

const setUp = (count = 3) => {
  const bench = new ProxyBench()
  const peers = PEERS.slice(0, count).map((name, k) => new TestPeer(name, `203.0.113.${k + 1}`))
  const script = new Script(bench, [{ peers }])
  bench.open(script)
  const challenge = (at: number, status: number, ...headers: string[]): boolean =>
    bench.answer(peers[at] as TestPeer, status, PEERS[at], 'INVITE', headers)
  const sent = (status: number): Record<'www' | 'proxy', string[]> => {
    const text = bench.caller.last(String(status))
    expect(messageOf(text).status).toBe(status)
    return { www: valuesOf(text, 'WWW-Authenticate'), proxy: valuesOf(text, 'Proxy-Authenticate') }
  }
  return { bench, challenge, sent, peers }
}

const www = (realm: string): string => `WWW-Authenticate: Digest realm="${realm}", nonce="n1", qop="auth,auth-int"`
const proxy = (realm: string): string => `Proxy-Authenticate: Digest realm="${realm}", nonce="n2"`
const textOf = (line: string): string => line.slice(line.indexOf(': ') + 2)

describe('401 and 407 of several branches', () => {
  test('MUST go up as one with all of their challenges, unchanged [RFC3261-16.7.7]', () => {
    const { challenge, sent } = setUp()
    challenge(0, 407, proxy('p1'))
    challenge(1, 401, www('w1'), www('w2'))
    challenge(2, 486)
    expect(sent(401)).toEqual({ www: ['w1', 'w2'].map((realm) => textOf(www(realm))), proxy: [textOf(proxy('p1'))] })
  })

  test('the ones of the chosen response come first, the others in the order of arrival [RFC3261-16.7.7]', () => {
    const { challenge, sent } = setUp()
    challenge(0, 401, www('first'))
    challenge(1, 407, www('odd'), proxy('second'))
    challenge(2, 401, www('third'))
    const found = sent(401)
    expect(found.www).toEqual(['first', 'odd', 'third'].map((realm) => textOf(www(realm))))
    expect(found.proxy).toEqual([textOf(proxy('second'))])
  })

  test.each([0, 1])('the last to come is merged too, chosen or not: %i [RFC3261-16.7.7]', (last) => {
    const { challenge, sent } = setUp(2)
    challenge(1 - last, last === 0 ? 407 : 401, proxy('a'))
    challenge(last, last === 0 ? 401 : 407, www('b'))
    expect(sent(401)).toEqual({ www: [textOf(www('b'))], proxy: [textOf(proxy('a'))] })
  })

  test('a value that the chosen one has already is not added again; values of one line stay together', () => {
    const { challenge, sent } = setUp()
    const line = 'WWW-Authenticate: Digest realm="a", nonce="1", Digest realm="b", nonce="2"'
    challenge(0, 401, www('same'))
    challenge(1, 401, www('same'), line)
    challenge(2, 401, www('same'))
    expect(sent(401).www).toEqual([textOf(www('same')), textOf(line)])
  })

  test('what came with a response that is not chosen does not go into a failure of another kind', () => {
    const { bench, challenge } = setUp(2)
    challenge(0, 407, proxy('p'))
    challenge(1, 603)
    expect(valuesOf(bench.caller.last('603'), 'Proxy-Authenticate')).toEqual([])
  })

  test('the one challenge of the one branch goes up as it came [RFC3261-16.7.9b]', () => {
    const { bench, challenge, peers } = setUp(1)
    challenge(0, 407, proxy('p'), 'X-Odd:  kept')
    const answer = responseTo((peers[0] as TestPeer).last('INVITE'), 407, 'bob', [proxy('p'), 'X-Odd:  kept'])
    expect(bench.caller.last('407')).toBe(answer.replace(/Via: .*\r\n/, ''))
  })

  test('after CANCEL too: the caller gets what there is', () => {
    const { bench, challenge, sent } = setUp(2)
    const invite = bench.caller
    expect(invite.take()).toEqual([])
    bench.proxy.cancel(bench.contexts[0])
    challenge(0, 401, www('w'))
    challenge(1, 407, proxy('p'))
    expect(sent(401)).toEqual({ www: [textOf(www('w'))], proxy: [textOf(proxy('p'))] })
  })

  test('lines beyond the bound are left out and counted', () => {
    const { bench, challenge, sent } = setUp(2)
    const many = Array.from({ length: MAX_CHALLENGE_LINES + 4 }, (_, k) => proxy(`p${k}`))
    challenge(0, 407, ...many)
    challenge(1, 401, www('w'))
    expect(sent(401).proxy).toHaveLength(MAX_CHALLENGE_LINES)
    expect(bench.proxy.counts.challengesDropped).toBe(5)
  })

  test('bytes beyond the bound are left out', () => {
    const { challenge, sent } = setUp(2)
    challenge(0, 407, proxy('x'.repeat(MAX_CHALLENGE_BYTES)), proxy('small'))
    challenge(1, 401, www('w'))
    expect(sent(401).proxy).toEqual([textOf(proxy('small'))])
  })
})
