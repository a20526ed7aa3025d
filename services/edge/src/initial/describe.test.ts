// SPDX-License-Identifier: MIT
//
// What policy is told of identity headers, Privacy and Event, whichever way they are written.
import { expect, test } from 'vitest'
import type { EdgePeer } from '../listeners/peers.ts'
import { messageOf, requestText } from '../testing.ts'
import { describeRequest } from './describe.ts'

const PEER = { transport: 'udp', address: '192.0.2.9', port: 5060 } as EdgePeer
const describeWith = (...headers: string[]) =>
  describeRequest(messageOf(requestText({ method: 'SUBSCRIBE', headers })), 'key', PEER, 'edge-0.1')

const NOTHING = { assertedIdentities: [], preferredIdentities: [], privacy: '', event: '', forwarded: undefined }

const CASES = [
  { title: 'nothing', headers: [], expected: {} },
  {
    title: '[RFC3325-9.1] two values in one line, commas in quotes left alone',
    headers: ['P-Asserted-Identity: "A, B" <sip:a@x.test>,tel:+1'],
    expected: { assertedIdentities: ['"A, B" <sip:a@x.test>', 'tel:+1'] },
  },
  {
    title: 'values of two lines, folded',
    headers: ['P-Preferred-Identity: "A"\r\n <sip:a@x.test>', 'p-preferred-identity: <tel:+1>'],
    expected: { preferredIdentities: ['"A" <sip:a@x.test>', '<tel:+1>'] },
  },
  {
    title: '[RFC3323-4.2a] Privacy of one line and of two',
    headers: ['Privacy: id;critical', 'Privacy: header'],
    expected: { privacy: 'id;critical;header' },
  },
  { title: 'Event without its parameters', headers: ['Event: Reg ;id=7'], expected: { event: 'reg' } },
  {
    title: '[RFC5806-4] [RFC7044-5] who was called before, from one line and from two',
    headers: [
      'Diversion: <sip:a@x.test>;reason=user-busy, <sip:b@x.test>',
      'History-Info: <sip:c@x.test>;index=1',
      'History-Info: <sip:d@x.test?Reason=SIP%3Bcause%3D302>;index=1.1',
    ],
    expected: {
      forwarded: {
        diversions: ['<sip:a@x.test>;reason=user-busy', '<sip:b@x.test>'],
        history: ['<sip:c@x.test>;index=1', '<sip:d@x.test?Reason=SIP%3Bcause%3D302>;index=1.1'],
      },
    },
  },
  {
    title: 'Diversion alone',
    headers: ['Diversion: <sip:a@x.test>'],
    expected: { forwarded: { diversions: ['<sip:a@x.test>'], history: [] } },
  },
  { title: 'Event in its short form', headers: ['o: presence'], expected: { event: 'presence' } },
]

test.each(CASES)('$title', ({ headers, expected }) => {
  expect(describeWith(...headers)).toMatchObject({ ...NOTHING, ...expected })
})

test('at most eight identities: more are nobody’s', () => {
  const headers = Array.from({ length: 20 }, (_, k) => `P-Asserted-Identity: <sip:${k}@x.test>`)
  expect(describeWith(...headers).assertedIdentities).toHaveLength(8)
})

test('of each kind at most ten who were called before', () => {
  const headers = ['Diversion', 'History-Info'].flatMap((name) =>
    Array.from({ length: 20 }, (_, k) => `${name}: <sip:${k}@x.test>`),
  )
  const { diversions = [], history = [] } = describeWith(...headers).forwarded ?? {}
  expect([diversions.length, history.length]).toEqual([10, 10])
})
