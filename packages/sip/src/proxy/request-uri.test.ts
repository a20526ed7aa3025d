// SPDX-License-Identifier: MIT
// What a Request-URI is to us before anything is decided by it, and the plain request that is made of one of ours.
// Does not test: tokens (record-route-token.test.ts), what the edge does next (services/edge).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { Edits } from '../message/index.ts'
import { editRequestUri, REQUEST_URI, RequestUriView } from './request-uri.ts'
import type { RouteOwner } from './route.ts'
import { messageOf, requestText } from './testing.ts'

const OWNER: RouteOwner<string> = {
  verifyToken: (msg, start, end) => (msg.text(start, end) === 'good' ? 'token' : undefined),
  isOwnAddress: (host, port) => (host === 'edge.test' || host === '[2001:db8::1]') && (port === -1 || port === 5060),
}
const { PLAIN, STRICT, MADDR, FORGED } = REQUEST_URI

const withUri = (uri: string, headers: string[] = []): string =>
  requestText({ headers }).replace('sip:bob@example.test SIP/2.0', `${uri} SIP/2.0`)

describe('the Request-URI [RFC3261-16.4ad]', () => {
  const ROUTE = ['Route: <sip:bob@192.0.2.2>']
  test.each([
    { uri: 'sip:bob@example.test', headers: ROUTE, kind: PLAIN },
    { uri: 'tel:+12025550123', headers: ROUTE, kind: PLAIN },
    { uri: 'sip:good@elsewhere.test;lr', headers: ROUTE, kind: STRICT },
    { uri: 'sip:good@edge.test', headers: ROUTE, kind: STRICT },
    { uri: 'sip:edge.test;lr', headers: ROUTE, kind: STRICT },
    { uri: 'sip:good@edge.test;lr', headers: [], kind: FORGED },
    { uri: 'sip:edge.test;lr', headers: [], kind: FORGED },
    { uri: 'sip:bad@edge.test;lr', headers: ROUTE, kind: FORGED },
    { uri: 'sip:bad@edge.test:5999;lr', headers: ROUTE, kind: PLAIN },
    { uri: 'sip:bob@edge.test', headers: ROUTE, kind: PLAIN },
    { uri: 'sip:bob@example.test;maddr=edge.test', headers: [], kind: MADDR },
    { uri: 'sip:bob@example.test;maddr=[2001:db8::1]', headers: [], kind: MADDR },
    { uri: 'sip:bob@example.test:5070;maddr=edge.test', headers: [], kind: PLAIN },
    { uri: 'sip:bob@example.test;maddr=192.0.2.9', headers: [], kind: PLAIN },
    { uri: 'sip:bob@example.test;maddr', headers: [], kind: PLAIN },
  ])('$uri, $headers: $kind', ({ uri, headers, kind }) => {
    const view = new RequestUriView<string>()
    expect(view.read(messageOf(withUri(uri, headers)), OWNER)).toBe(kind)
    expect(view.token).toBe(uri.includes('good') ? 'token' : undefined)
  })
})

describe('the plain request', () => {
  const rewritten = (text: string, kind: number): string | undefined => {
    const edits = new Edits()
    const out = Buffer.alloc(4_096)
    if (!editRequestUri(messageOf(text), kind, edits)) return undefined
    return out.latin1Slice(0, edits.encodeInto(out, 0))
  }

  interface Row {
    cite: string
    uri: string
    headers?: string[]
    kind: number
    becomes: string
    left?: string[]
  }
  const ROWS: Row[] = [
    {
      cite: 'RFC3261-16.4b',
      uri: 'sip:good@edge.test;lr',
      headers: ['Route: <sip:b@h>'],
      kind: STRICT,
      becomes: 'sip:b@h',
    },
    {
      cite: 'RFC3261-16.4b, the last of several in one line',
      uri: 'sip:good@edge.test;lr',
      headers: ['Route: <sip:p1;lr>, "B" <sip:b@h;x=y>;z'],
      kind: STRICT,
      becomes: 'sip:b@h;x=y',
      left: ['Route: <sip:p1;lr>'],
    },
    {
      cite: 'RFC3261-16.4b, the last of several lines',
      uri: 'sip:good@edge.test;lr',
      headers: ['Route: <sip:p1;lr>', 'X: y', 'Route: <sip:p2;lr>', 'Route: sip:b@h'],
      kind: STRICT,
      becomes: 'sip:b@h',
      left: ['Route: <sip:p1;lr>', 'Route: <sip:p2;lr>'],
    },
    { cite: 'RFC3261-16.4e', uri: 'sip:b@h:5060;maddr=edge.test;transport=tcp;x', kind: MADDR, becomes: 'sip:b@h;x' },
    { cite: 'RFC3261-16.4e', uri: 'sip:b@h;x;MADDR=edge.test;z', kind: MADDR, becomes: 'sip:b@h;x;z' },
  ]
  test.each(ROWS)('[$cite] $uri → $becomes', ({ uri, headers = [], kind, becomes, left = [] }) => {
    const text = rewritten(withUri(uri, headers), kind)
    expect(text?.split('\r\n')[0]).toBe(`INVITE ${becomes} SIP/2.0`)
    expect(text?.split('\r\n').filter((line) => line.startsWith('Route'))).toEqual(left)
  })

  test('a last Route that is no URI makes none', () => {
    expect(rewritten(withUri('sip:good@edge.test;lr', ['Route: <sip:p;lr>, "']), STRICT)).toBeUndefined()
  })
})
