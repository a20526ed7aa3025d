// SPDX-License-Identifier: MIT
// Requests that policy has an edge send: what leaves, what is told of the answer, what is not sent at all.
// Does not test: what policy makes of it (services/policy/src/trunks).
import type { policy } from '@tandem/rpc'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BOB, EdgeBench, responseTo, valuesOf } from '../testing.ts'

let bench: EdgeBench
beforeEach(() => {
  bench = new EdgeBench()
})
afterEach(() => bench.close())

const REGISTER: policy.SendRequest = {
  commandId: 'r1',
  method: 'REGISTER',
  requestUri: `sip:${BOB}`,
  nextHop: '',
  from: '<sip:4930@carrier.test>',
  to: '<sip:4930@carrier.test>',
  callId: 'reg-1@tandem',
  cseq: 7,
  headers: [{ name: 'Expires', value: '600' }],
  contactUser: 'a1b2',
  timeoutMs: 4_000,
}
const push = (command: Partial<policy.SendRequest> = {}): void =>
  bench.policy.push({ event: { $case: 'sendRequest', value: { ...REGISTER, ...command } } })
const told = (): policy.SentRequest => bench.policy.take<policy.SentRequest>('sent').request

test('a registration leaves with a Contact where calls reach the cluster; its answer is told', () => {
  push()
  const sent = bench.last('REGISTER')
  expect(sent).toMatch(new RegExp(`^REGISTER sip:${BOB} SIP/2.0\r\n`))
  expect(valuesOf(sent, 'From')[0]).toMatch(/^<sip:4930@carrier\.test>;tag=.{8}$/)
  expect(valuesOf(sent, 'To')).toEqual(['<sip:4930@carrier.test>'])
  expect(valuesOf(sent, 'CSeq')).toEqual(['7 REGISTER'])
  expect(valuesOf(sent, 'Expires')).toEqual(['600'])
  const via = /Via: SIP\/2\.0\/UDP ([^;]+);/.exec(sent)?.[1]
  expect(valuesOf(sent, 'Contact')).toEqual([`<sip:a1b2@${via}>`])
  bench.advance(30)
  bench.udpIn(responseTo(sent, 401, 'r', ['WWW-Authenticate: Digest realm="c", nonce="n"', 'X-Other: no']), BOB)
  const report = told()
  expect(report).toMatchObject({ commandId: 'r1', status: 401 })
  expect(report.headers).toEqual([{ name: 'WWW-Authenticate', value: 'Digest realm="c", nonce="n"' }])
})

test('goes to another next hop, and an OPTIONS needs no Contact', () => {
  push({
    commandId: 'o1',
    method: 'OPTIONS',
    requestUri: 'sip:carrier.test',
    nextHop: `sip:${BOB}:5070`,
    contactUser: '',
  })
  expect(bench.take()).toEqual([`OPTIONS → udp ${BOB}:5070`])
  const sent = bench.last('OPTIONS')
  expect(sent).toMatch(/^OPTIONS sip:carrier\.test SIP/)
  expect(valuesOf(sent, 'Contact')).toEqual([])
  bench.udpIn(responseTo(sent, 200, 'o'), BOB, 5070)
  expect(told()).toMatchObject({ commandId: 'o1', status: 200 })
})

test('where nothing answers in time, status 0 is told, once', async () => {
  push({ timeoutMs: 20 })
  await expect.poll(() => bench.policy.waiting()).toEqual(['sent'])
  expect(told()).toMatchObject({ status: 0, headers: [] })
  bench.advance(40_000)
  expect(bench.policy.waiting()).toEqual([])
})

test('the same command twice is sent once while it runs', () => {
  push()
  push()
  expect(bench.take()).toEqual([`REGISTER → udp ${BOB}:5060`])
})

test.each([
  ['another method', { method: 'INVITE' }],
  ['a line break in a header', { headers: [{ name: 'X', value: 'a\r\nVia: b' }] }],
  ['a header of ours', { headers: [{ name: 'Route', value: '<sip:x>' }] }],
  ['a Contact that would break out', { contactUser: 'a>b' }],
  ['no URI', { requestUri: 'tel:110' }],
])('%s is not sent', (_what, command) => {
  push(command)
  expect(bench.take()).toEqual([])
  expect(bench.core.counts).toMatchObject({ askedRequests: 0, askedRequestsDropped: 1 })
})
