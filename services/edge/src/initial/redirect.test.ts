// SPDX-License-Identifier: MIT
// The edge as a redirect server: the 3xx that it makes of a verdict, its Contacts, and its transaction.
// Does not test: when policy redirects (services/policy).
import { type location, type policy, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, bindingOf, EdgeBench, requestText, valuesOf } from '../testing.ts'

let bench: EdgeBench
afterEach(() => bench.close())

const UP = `udp ${ALICE}:5060`

const redirected = (
  redirect: Partial<policy.Redirect>,
  request: Parameters<typeof requestText>[0] = {},
  settings = {},
): void => {
  bench = new EdgeBench(settings)
  bench.udpIn(requestText(request))
  bench.decide({ $case: 'redirect', value: { status: 0, contacts: [], aor: 'sip:bob@example.test', ...redirect } })
}
const located = (...bindings: Partial<location.Binding>[]): void => {
  const all = bindings.map((binding) => ({ ...bindingOf('sip:bob@192.0.2.30'), ...binding }))
  bench.location.take('locate').answer({ bindings: all, version: 1n })
}
const contacts = (status: number): string[] => valuesOf(bench.last(String(status)), 'Contact')

describe('a redirect [RFC3261-8.3d]', () => {
  test('to the bindings of an address, highest q first, each with its q and lifetime [RFC3261-21.3.1]', () => {
    redirected({})
    located(
      { uri: 'sip:a@192.0.2.31', qMilli: 300, expiresS: 10 },
      { uri: 'sip:b@192.0.2.32;transport=tcp', qMilli: 1000, expiresS: 20 },
      { uri: 'sip:c@pbx.test', qMilli: 300, isStatic: true },
    )
    expect(contacts(300)).toEqual([
      '<sip:b@192.0.2.32;transport=tcp>;q=1;expires=20',
      '<sip:a@192.0.2.31>;q=0.3;expires=10',
      '<sip:c@pbx.test>;q=0.3',
    ])
    expect(bench.take()).toEqual([`300 → ${UP}`])
    expect(bench.core.counts.redirects).toBe(1)
  })

  test.each([
    [0, 1, 302],
    [0, 2, 300],
    [301, 2, 301],
    [302, 2, 302],
    [305, 1, 302],
    [200, 1, 302],
  ])('status %i with %i Contacts: %i [RFC3261-21.3.1] [RFC3261-21.3.4]', (status, count, expected) => {
    redirected({ status })
    located(...['a', 'b'].slice(0, count).map((user) => ({ uri: `sip:${user}@192.0.2.31` })))
    expect(bench.take()).toEqual([`${expected} → ${UP}`])
  })

  test('Contacts of policy come first', () => {
    redirected({ contacts: ['"Desk" <sip:desk@192.0.2.9>;q=0.2'] })
    located({ uri: 'sip:a@192.0.2.31' })
    expect(contacts(300)).toEqual(['"Desk" <sip:desk@192.0.2.9>;q=0.2', '<sip:a@192.0.2.31>;q=1;expires=60'])
  })

  test('MUST NOT name the URI that was called; one URI once; what breaks the grammar is left out [RFC3261-8.3b]', () => {
    redirected({ contacts: ['<sip:bob@EXAMPLE.test>', '<sip:>', 'no contact', '<sip:x@192.0.2.9>'] })
    located({ uri: 'sip:x@192.0.2.9;a=1' }, { uri: 'sip:bob@example.test' })
    expect(contacts(302)).toEqual(['<sip:x@192.0.2.9>'])
  })

  test('sips is never redirected to sip [RFC5630-5.4ab]', () => {
    redirected({}, { uri: 'sips:bob@example.test' })
    located({ uri: 'sip:a@192.0.2.31' }, { uri: 'sips:a@phone.test' })
    expect(contacts(302)).toEqual(['<sips:a@phone.test>;q=1;expires=60'])
  })

  test('nobody registered: 480', () => {
    redirected({ status: 302 })
    located()
    expect(bench.take()).toEqual([`480 → ${UP}`])
  })

  test('the plan’s own Contacts come to nothing: 404 [RFC3261-8.3b]', () => {
    redirected({ aor: '', contacts: ['<sip:bob@example.test>'] })
    expect(bench.take()).toEqual([`404 → ${UP}`])
  })

  test('location gives no answer: 503', () => {
    redirected({})
    bench.location.take('locate').end(unknown('timeout'))
    expect(bench.take()).toEqual([`503 → ${UP}`])
  })

  test('never more Contacts than one request may have targets', () => {
    redirected({}, {}, { 'edge.limits.maxTargets': 2 })
    located(...['a', 'b', 'c'].map((user) => ({ uri: `sip:${user}@192.0.2.31` })))
    expect(contacts(300)).toHaveLength(2)
  })
})

describe('its transaction', () => {
  test('a repetition gets the 3xx again, the ACK ends it, nothing is sent on', () => {
    redirected({ aor: '', contacts: ['<sip:x@192.0.2.9>'] })
    bench.take()
    bench.udpIn(requestText())
    expect(bench.take()).toEqual([`302 → ${UP}`])
    bench.udpIn(requestText({ method: 'ACK' }))
    bench.advance(40_000)
    expect(bench.take()).toEqual([])
    expect(bench.core.layer.serverCount).toBe(0)
  })

  test('a CANCEL gets 200 and ends what is not redirected yet; neither it nor an ACK is ever redirected [RFC3261-8.3a]', () => {
    redirected({})
    bench.udpIn(requestText({ method: 'CANCEL' }))
    bench.udpIn(requestText({ method: 'ACK' }))
    located({ uri: 'sip:a@192.0.2.31' })
    expect(bench.take()).toEqual([`200 → ${UP}`, `487 → ${UP}`])
    expect(bench.policy.waiting()).toEqual([])
  })

  test.each(['MESSAGE', 'ODD'])(
    '%s with fields and option tags that nobody knows is redirected alike [RFC3261-8.3c]',
    (method) => {
      const headers = ['Require: odd', 'X-Odd: odd']
      redirected({ aor: '', contacts: ['<sip:x@192.0.2.9>'] }, { method, headers })
      expect(contacts(302)).toEqual(['<sip:x@192.0.2.9>'])
    },
  )
})
