// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest'
import { buildRequest, buildResponse, headerValues, startLine } from './message-builder.ts'

it('composes a request that is written down here in full', () => {
  expect(buildRequest({ body: 'v=0\r\n', contact: '<sip:alice@192.0.2.1>', headers: ['X-A: 1'] })).toBe(
    [
      'INVITE sip:bob@example.test SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-test-1',
      'Max-Forwards: 70',
      'From: <sip:alice@example.test>;tag=a1',
      'To: <sip:bob@example.test>',
      'Call-ID: call-1@192.0.2.1',
      'CSeq: 1 INVITE',
      'Contact: <sip:alice@192.0.2.1>',
      'X-A: 1',
      'Content-Length: 5',
      '',
      'v=0\r\n',
    ].join('\r\n'),
  )
})

it('leaves out what it is told to', () => {
  const text = buildRequest({ method: 'OPTIONS', maxForwards: undefined, contentLength: null, via: [] })
  expect(text).not.toMatch(/Max-Forwards|Content-Length|Via/)
})

it('answers with the lines of the request and a To tag, once', () => {
  const request = buildRequest({ via: ['SIP/2.0/UDP a;branch=z9hG4bK1', 'SIP/2.0/UDP b;branch=z9hG4bK2'] })
  const response = buildResponse(request, 180, { reason: 'Ringing', toTag: 'b1' })
  expect(startLine(response)).toBe('SIP/2.0 180 Ringing')
  expect(headerValues(response, 'Via')).toEqual(headerValues(request, 'via'))
  expect(headerValues(response, 'to')).toEqual(['<sip:bob@example.test>;tag=b1'])
  const inDialog = buildRequest({ to: '<sip:bob@example.test>;tag=b1' })
  expect(headerValues(buildResponse(inDialog, 200, { toTag: 'other' }), 'To')).toEqual([
    '<sip:bob@example.test>;tag=b1',
  ])
})

it('reads compact and folded headers, and nothing of the body', () => {
  const text = 'OPTIONS sip:x SIP/2.0\r\nv: a\r\nVIA: b,\r\n c\r\n\r\nVia: body\r\n\r\n'
  expect(headerValues(text, 'Via')).toEqual(['a', 'b, c'])
})
