// SPDX-License-Identifier: MIT
// Which transaction a message belongs to: RFC 3261 §17.1.3 and §17.2.3, RFC 2543 senders, CANCEL and ACK.
import { describe, expect, test } from 'vitest'
import { serverKey } from './matching.ts'
import { Bench, type MessageParts, message, request, requestText, response, UDP } from './testing.ts'

const LEGACY = { branch: '' }

describe('requests with the magic cookie [RFC3261-17.2.3.1] [RFC3261-17.2.3.2] [RFC3261-17.2.3.3]', () => {
  const rows: [name: string, first: MessageParts, second: MessageParts, isSame: boolean][] = [
    ['the same request', {}, {}, true],
    ['nothing but branch, sent-by and method counts', {}, { fromTag: 'x', callId: 'y', cseq: 9, uri: 'sip:z@w' }, true],
    ['host in another case', {}, { sentBy: 'PC33.Example.TEST:5060' }, true],
    ['another branch', {}, { branch: 'z9hG4bKother' }, false],
    ['branch in another case', {}, { branch: 'z9hG4bK776ASDHDS' }, false],
    ['another host', {}, { sentBy: 'pc34.example.test:5060' }, false],
    ['another port', {}, { sentBy: 'pc33.example.test:5061' }, false],
    ['no port', {}, { sentBy: 'pc33.example.test' }, false],
    ['ACK of an INVITE', {}, { method: 'ACK', toTag: 'any' }, true],
    ['CANCEL of an INVITE', {}, { method: 'CANCEL' }, false],
    ['another method', { method: 'BYE' }, { method: 'OPTIONS' }, false],
    ['an extension method', { method: 'FOO' }, { method: 'FOO' }, true],
    ['another extension method', { method: 'FOO' }, { method: 'BAR' }, false],
  ]
  test.each(rows)('%s', (_name, first, second, isSame) => {
    const bench = new Bench()
    const tx = bench.server(request(first), UDP)
    expect(bench.layer.findServer(request(second))).toBe(isSame ? tx : undefined)
  })

  test('a CANCEL finds its INVITE, and no other method’s transaction [RFC3261-9.2]', () => {
    const bench = new Bench()
    const tx = bench.server(request(), UDP)
    bench.server(request({ method: 'BYE', branch: 'z9hG4bKbye' }), UDP)
    expect(bench.layer.findInviteOfCancel(request({ method: 'CANCEL' }))).toBe(tx)
    expect(bench.layer.findInviteOfCancel(request({ method: 'CANCEL', branch: 'z9hG4bKbye' }))).toBeUndefined()
  })

  test('the ACK of a 2xx has a branch of its own and is nobody’s', () => {
    const bench = new Bench()
    bench.respond(bench.server(request(), UDP), 200)
    expect(bench.layer.findServer(request({ method: 'ACK', branch: 'z9hG4bKack', toTag: 'a6c85cf' }))).toBeUndefined()
  })
})

describe('requests of RFC 2543 senders [RFC3261-17.2.3ac]', () => {
  const rows: [name: string, first: MessageParts, second: MessageParts, isSame: boolean][] = [
    ['the same INVITE', {}, {}, true],
    ['a branch without the cookie is one of them', { branch: '1' }, { branch: '1' }, true],
    ['so is the cookie alone', { branch: 'z9hG4bK' }, { branch: 'z9hG4bK', callId: 'other' }, false],
    ['another Request-URI', {}, { uri: 'sip:carol@example.test' }, false],
    ['another To tag', {}, { toTag: 'x' }, false],
    ['another From tag', {}, { fromTag: 'x' }, false],
    ['another Call-ID', {}, { callId: 'x' }, false],
    ['another CSeq number', {}, { cseq: 2 }, false],
    ['another top Via', {}, { sentBy: 'pc34.example.test' }, false],
    ['another method', { method: 'BYE' }, { method: 'OPTIONS' }, false],
    ['BYE with its To tag', { method: 'BYE', toTag: 'x' }, { method: 'BYE', toTag: 'x' }, true],
    ['BYE of another fork', { method: 'BYE', toTag: 'x' }, { method: 'BYE', toTag: 'y' }, false],
  ]
  test.each(rows)('%s', (_name, first, second, isSame) => {
    const bench = new Bench()
    const tx = bench.server(request({ ...LEGACY, ...first }), UDP)
    expect(bench.layer.findServer(request({ ...LEGACY, ...second }))).toBe(isSame ? tx : undefined)
  })

  test('an ACK is matched by the To tag of the response that was sent [RFC3261-17.2.3b]', () => {
    const bench = new Bench()
    const tx = bench.server(request(LEGACY), UDP)
    bench.respond(tx, 486, { ...LEGACY, toTag: 'busy' })
    expect(bench.layer.findServer(request({ ...LEGACY, method: 'ACK', toTag: 'other' }))).toBeUndefined()
    expect(bench.layer.findServer(request({ ...LEGACY, method: 'ACK', toTag: 'busy' }))).toBe(tx)
  })

  test('in Accepted the ACK of the 2xx matches too, and goes up [RFC6026-6e]', () => {
    const bench = new Bench()
    const tx = bench.server(request(LEGACY), UDP)
    bench.respond(tx, 200, { ...LEGACY, toTag: 'answer' })
    const ack = request({ ...LEGACY, method: 'ACK', toTag: 'answer' })
    expect(bench.layer.findServer(ack)).toBe(tx)
    bench.layer.receiveRequest(tx, ack)
    expect(bench.recorder.take()).toEqual(['send 200', 'up ACK'])
  })

  test('a CANCEL finds its INVITE', () => {
    const bench = new Bench()
    const tx = bench.server(request(LEGACY), UDP)
    expect(bench.layer.findInviteOfCancel(request({ ...LEGACY, method: 'CANCEL' }))).toBe(tx)
    expect(bench.layer.findServer(request({ ...LEGACY, method: 'CANCEL' }))).toBeUndefined()
  })

  test('INVITEs that differ in the To tag alone live side by side and leave one by one', () => {
    const bench = new Bench()
    const parts = ['', 'one', 'two'].map((toTag) => ({ ...LEGACY, toTag }))
    const all = parts.map((part) => bench.server(request(part), UDP))
    const found = () => parts.map((part) => all.indexOf(bench.layer.findServer(request(part)) as never))
    expect(found()).toEqual([0, 1, 2])
    bench.layer.abort(all[1] as never)
    expect(found()).toEqual([0, -1, 2])
    bench.layer.abort(all[2] as never)
    expect(found()).toEqual([0, -1, -1])
    bench.layer.abort(all[0] as never)
    expect([found(), bench.layer.serverCount]).toEqual([[-1, -1, -1], 0])
  })

  test('the same To tag twice is refused', () => {
    const bench = new Bench()
    const msg = request(LEGACY)
    bench.server(msg, UDP)
    expect(bench.layer.createServer(msg, bench.layer.serverKey(msg), UDP, undefined)).toBeUndefined()
  })

  test('the key of an INVITE leaves the To tag out, so that its ACK has the same one', () => {
    const invite = serverKey(request(LEGACY))
    expect(serverKey(request({ ...LEGACY, method: 'ACK', toTag: 'a' }))).toBe(invite)
  })

  test('a long Request-URI fits', () => {
    const uri = `sip:${'x'.repeat(7000)}@example.test`
    expect(serverKey(request({ ...LEGACY, uri }))).toContain(uri)
  })
})

describe('responses [RFC3261-17.1.3.1] [RFC3261-17.1.3.2] [RFC3261-18.1.2b] [RFC6026-8.9a]', () => {
  const rows: [name: string, sent: MessageParts, received: MessageParts, isSame: boolean][] = [
    ['branch and CSeq method', {}, {}, true],
    ['nothing else counts', {}, { callId: 'x', fromTag: 'y', cseq: 7 }, true],
    ['another branch', {}, { branch: 'z9hG4bKother' }, false],
    ['another method', {}, { cseqMethod: 'BYE' }, false],
    ['CANCEL of the INVITE', {}, { cseqMethod: 'CANCEL' }, false],
    ['CANCEL', { method: 'CANCEL' }, { cseqMethod: 'CANCEL' }, true],
    ['INVITE of the CANCEL', { method: 'CANCEL' }, { cseqMethod: 'INVITE' }, false],
    ['an extension method', { method: 'FOO' }, { method: 'FOO' }, true],
    ['another extension method', { method: 'FOO' }, { method: 'BAR' }, false],
    ['no branch', {}, { branch: '' }, false],
  ]
  test.each(rows)('%s', (_name, sent, received, isSame) => {
    const bench = new Bench()
    const tx = bench.client(requestText(sent), UDP)
    expect(bench.layer.findClient(response(200, received))).toBe(isSame ? tx : undefined)
    expect(message(requestText(sent)).isRequest).toBe(true)
  })
})
