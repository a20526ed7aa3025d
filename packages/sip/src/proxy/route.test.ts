// SPDX-License-Identifier: MIT
// Which Route values are ours, by token or by address, and what stands behind them.
// Does not test: tokens themselves (record-route-token.test.ts), strict routers before us (request-uri.test.ts).
import { describe, expect, test } from 'vitest'
import { type RouteOwner, RouteView } from './route.ts'
import { messageOf, requestText } from './testing.ts'

const OWNER: RouteOwner<string> = {
  verifyToken: (msg, start, end) => {
    const user = msg.text(start, end)
    return user.startsWith('good') ? user : undefined
  },
  isOwnAddress: (host, port) => (host === 'edge.test' || host === '[2001:db8::1]') && (port === -1 || port === 5060),
}

interface Row {
  name: string
  routes: string[]
  popCount: number
  token?: string
  forged?: boolean
  next?: string
}

const ROWS: Row[] = [
  { name: 'no Route', routes: [], popCount: 0 },
  { name: 'a token, whichever address it names', routes: ['<sip:good@elsewhere.test;lr>'], popCount: 1, token: 'good' },
  {
    name: 'two of ours: the first token counts, both go [RFC5658-6.2e]',
    routes: ['<sip:good1@a;transport=tcp;lr>, <sip:good2@b;lr>'],
    popCount: 2,
    token: 'good1',
  },
  {
    name: 'ours, then another',
    routes: ['<sip:good@a;lr>', '<sip:proxy.test;lr>'],
    popCount: 1,
    token: 'good',
    next: 'sip:proxy.test;lr',
  },
  {
    name: 'another, then ours: not ours to pop',
    routes: ['<sip:proxy.test;lr>', '<sip:good@a;lr>'],
    popCount: 0,
    next: 'sip:proxy.test;lr',
  },
  { name: 'our address without a user part: an outbound proxy', routes: ['<sip:edge.test;lr>'], popCount: 1 },
  { name: 'our address with port', routes: ['<sip:edge.test:5060;lr>'], popCount: 1 },
  { name: 'our IPv6 address', routes: ['<sip:[2001:db8::1]:5060;lr>'], popCount: 1 },
  { name: 'another port', routes: ['<sip:edge.test:5999;lr>'], popCount: 0, next: 'sip:edge.test:5999;lr' },
  {
    name: 'our address with a user part that is no token: forged',
    routes: ['<sip:bad@edge.test;lr>'],
    popCount: 1,
    forged: true,
  },
  {
    name: 'a bad token at another address is just another route',
    routes: ['<sip:bad@else.test;lr>'],
    popCount: 0,
    next: 'sip:bad@else.test;lr',
  },
  {
    name: 'a display name and no angle brackets around the next',
    routes: ['"x" <sip:good@a;lr>, sip:b.test'],
    popCount: 1,
    token: 'good',
    next: 'sip:b.test',
  },
  { name: 'what can not be read is not ours', routes: ['<<>>'], popCount: 0, next: '<<>>' },
  { name: 'no SIP URI is not ours', routes: ['<tel:+1>'], popCount: 0, next: 'tel:+1' },
]

describe('Route preprocessing [RFC3261-16.4f]', () => {
  const view = new RouteView<string>()

  test.each(ROWS)('$name', ({ routes, popCount, token, forged = false, next }) => {
    const msg = messageOf(requestText({ headers: routes.map((route) => `Route: ${route}`) }))
    view.read(msg, OWNER)
    const found = view.nextStart < 0 ? undefined : msg.text(view.nextStart, view.nextEnd)
    expect({ popCount: view.popCount, token: view.token, forged: view.forged, next: found }).toEqual({
      popCount,
      token,
      forged,
      next,
    })
  })
})

test.each([
  ['<sip:proxy.test;lr>', false],
  ['<sip:proxy.test;lr=on>', false],
  ['<sip:proxy.test;transport=tcp;LR>', false],
  ['<sip:proxy.test>', true],
  ['<sip:proxy.test;x=lr>', true],
  ['sip:proxy.test;lr', true],
  ['<tel:+1>', false],
])('[RFC3261-16.6.6f] the next Route %s: strict %s', (route, strict) => {
  const view = new RouteView<string>()
  view.read(messageOf(requestText({ headers: [`Route: <sip:good@a;lr>, ${route}`] })), OWNER)
  expect(view.nextIsStrict).toBe(strict)
})

test('[RFC3261-16.4c] a token of the Request-URI comes before those of the Routes', () => {
  const view = new RouteView<string>()
  const msg = messageOf(requestText({ headers: ['Route: <sip:good@a;lr>'] }))
  view.read(msg, OWNER, 'first')
  expect([view.token, view.popCount]).toEqual(['first', 1])
  view.read(msg, OWNER)
  expect(view.token).toBe('good')
})
