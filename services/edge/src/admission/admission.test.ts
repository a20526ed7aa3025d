// SPDX-License-Identifier: MIT
//
// Priorities under any load, with a fake clock; and an edge under overload from outside: what is refused, what never is, what it
// costs those who are let in. Real load is bench/registration-storm.mjs.
import { METHOD, type SipMessage } from '@tandem/sip'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { EdgePeer } from '../listeners/peers.ts'
import { ALICE, EdgeBench } from '../testing.ts'
import { Admission } from './admission.ts'
import type { RequestClasses } from './request-class.ts'

const SETTINGS = {
  enabled: true,
  rate: { targetMs: 100, minRate: 100, maxRate: 100_000 },
  returns: { minS: 1, spreadS: 4, maxS: 600 },
}

const KINDS = ['emergency', 'refresh', 'call', 'newcomer'] as const
type Kind = (typeof KINDS)[number]

const CLASSES = {
  isEmergency: (msg: { kind?: Kind }) => msg.kind === 'emergency',
  hasFreshNonce: (msg: { kind?: Kind }) => msg.kind === 'refresh' || msg.kind === 'call',
} as unknown as RequestClasses

const MESSAGES = Object.fromEntries(
  KINDS.map((kind) => {
    const isRegister = kind === 'refresh' || kind === 'newcomer'
    return [kind, { kind, method: isRegister ? METHOD.REGISTER : METHOD.INVITE, has: () => kind === 'refresh' }]
  }),
) as unknown as Record<Kind, SipMessage>
const PEER = { address: ALICE } as EdgePeer

/** With a rate of 800: two periods in which 1,000 a second took half a second. */
function limited(): { admission: Admission; nowMs: number } {
  const admission = new Admission(SETTINGS, { classes: CLASSES, random: () => 0.5, onFloor: () => undefined })
  let nowMs = 0
  admission.tick(nowMs, 0)
  for (let k = 0; k < 40; k++) {
    for (let n = 0; n < 10; n++) admission.noteAnswered(METHOD.REGISTER, nowMs - 500, nowMs)
    nowMs += 10
    admission.tick(nowMs, 0)
  }
  expect(admission.isLimiting).toBe(true)
  return { admission, nowMs }
}

/** Offers so many of each a second for ten seconds, in turn; what share of each was let in. */
function offer(perSecond: Readonly<Record<Kind, number>>): Record<Kind, number> {
  const { admission, nowMs } = limited()
  const due = { emergency: 0, refresh: 0, call: 0, newcomer: 0 }
  const let_in = { ...due }
  const offered = { ...due }
  for (let ms = 1; ms <= 10_000; ms++) {
    for (const kind of KINDS) {
      due[kind] += perSecond[kind] / 1_000
      for (; due[kind] >= 1; due[kind] -= 1) {
        offered[kind] += 1
        if (admission.admits(MESSAGES[kind], PEER, nowMs + ms)) let_in[kind] += 1
      }
    }
  }
  return Object.fromEntries(
    KINDS.map((kind) => [kind, offered[kind] === 0 ? 1 : let_in[kind] / offered[kind]]),
  ) as never
}

describe('who goes first', () => {
  const rates = fc.record({
    emergency: fc.integer({ min: 0, max: 2_000 }),
    refresh: fc.integer({ min: 0, max: 5_000 }),
    call: fc.integer({ min: 0, max: 5_000 }),
    newcomer: fc.integer({ min: 0, max: 5_000 }),
  })

  test('whatever is offered: emergencies all, refreshes no worse than newcomers, calls no worse than newcomers', () => {
    fc.assert(
      fc.property(rates, (perSecond) => {
        const share = offer(perSecond)
        expect(share.emergency).toBe(1)
        if (perSecond.newcomer >= 50 && perSecond.refresh >= 50)
          expect(share.refresh).toBeGreaterThanOrEqual(share.newcomer - 0.05)
        if (perSecond.newcomer >= 50 && perSecond.call >= 50)
          expect(share.call).toBeGreaterThanOrEqual(share.newcomer - 0.05)
      }),
      { numRuns: 40 },
    )
  })

  test('more refreshes than there is room for leave newcomers nothing, and calls the part that is theirs', () => {
    const share = offer({ emergency: 0, refresh: 4_000, call: 150, newcomer: 1_000 })
    expect(share.newcomer).toBeLessThan(0.02)
    expect(share.call).toBeGreaterThan(0.95)
    expect(share.refresh).toBeGreaterThan(0.1)
  })

  test('newcomers get what is left', () => {
    const share = offer({ emergency: 0, refresh: 300, call: 100, newcomer: 4_000 })
    expect(share.refresh).toBeGreaterThan(0.98)
    expect(share.call).toBeGreaterThan(0.98)
    expect(share.newcomer * 4_000).toBeGreaterThan(250)
  })

  test('once nobody waits any more, nobody is refused', () => {
    const { admission, nowMs } = limited()
    for (let ms = 10; ms <= 5_000; ms += 10) {
      for (let n = 0; n < 2; n++) admission.noteAnswered(METHOD.REGISTER, nowMs + ms - 5, nowMs + ms)
      admission.tick(nowMs + ms, 0)
    }
    expect(admission.isLimiting).toBe(false)
  })

  test('messages that wait in the kernel are a latency too', () => {
    const admission = new Admission(SETTINGS, { classes: CLASSES, random: () => 0.5, onFloor: () => undefined })
    for (let ms = 0; ms <= 600; ms += 10) {
      admission.tick(ms, 300)
      admission.noteAnswered(METHOD.REGISTER, ms, ms)
    }
    expect(admission.isLimiting).toBe(true)
  })

  test('a slow store of REGISTERs alone does not limit calls', () => {
    const admission = new Admission(SETTINGS, { classes: CLASSES, random: () => 0.5, onFloor: () => undefined })
    for (let ms = 0; ms <= 2_000; ms += 10) {
      admission.noteAnswered(METHOD.REGISTER, ms - 1_900, ms)
      admission.noteAnswered(METHOD.INVITE, ms - 5, ms)
      admission.tick(ms, 0)
    }
    expect(admission.rates.all).toBe(0)
    expect(admission.rates.registers).toBeGreaterThan(0)
    for (let k = 0; k < 1_000; k++) expect(admission.admits(MESSAGES.call, PEER, 2_000)).toBe(true)
  })

  test('switched off it never limits', () => {
    const off = { ...SETTINGS, enabled: false }
    const admission = new Admission(off, { classes: CLASSES, random: () => 0.5, onFloor: () => undefined })
    for (let ms = 0; ms <= 2_000; ms += 10) {
      admission.noteAnswered(METHOD.REGISTER, ms - 1_900, ms)
      admission.tick(ms, 900)
    }
    expect(admission.isLimiting).toBe(false)
  })
})

describe('an edge under overload', () => {
  let bench: EdgeBench
  beforeEach(() => {
    bench = new EdgeBench()
    const { admission } = bench.core
    for (let k = 0; k < 90; k++) {
      bench.nowMs += 10
      for (let n = 0; n < 3; n++) admission.noteAnswered(METHOD.REGISTER, bench.nowMs - 900, bench.nowMs)
      admission.tick(bench.nowMs, 0)
    }
    expect(admission.isLimiting).toBe(true)
    bench.take()
  })

  const request = (method: string, uri: string, n: number, more = ''): string =>
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP ${ALICE}:5060;branch=z9hG4bKo${method}${n}\r\nMax-Forwards: 70\r\n` +
    `From: <sip:alice@example.test>;tag=a\r\nTo: <sip:alice@example.test>\r\nCall-ID: o${n}\r\nCSeq: 1 ${method}\r\n${more}` +
    'Content-Length: 0\r\n\r\n'

  const storm = (): void => {
    for (let n = 0; n < 500; n++) bench.udpIn(request('REGISTER', 'sip:example.test', n))
  }

  test('most of a storm gets 503 with Retry-After, or nothing; no transaction and no question is made of it', () => {
    storm()
    const { refusedAdmission, droppedAdmission } = bench.core.counts
    expect(refusedAdmission).toBeGreaterThan(0)
    expect(droppedAdmission).toBeGreaterThan(0)
    expect(bench.policy.items.length + refusedAdmission + droppedAdmission).toBe(500)
    expect(bench.core.layer.serverCount).toBe(bench.policy.items.length)
    const { text } = bench.sent.find((sent) => sent.text.startsWith('SIP/2.0 503')) ?? { text: '' }
    expect(text).toMatch(/\r\nRetry-After: [1-9]\d*\r\n/)
  })

  test.each([
    ['112', 'sip:112@example.test'],
    ['a tel number', 'tel:911'],
    ['urn:service:sos', 'urn:service:sos.fire'],
  ])('a call for help (%s) is not refused by it', (_name, uri) => {
    storm()
    bench.take()
    bench.udpIn(request('INVITE', uri, 900))
    expect(bench.take().filter((sent) => sent.startsWith('503'))).toEqual([])
  })

  test('a connection is answered each time: nothing is repeated there', () => {
    const connection = bench.tcp.connect(ALICE, 40_000)
    for (let n = 0; n < 300; n++) bench.tcpIn(request('REGISTER', 'sip:example.test', n), connection)
    expect(bench.core.counts.droppedAdmission).toBe(0)
    expect(bench.core.counts.refusedAdmission).toBeGreaterThan(100)
  })

  test('an in-dialog request goes its way', () => {
    storm()
    const before = bench.core.counts.refusedAdmission + bench.core.counts.droppedAdmission
    bench.udpIn(
      request('BYE', 'sip:bob@192.0.2.30', 901).replace('To: <sip:alice@example.test>', 'To: <sip:b@c>;tag=t'),
    )
    expect(bench.core.counts.refusedAdmission + bench.core.counts.droppedAdmission).toBe(before)
    expect(bench.core.counts.refusedNoDialog).toBe(1)
  })
})
