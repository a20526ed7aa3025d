// SPDX-License-Identifier: MIT
// Banned sources at an edge: what they get, what passes, how long, and what a word of policy changes.
import type { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, EdgeBench, requestText } from '../testing.ts'
import { BannedSources } from './banned-sources.ts'

const OTHER = '198.51.100.77'
let bench: EdgeBench
afterEach(() => bench?.close())

const words = (...sources: [source: string, leftMs: number, revision: number][]): policy.Push => ({
  event: {
    $case: 'bannedSources',
    value: {
      sources: sources.map(([source, leftMs, revision]) => ({
        source,
        leftMs: BigInt(leftMs),
        revision: BigInt(revision),
      })),
    },
  },
})

function banned(settings: Readonly<Record<string, unknown>> = {}): EdgeBench {
  bench = new EdgeBench(settings)
  bench.policy.push(words([ALICE, 60_000, 1]))
  bench.take()
  return bench
}

let branches = 0

/** Whether policy is asked about a request from there. */
function isAsked(address: string, method = 'REGISTER'): boolean {
  const before = bench.policy.waiting().length
  bench.udpIn(requestText({ method, branch: `z9hG4bK-${++branches}` }), address)
  return bench.policy.waiting().length > before
}

describe('a banned source', () => {
  test('gets nothing, and policy is not asked; another source works; later it works again', () => {
    banned()
    expect([isAsked(ALICE), isAsked(ALICE, 'INVITE'), isAsked(ALICE, 'OPTIONS')]).toEqual([false, false, false])
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedBanned).toBe(3)
    expect(isAsked(OTHER)).toBe(true)
    bench.advance(60_100)
    expect(isAsked(ALICE)).toBe(true)
  })

  test('gets 403 where the setting says so, for a REGISTER too', () => {
    banned({ 'edge.whenBanned': 'refuse' })
    expect([isAsked(ALICE), isAsked(ALICE, 'MESSAGE')]).toEqual([false, false])
    expect(bench.sent.slice(-2).map(({ text }) => text.split('\r\n', 1)[0])).toEqual([
      'SIP/2.0 403 Forbidden',
      'SIP/2.0 403 Forbidden',
    ])
    expect(bench.core.counts.refusedBanned).toBe(2)
  })

  test('gets no answer to what nobody can read', () => {
    banned()
    bench.udpIn('REGISTER sip:x SIP/3.0\r\n\r\n')
    bench.udpIn('NONSENSE\r\n\r\n')
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedBanned).toBe(2)
  })

  test('may go on with what is up: requests in a dialog are judged as ever', () => {
    banned()
    bench.udpIn(requestText({ method: 'BYE', toTag: 'b' }))
    expect(bench.core.counts).toMatchObject({ refusedNoDialog: 1, droppedBanned: 0 })
  })

  test('may call for help', () => {
    banned()
    bench.udpIn(requestText({ uri: 'sip:112@example.test' }))
    expect(bench.core.counts.droppedBanned).toBe(0)
    expect(bench.policy.waiting()).toContain('decide')
  })

  test('works at once when the ban is lifted, and no older word brings it back', () => {
    banned()
    bench.policy.push(words([ALICE, 0, 3]))
    expect(isAsked(ALICE)).toBe(true)
    bench.policy.push(words([ALICE, 60_000, 2]))
    expect(isAsked(ALICE)).toBe(true)
    bench.policy.push(words([ALICE, 60_000, 4]))
    expect(isAsked(ALICE)).toBe(false)
  })
})

describe('the table of banned sources', () => {
  const value = (push: policy.Push) => (push.event as { value: policy.BannedSources }).value

  test('knows a /64 of IPv6 and IPv4 in IPv6', () => {
    const table = new BannedSources()
    table.take(value(words(['2001:db8:0:1::/64', 1_000, 1], ['192.0.2.9', 1_000, 1])), 0)
    expect(table.has('2001:db8:0:1:a:b:c:d', 10)).toBe(true)
    expect(table.has('2001:db8:0:2::1', 10)).toBe(false)
    expect(table.has('::ffff:192.0.2.9', 10)).toBe(true)
    expect(table.has('192.0.2.9', 1_000)).toBe(false)
  })

  test('is bounded, and forgets what has ended', () => {
    const table = new BannedSources(2)
    table.take(value(words(['192.0.2.1', 1_000, 1], ['192.0.2.2', 3_000, 2], ['192.0.2.3', 2_000, 3])), 0)
    expect(table.countAt(10)).toBe(2)
    expect(table.has('192.0.2.1', 10)).toBe(false)
    table.take(value(words()), 5_000)
    expect(table.isEmpty).toBe(true)
  })
})
