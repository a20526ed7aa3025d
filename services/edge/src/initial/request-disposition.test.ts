// SPDX-License-Identifier: MIT
// What a caller asks of forking, recursion and cancelling, as an edge carries it out. Not tested here: what the plan alone says (plan-run.test.ts).
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { BOB, EdgeBench, requestText, responseTo, stepOf, targetOf } from '../testing.ts'

const CAROL = '192.0.2.31'
let bench: EdgeBench
afterEach(() => bench.close())

function uri(host: string, qMilli: number): policy.Target {
  return targetOf({ $case: 'uri', value: `sip:bob@${host}` }, { qMilli })
}

/** An INVITE with this Request-Disposition, planned to two targets at once; where its copies went. */
function call(directives: string, extra: Partial<policy.Plan> = {}): string[] {
  bench = new EdgeBench()
  bench.udpIn(requestText({ headers: [`Request-Disposition: ${directives}`] }))
  const steps = [stepOf({ targets: [uri(BOB, 300), uri(CAROL, 700)] }), stepOf({ targets: [uri('192.0.2.32', 0)] })]
  bench.plan([], { steps, ...extra })
  bench.begin()
  return invites()
}

function invites(): string[] {
  while (bench.location.waiting().includes('updateCall')) bench.location.take('updateCall').answer({ held: true })
  return bench.take().filter((line) => line.startsWith('INVITE'))
}

/** The INVITE that was sent there, answered. */
function answer(host: string, status: number, headers: readonly string[] = []): void {
  const sent = bench.sent.findLast(({ text, to }) => text.startsWith('INVITE') && to === `udp ${host}:5060`)
  bench.udpIn(responseTo(sent?.text ?? '', status, host, headers), host)
}

const TO_BOB = `INVITE → udp ${BOB}:5060`
const TO_CAROL = `INVITE → udp ${CAROL}:5060`

describe('Request-Disposition', () => {
  test.each(['fork, parallel', 'proxy', 'queue'])('[RFC3841-7.1] [RFC3841-9.1] %s: as the plan says', (directives) => {
    expect(call(directives)).toEqual([TO_BOB, TO_CAROL])
  })

  test('[RFC3841-9.1] no-fork: the best address alone, and none after it', () => {
    expect(call('no-fork')).toEqual([TO_CAROL])
    answer(CAROL, 486)
    expect(invites()).toEqual([])
    expect(bench.last('486')).toContain('SIP/2.0 486')
  })

  test('[RFC3841-9.1] sequential: the next after the failure of the one before', () => {
    expect(call('sequential')).toEqual([TO_CAROL])
    answer(CAROL, 486)
    expect(invites()).toEqual([TO_BOB])
  })

  test('[RFC3841-9.1] no-recurse: a 3xx goes to the caller', () => {
    call('no-recurse', { maxRecursions: 3, steps: [stepOf({ targets: [uri(BOB, 0)] })] })
    answer(BOB, 302, ['Contact: <sip:bob@192.0.2.40>'])
    expect(invites()).toEqual([])
    expect(bench.last('302')).toContain('Contact: <sip:bob@192.0.2.40>')
  })

  test.each([
    ['no-cancel', 0],
    ['cancel', 1],
  ])('[RFC3841-9.1] %s: CANCELs after a 2xx: %d', (directives, count) => {
    call(directives)
    answer(BOB, 180)
    answer(CAROL, 200)
    expect(bench.take().filter((line) => line.startsWith('CANCEL'))).toHaveLength(count)
  })

  test('[RFC3841-9.1] no-cancel: the 2xx of the other goes up too', () => {
    call('no-cancel')
    answer(BOB, 180)
    answer(CAROL, 200)
    bench.take()
    answer(BOB, 200)
    expect(bench.take()).toEqual(['200 → udp 192.0.2.20:5060'])
  })

  test('[RFC3841-9.1] no-cancel: after a 6xx the others are cancelled all the same', () => {
    call('no-cancel')
    answer(BOB, 180)
    answer(CAROL, 603)
    expect(bench.take().filter((line) => line.startsWith('CANCEL'))).toHaveLength(1)
  })
})
