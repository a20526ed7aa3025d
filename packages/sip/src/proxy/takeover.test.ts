// SPDX-License-Identifier: MIT
// An INVITE that changes hands between two proxies: the one that takes it over goes on as if it had begun it, the other falls silent.
// Does not test: who may take what over, which is the edge's business.
import { beforeEach, describe, expect, test } from 'vitest'
import { parseVia, ViaView } from '../header/index.ts'
import { Edits, HEADER, type SipMessage, ValueCursor } from '../message/index.ts'
import { answeredInviteKey } from '../transaction/index.ts'
import { editForwardedRequest } from './forward-request.ts'
import type { ProxyContext } from './proxy-context.ts'
import { messageOf, ProxyBench, requestText, responseTo, Script, TestPeer, wordOf } from './testing.ts'

let first: ProxyBench
let second: ProxyBench
const bob = new TestPeer('bob', '192.0.2.2')
let bobNow: TestPeer

beforeEach(() => {
  first = new ProxyBench()
  second = new ProxyBench()
  bobNow = new TestPeer('bob', '192.0.2.2')
})

const ringing = (text = requestText()): ProxyContext => first.open(new Script(first, [{ peers: [bob] }]), text)

/** The second proxy goes on with the one branch of it. */
const takeOver = (text = requestText(), ringMs = 0): ProxyContext => {
  const context = second.tryOpen(new Script(second, []), text) as ProxyContext
  const edits = new Edits()
  const sent = messageOf(bob.last('INVITE'))
  editForwardedRequest(context.request as SipMessage, edits, {
    uri: 'sip:bob@192.0.2.2',
    via: `Via: SIP/2.0/UDP 198.51.100.1:5060;branch=${sent.text(sent.viaBranchStart, sent.viaBranchEnd)}\r\n`,
    recordRoute: '',
    route: '',
    added: '',
    popRoutes: 0,
    strict: false,
    maxBreadth: 0,
    sourceAddress: '192.0.2.1',
    sourcePort: 5060,
    stream: false,
  })
  const branch = sent.text(sent.viaBranchStart, sent.viaBranchEnd)
  second.proxy.resume(context, edits, branch, 'sip:bob@192.0.2.2', bobNow, ringMs)
  return context
}

const answer = (status: number): boolean => second.receiveResponse(responseTo(bob.last('INVITE'), status))

describe('the one that takes over', () => {
  test('sends nothing at first, and then the very bytes that the callee has, at Timer A', () => {
    ringing()
    takeOver()
    expect(bobNow.take()).toEqual([])
    second.advance(500)
    expect(bobNow.sent).toEqual([bob.last('INVITE')])
  })

  test('passes responses on, and the answer', () => {
    ringing()
    takeOver()
    answer(180)
    answer(200)
    expect(second.caller.take()).toEqual(['180', '200'])
    second.advance(70_000)
    expect([second.layer.serverCount, second.layer.clientCount, second.proxy.isIdle]).toEqual([0, 0, true])
  })

  test('acknowledges a failure as the INVITE was sent [RFC3261-17.1.1.3]', () => {
    ringing()
    takeOver()
    answer(486)
    expect(second.caller.take()).toEqual(['486'])
    const via = bob.last('INVITE').match(/Via: .*branch=z9hG4bK-down.*/)?.[0] ?? 'none'
    expect(bobNow.last('ACK')).toContain(via)
  })

  test('cancels what rings [RFC3261-16.10]', () => {
    ringing()
    takeOver()
    answer(180)
    second.receiveRequest(requestText({ method: 'CANCEL' }))
    expect(bobNow.take()).toEqual(['CANCEL'])
    answer(487)
    expect(second.caller.take()).toEqual(['180', '487'])
  })

  test('lets it ring for its whole time anew', () => {
    ringing()
    takeOver(requestText(), 20_000)
    answer(180)
    second.advance(19_900)
    expect(bobNow.take()).toEqual([])
    second.advance(200)
    expect(bobNow.take()).toEqual(['CANCEL'])
  })

  test('counts what failed before', () => {
    const context = second.tryOpen(new Script(second, []), requestText()) as ProxyContext
    second.proxy.resumeEnded(context, 'z9hG4bK-x', 'sip:bob@192.0.2.2', bobNow, 486)
    second.proxy.finish(context)
    expect(second.caller.take()).toEqual(['486'])
  })
})

test('the one that is relieved of it sends nothing any more, whatever comes', () => {
  const context = ringing()
  first.answer(bob, 180)
  expect(first.caller.take()).toEqual(['180'])
  first.proxy.surrender(context)
  const before = bob.sent.length
  expect(first.answer(bob, 200)).toBe(false)
  expect(first.receiveRequest(requestText({ method: 'CANCEL' }))).toBe(false)
  first.advance(300_000)
  expect([first.caller.take(), bob.sent.length]).toEqual([[], before])
  expect([first.layer.serverCount, first.layer.clientCount, first.proxy.inProgress]).toEqual([0, 0, 0])
})

describe('the key of the INVITE that a response answers', () => {
  const keyOf = (response: SipMessage): string | undefined => {
    const cursor = new ValueCursor().reset(response, HEADER.VIA)
    cursor.next()
    cursor.next()
    const via = new ViaView()
    return parseVia(response.buf, cursor.start, cursor.end, via) ? answeredInviteKey(response, via) : undefined
  }

  test.each([
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-up-1',
    'Via: SIP/2.0/UDP Phone.Example.TEST;rport;branch=z9hG4bKabc',
    'Via: SIP/2.0/TCP [2001:DB8::1]:5070;branch=z9hG4bK.x-y',
  ])('is that of its server transaction: %s', (via) => {
    const context = ringing(requestText({ via }))
    const response = messageOf(responseTo(bob.last('INVITE'), 180))
    expect(wordOf(bob.last('INVITE'))).toBe('INVITE')
    expect(keyOf(response)).toBe(context.server.key)
    expect(first.layer.findServerByKey(context.server.key)).toBe(context.server)
  })

  test('is not to be had of an RFC 2543 sender', () => {
    const context = ringing(requestText({ via: 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=1' }))
    expect(keyOf(messageOf(responseTo(bob.last('INVITE'), 180)))).toBeUndefined()
    expect(first.layer.findServerByKey(context.server.key)).toBeUndefined()
  })
})
