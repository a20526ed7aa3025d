// SPDX-License-Identifier: MIT
// 50,000 mutated messages through a whole edge in memory, then what is meant to break it, one by one: each gets an answer or is dropped and
// counted, and the next good message works. TANDEM_FUZZ_SEED gives other messages.
// Not tested here: streams (transport's own tests, test/e2e), which never open in memory.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildRequest, headerValues, startLine } from '@tandem/test-kit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryPhone } from '../support/phone.ts'
import type { EdgeFuzzOutcome } from './run-edge.ts'

const FIRST_SEED = process.env.TANDEM_FUZZ_SEED ?? '1'
const COUNT = 50_000
const MOST_GROWTH_BYTES = 8 << 20

describe('mutated messages through an edge', () => {
  it(`${COUNT} of them: no exception, nothing left, no growth`, { timeout: 300_000 }, async () => {
    const program = join(import.meta.dirname, 'run-edge.ts')
    const args = ['--conditions=@tandem/source', program, FIRST_SEED, String(COUNT)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const { left, heapBytes, counts } = JSON.parse(stdout) as EdgeFuzzOutcome
    expect(left).toEqual([0, 0, 0, 0])
    expect(heapBytes[1] - heapBytes[0], `heap ${heapBytes}`).toBeLessThan(MOST_GROWTH_BYTES)
    // The run is worth its time only while it gets as far as this.
    for (const name of [
      'calls',
      'callsAnswered',
      'inDialog',
      'acksForwarded',
      'registrations',
      'droppedStrayResponse',
    ]) {
      expect(counts[name], name).toBeGreaterThan(100)
    }
  })
})

const VIA = 'SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK-bad;rport'
const MOST_UDP_BYTES = 65_507

/** A request to bob that is `bytes` long, its body making up for what is missing. */
function requestOf(bytes: number, method: 'MESSAGE' | 'INVITE'): string {
  const empty = buildRequest({ method, uri: 'sip:bob@tandem.test', via: VIA, contentLength: '00000' })
  const length = bytes - empty.length
  return empty.replace('Content-Length: 00000', `Content-Length: ${length}`) + 'x'.repeat(length)
}

function withHeaders(headers: readonly string[], contentLength?: string): string {
  const base = { method: 'MESSAGE', uri: 'sip:bob@tandem.test', via: VIA }
  return buildRequest({ ...base, headers, ...(contentLength === undefined ? {} : { contentLength }) })
}

interface Case {
  readonly what: string
  readonly text: string
  /** Of the answer; 0: dropped, counted as `count`. */
  readonly status: number
  readonly count?: 'droppedUnreadable' | 'keepAlives'
}

const plain = withHeaders([])

const CASES: readonly Case[] = [
  {
    what: 'a datagram of 65,507 bytes of one letter',
    text: 'A'.repeat(MOST_UDP_BYTES),
    status: 0,
    count: 'droppedUnreadable',
  },
  { what: 'a datagram of 65,507 NULs', text: '\0'.repeat(MOST_UDP_BYTES), status: 0, count: 'keepAlives' },
  {
    what: 'a datagram of 65,507 bytes of CRLF',
    text: '\r\n'.repeat(MOST_UDP_BYTES / 2),
    status: 0,
    count: 'keepAlives',
  },
  { what: '10,000 headers', text: withHeaders(Array.from({ length: 10_000 }, () => 'A: 1')), status: 400 },
  { what: 'a header of 60 KB', text: withHeaders([`Subject: ${'s'.repeat(60_000)}`]), status: 400 },
  { what: '60 KB of folds', text: withHeaders([`Subject: a${'\r\n a'.repeat(15_000)}`]), status: 400 },
  { what: '60 KB of separators in Via', text: plain.replace(';rport', ';'.repeat(60_000)), status: 400 },
  { what: 'a Request-URI of 60 KB', text: plain.replace('sip:bob@', `sip:${'b'.repeat(60_000)}@`), status: 400 },
  { what: 'a Content-Length of -1', text: withHeaders([], '-1'), status: 400 },
  { what: 'a Content-Length of 2^64', text: withHeaders([], '18446744073709551616'), status: 400 },
  { what: 'a Content-Length of 2^31 without that body', text: withHeaders([], '2147483648'), status: 400 },
  { what: 'a NUL in the request line', text: plain.replace('sip:bob', 'sip:b\0b'), status: 400 },
  { what: 'a NUL for a method', text: plain.replace('MESSAGE', '\0ESSAGE'), status: 0, count: 'droppedUnreadable' },
  { what: 'a NUL in a header', text: withHeaders(['Subject: a\0b']), status: 400 },
  {
    what: 'a request line alone',
    text: plain.slice(0, plain.indexOf('\r\n') + 2),
    status: 0,
    count: 'droppedUnreadable',
  },
  { what: 'a request that ends within its headers', text: plain.slice(0, -10), status: 400 },
]

describe('bad input', () => {
  let cluster: MemoryCluster
  let alice: MemoryPhone
  let bob: MemoryPhone
  beforeEach(async () => {
    cluster = await createMemoryCluster()
    alice = new MemoryPhone(cluster.network, 'alice', '192.0.2.20', 5060, { address: '192.0.2.1', port: 5060 })
    bob = new MemoryPhone(cluster.network, 'bob', '192.0.2.30', 5060, { address: '192.0.2.1', port: 5060 })
    bob.register('tandem.test')
    await cluster.settle()
  })
  afterEach(() => cluster.close())

  async function expectNextWorks(): Promise<void> {
    expect(cluster.problems).toEqual([])
    alice.send(alice.request('MESSAGE', { uri: 'sip:bob@tandem.test', callId: 'the-next' }))
    await cluster.settle()
    expect(headerValues(bob.last(), 'call-id')).toEqual(['the-next'])
  }

  it.each(CASES)('$what', async ({ text, status, count }) => {
    alice.send(text)
    await cluster.settle()
    expect(alice.inbox.map((answer) => startLine(answer).split(' ')[1])).toEqual(status === 0 ? [] : [String(status)])
    if (count !== undefined) expect(cluster.edge.core.counts[count]).toBe(1)
    await expectNextWorks()
  })

  it('a good request of 65,000 bytes is forwarded byte for byte', async () => {
    const text = requestOf(65_000, 'MESSAGE')
    alice.send(text)
    await cluster.settle()
    expect(bob.last().slice(bob.last().indexOf('\r\n\r\n'))).toBe(text.slice(text.indexOf('\r\n\r\n')))
    await expectNextWorks()
  })

  it('a good INVITE of 65,507 bytes, which no datagram holds with our Via, gets 513', async () => {
    alice.send(requestOf(MOST_UDP_BYTES, 'INVITE'))
    await cluster.settle()
    await cluster.advance(33_000, 100)
    expect(new Set(alice.inbox.map((answer) => startLine(answer).split(' ')[1]))).toEqual(new Set(['513']))
    expect(cluster.edge.endpoint.counters.dropped).toBe(0)
    await expectNextWorks()
  })
})
