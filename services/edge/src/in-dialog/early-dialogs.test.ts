// SPDX-License-Identifier: MIT
// Requests inside the early dialogs of several branches: each goes to its own callee, through whichever edge it comes.
// Does not test: responses of early dialogs (packages/sip/src/proxy/early-dialogs.test.ts), established dialogs (in-dialog.test.ts).
import { afterEach, describe, expect, test } from 'vitest'
import { ALICE, EdgeBench, requestText, responseTo, valuesOf } from '../testing.ts'

const UP = `udp ${ALICE}:5060`
const HOSTS = [31, 32] as const
const at = (host: number): string => `192.0.2.${host}`

const benches: EdgeBench[] = []
const edge = (id: string): EdgeBench => {
  const bench = new EdgeBench({}, id)
  benches.push(bench)
  return bench
}
afterEach(() => {
  for (const bench of benches.splice(0)) bench.close()
})

interface EarlyDialog {
  readonly tag: string
  readonly contact: string
  readonly routes: readonly string[]
}

/** A call that rings at two callees, each with a reliable 183. */
const ringing = (headers: readonly string[] = []) => {
  const first = edge('edge-0.test')
  first.udpIn(requestText({ headers: ['Require: 100rel', ...headers] }))
  first.plan([HOSTS.map((host) => `sip:bob@${at(host)}`)])
  first.begin()
  const invites = HOSTS.map((host) => first.sent.find(({ to }) => to === `udp ${at(host)}:5060`)?.text ?? '')
  const answer = (k: number, status: number): void => {
    const lines = [`Contact: <sip:line${k}@${at(31 + k)}:5070>`, 'Require: 100rel', `RSeq: ${k + 1}`, 'X-Odd: kept']
    first.udpIn(responseTo(invites[k] as string, status, `t${k}`, lines), at(31 + k))
  }
  const early = (k: number): EarlyDialog => {
    answer(k, 183)
    const text = first.last('183')
    const contact = /<(.+)>/.exec(valuesOf(text, 'Contact')[0] as string)?.[1] as string
    return { tag: `t${k}`, contact, routes: valuesOf(text, 'Record-Route') }
  }
  return { first, early, answer }
}

const inside = (method: string, dialog: EarlyDialog, cseq: number): string =>
  requestText({
    method,
    uri: dialog.contact,
    toTag: dialog.tag,
    cseq,
    branch: `z9hG4bK-${method}-${dialog.tag}-${cseq}`,
    headers: [...dialog.routes.map((route) => `Route: ${route}`), 'RAck: 1 1 INVITE'],
  })

describe('early dialogs of two branches', () => {
  test('a request that requires 100rel is proxied, its reliable responses go up as they came [RFC3262-3b] [RFC3262-3d]', () => {
    const { first, early } = ringing()
    early(0)
    const text = first.last('183')
    expect([valuesOf(text, 'Require'), valuesOf(text, 'RSeq'), valuesOf(text, 'X-Odd')]).toEqual([
      ['100rel'],
      ['1'],
      ['kept'],
    ])
    expect(valuesOf(first.last('100'), 'Require')).toEqual([]) // [RFC3262-3c]
  })

  test.each(['PRACK', 'UPDATE', 'INFO'])(
    '%s of each goes to its callee, through another edge, and its answer back [RFC3262-3a] [RFC3262-9] [RFC3311-5.1a]',
    (method) => {
      const { early } = ringing()
      const dialogs = [early(0), early(1)]
      const other = edge('edge-1.test')
      for (const [k, dialog] of dialogs.entries()) {
        other.udpIn(inside(method, dialog, 2 + k))
        expect(other.take()).toEqual([`${method} → udp ${at(31 + k)}:5070`])
        const sent = other.last(method)
        expect(sent.split(' ')[1]).toBe(dialog.contact)
        other.udpIn(responseTo(sent, 200), at(31 + k), 5070)
        expect(other.take()).toEqual([`200 → ${UP}`])
      }
      expect(other.policy.waiting()).toEqual([])
    },
  )

  test('with the route set of another call they are refused', () => {
    const { early } = ringing()
    const dialog = early(0)
    const other = edge('edge-1.test')
    other.udpIn(inside('PRACK', dialog, 2).replace('Call-ID: call-1', 'Call-ID: call-2'))
    expect(other.take()).toEqual([`403 → ${UP}`])
  })

  test('one that has had its 199 still takes requests [RFC6228-7]', () => {
    const first = edge('edge-0.test')
    first.udpIn(requestText({ headers: ['Supported: 199, 100rel'] }))
    first.plan([HOSTS.map((host) => `sip:bob@${at(host)}`)])
    first.begin()
    const invite = first.sent.find(({ to }) => to === `udp ${at(31)}:5060`)?.text as string
    first.udpIn(responseTo(invite, 183, 't0', [`Contact: <sip:line0@${at(31)}:5070>`]), at(31))
    const routes = valuesOf(first.last('183'), 'Record-Route')
    first.udpIn(responseTo(invite, 486, 't0'), at(31))
    expect(first.take().slice(-2)).toEqual([`ACK → udp ${at(31)}:5060`, `199 → ${UP}`])
    first.udpIn(inside('PRACK', { tag: 't0', contact: `sip:line0@${at(31)}:5070`, routes }, 2))
    expect(first.take()).toEqual([`PRACK → udp ${at(31)}:5070`])
  })
})
