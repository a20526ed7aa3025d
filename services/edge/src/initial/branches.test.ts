// SPDX-License-Identifier: MIT
// What an edge adds to a request that it forwards, and what a plan changes in it.
// Does not test: how edits are applied (packages/sip).
import { policy } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EDGE_ADDRESS, EdgeBench, requestText, stepOf, targetOf, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const { ADD, REMOVE } = policy.HeaderEdit_Operation
const BOB_URI = 'sip:bob@192.0.2.30'

describe('header edits of a plan', () => {
  const HEADERS = ['X-A: 1', 'X-A: 2', 'x-b: one', 'X-B: two', 'X-B: two, three', 'Subject: kept']
  const forwarded = (...edits: policy.HeaderEdit[]): string => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE', headers: HEADERS }))
    bench.plan([[BOB_URI]], { edits })
    return bench.last('MESSAGE')
  }

  test('REMOVE without a value takes every header of the name, in any case', () => {
    const text = forwarded({ operation: REMOVE, name: 'x-a', value: '' })
    expect([valuesOf(text, 'X-A'), valuesOf(text, 'Subject')]).toEqual([[], ['kept']])
  })

  test('REMOVE with a value takes only lines with exactly that value', () => {
    const text = forwarded({ operation: REMOVE, name: 'X-B', value: 'two' })
    expect([valuesOf(text, 'x-b'), valuesOf(text, 'X-B')]).toEqual([['one'], ['two, three']])
  })

  test('two REMOVEs of one line, and one of what is not there', () => {
    const text = forwarded(
      { operation: REMOVE, name: 'X-A', value: '1' },
      { operation: REMOVE, name: 'X-A', value: '' },
      { operation: REMOVE, name: 'X-C', value: '' },
    )
    expect(valuesOf(text, 'X-A')).toEqual([])
  })

  test('ADD adds a line; REMOVE of the same name spares it', () => {
    const text = forwarded(
      { operation: REMOVE, name: 'X-A', value: '' },
      { operation: ADD, name: 'X-A', value: 'ours' },
      { operation: ADD, name: 'P-Asserted-Identity', value: '<sip:alice@example.test>' },
    )
    expect(valuesOf(text, 'X-A')).toEqual(['ours'])
    expect(valuesOf(text, 'P-Asserted-Identity')).toEqual(['<sip:alice@example.test>'])
  })

  test('what forwarding needs is not a plan’s to remove', () => {
    const text = forwarded(
      ...['Via', 'Max-Forwards', 'call-id', 'From', 'CSeq', 'l'].map((name) => ({
        operation: REMOVE,
        name,
        value: '',
      })),
    )
    expect(valuesOf(text, 'Via')).toHaveLength(2)
    expect(valuesOf(text, 'Max-Forwards')).toEqual(['69'])
    expect(valuesOf(text, 'Call-ID')).toEqual(['call-1'])
  })
})

describe('bytes that an INVITE grows by', () => {
  const REFERENCE = 'abcdefghijklmnopqrstuvwx'
  const NAT_VIA = 'Via: SIP/2.0/UDP 10.0.0.100:5060;branch=z9hG4bK-a1;rport'
  const grown = (via: string, aor: boolean): number => {
    bench = new EdgeBench({ 'edge.bindAddress': '198.51.100.100' })
    const text = requestText({ via, uri: BOB_URI })
    bench.udpIn(text, '192.0.2.200', 45_678)
    const where = aor ? ({ $case: 'aor', value: 'bob' } as const) : ({ $case: 'uri', value: BOB_URI } as const)
    const steps = [stepOf({ targets: [targetOf(where)] })]
    bench.plan([], { steps, accounting: true }, REFERENCE)
    if (aor) {
      const bindings = [bindingOf('sip:bob@10.0.0.200:5060', { address: '203.0.113.200', port: 45_678 })]
      bench.location.take('locate').answer({ bindings, version: 1n })
    }
    bench.begin()
    const sent = bench.last('INVITE')
    const uri = sent.slice(7, sent.indexOf(' SIP/2.0'))
    return sent.length - text.length - (uri.length - BOB_URI.length)
  }

  test.each([
    ['plain', `Via: SIP/2.0/UDP 192.0.2.200:5060;branch=z9hG4bK-a1`, false],
    ['a caller behind NAT', NAT_VIA, false],
    ['both behind NAT', NAT_VIA, true],
  ])('MUST be at most 246 with one listener, Max-Breadth included: %s [DESIGN-4]', (_name, via, aor) => {
    const bytes = grown(via, aor)
    expect(bytes).toBeGreaterThan(100)
    expect(bytes).toBeLessThanOrEqual(246)
  })

  test('one Record-Route where both sides see one listener, two where they differ [RFC5658-6.2a] [RFC5658-6.2d] [RFC5658-7a]', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText())
    bench.plan([[BOB_URI, `${BOB_URI};transport=tcp`]])
    bench.begin()
    const values = bench.sent
      .filter(({ text }) => text.startsWith('INVITE'))
      .map(({ text }) => valuesOf(text, 'Record-Route').map((value) => value.replace(/sip:[\w.-]+@/, 'sip:token@')))
    const near = `<sip:token@${EDGE_ADDRESS}:5060;lr>`
    expect(values).toEqual([[near], [`<sip:token@${EDGE_ADDRESS}:5060;transport=tcp;lr>`, near]])
  })

  test('a MESSAGE gets none: it forms no dialog', () => {
    bench = new EdgeBench()
    bench.udpIn(requestText({ method: 'MESSAGE' }))
    bench.plan([[BOB_URI]])
    expect(valuesOf(bench.last('MESSAGE'), 'Record-Route')).toEqual([])
  })

  test('the same branch and token from every edge for the same attempt [RFC3261-16.6.8b]', () => {
    const texts = [0, 1].map(() => {
      bench = new EdgeBench()
      bench.udpIn(requestText(), ALICE)
      bench.plan([[BOB_URI]], {}, REFERENCE)
      bench.begin()
      return bench.last('INVITE')
    })
    expect(texts[0]).toBe(texts[1])
  })
})
