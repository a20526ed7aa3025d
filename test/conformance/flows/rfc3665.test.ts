// SPDX-License-Identifier: MIT
// The call flows of RFC 3665 that pass a registrar, a proxy or a redirect server, message by message.
// Not here: 3.1 (no proxy), 3.5 (an application-level gateway, which edits SDP: a proxy that phones put into their Route is 3.2).
import { test } from 'vitest'
import { playFlow } from './ladder.ts'
import { people } from './resources.ts'

/** How Bob's phone becomes known where everybody has to prove who he is. */
const BOB_REGISTERS = `
    Bob > REGISTER
    Bob < 401
    Bob > REGISTER auth
    Bob < 200`
const asking = people({ authentication: 'required', challenge: ['MD5'] })

test('[RFC3665-2.1] successful new registration', () =>
  playFlow(
    `
    Bob > REGISTER
    Bob < 401 {WWW-Authenticate ~ ^Digest realm="tandem.test"}
    Bob > REGISTER auth {Expires: 7200}
    Bob < 200 {Contact ~ ^<sip:bob@192.0.2.20:5060>;expires=7200$}
    `,
    { resources: asking },
  ))

test('[RFC3665-2.2] update of the contact list', () =>
  playFlow(
    `
    Bob > REGISTER
    Bob < 200
    Bob > REGISTER {Contact: <mailto:bob@biloxi.example.com>}
    Bob < 200 {Contact ~ sip:bob@192.0.2.20} {Contact ~ mailto:bob@biloxi}
    `,
    { resources: people() },
  ))

test('[RFC3665-2.3] request for the current contact list', () =>
  playFlow(
    `
    Bob > REGISTER {Contact: <sip:bob@192.0.2.20:5060>} {Contact: <mailto:bob@biloxi.example.com>}
    Bob < 200
    Bob > REGISTER query
    Bob < 200 {Contact ~ sip:bob@192.0.2.20} {Contact ~ mailto:bob@biloxi}
    `,
    { resources: people() },
  ))

test('[RFC3665-2.4] cancellation of a registration', () =>
  playFlow(
    `
    Bob > REGISTER
    Bob < 200
    Bob > REGISTER {Contact: *} {Expires: 0}
    Bob < 200 {!Contact}
    `,
    { resources: people() },
  ))

test('[RFC3665-2.5] unsuccessful registration: other credentials are not his', () =>
  playFlow(
    `
    Bob > REGISTER
    Bob < 401
    Bob > REGISTER auth
    Bob < 401
    `,
    {
      resources: people(
        { authentication: 'required', challenge: ['MD5'] },
        { bob: { credentials: { password: 'other' } } },
      ),
    },
  ))

test('[RFC3665-3.2] session establishment through two proxies', () =>
  playFlow(
    `${BOB_REGISTERS}
    Alice > INVITE bob
    Alice < 407 {Proxy-Authenticate ~ ^Digest}
    Alice > ACK
    Alice > INVITE bob auth
    Alice < 100
    Bob < INVITE {URI ~ ^sip:bob@192.0.2} {Record-Route ~ lr} {Max-Forwards ~ ^69$} {!Proxy-Authorization}
    Bob > 180
    Alice < 180 {Record-Route ~ lr}
    Bob > 200
    Alice < 200 {Contact ~ sip:bob@192.0.2}
    Alice > ACK
    Bob < ACK {!Route}
    Bob > BYE
    Alice < BYE {!Route} {Max-Forwards ~ ^69$}
    Alice > 200
    Bob < 200
    `,
    { resources: asking, at: { Bob: 1, Alice: 0 } },
  ))

test('[RFC3665-3.3] session with multiple proxy authentication: a second realm further on', () =>
  playFlow(
    `${BOB_REGISTERS}
    Alice > INVITE bob
    Alice < 407 {Proxy-Authenticate ~ realm="tandem.test"}
    Alice > ACK
    Alice > INVITE bob auth
    Alice < 100
    Bob < INVITE
    Bob > 407 {Proxy-Authenticate: Digest realm="biloxi", nonce="1", algorithm=MD5}
    Bob < ACK
    Alice < 407 {Proxy-Authenticate ~ realm="biloxi"}
    Alice > ACK
    `,
    { resources: asking, at: { Bob: 1, Alice: 0 } },
  ))

test('[RFC3665-3.4] successful session with a proxy that is down: the same call through the other', () =>
  playFlow(
    `
    Alice > INVITE bob via 1
    Alice < 100
    Bob < INVITE
    Bob > 180
    Alice < 180
    Bob > 200
    Alice < 200
    Alice > ACK via 1
    Bob < ACK
    Alice > BYE via 0
    Bob < BYE
    Bob > 200
    Alice < 200
    `,
    { resources: people(), registered: ['Bob'] },
  ))

test('[RFC3665-3.6] session through redirect and proxy servers', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 302 {Contact ~ <sip:bob@192.0.2.20:5060>}
    Alice > ACK
    `,
    { resources: people({ routing: 'redirect' }), registered: ['Bob'] },
  ))

test('[RFC3665-3.7] session with re-INVITE: the callee has a new address', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 180
    Alice < 180
    Bob > 200
    Alice < 200
    Alice > ACK
    Bob < ACK
    Bob > INVITE
    Bob < 100
    Alice < INVITE {!Route}
    Alice > 200
    Bob < 200
    Bob > ACK
    Alice < ACK
    Alice > BYE
    Bob < BYE
    Bob > 200
    Alice < 200
    `,
    { resources: people(), registered: ['Bob'] },
  ))

test('[RFC3665-3.8] unsuccessful: no answer', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 180
    Alice < 180
    wait 2000
    Alice > CANCEL
    Alice < 200 {CSeq ~ CANCEL}
    Bob < CANCEL {Max-Forwards ~ .}
    Bob > 200
    Bob > 487 for INVITE
    Bob < ACK
    Alice < 487
    Alice > ACK
    `,
    { resources: people(), registered: ['Bob'] },
  ))

test('[RFC3665-3.9] unsuccessful: busy', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 100
    Bob > 486
    Bob < ACK
    Alice < 486
    Alice > ACK
    `,
    { resources: people(), registered: ['Bob'] },
  ))

test('[RFC3665-3.10] unsuccessful: no response from the user agent', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    wait 600
    Bob < INVITE
    wait 1100
    Bob < INVITE
    wait 2100
    Bob < INVITE
    wait 4100
    Bob < INVITE
    wait 8100
    Bob < INVITE
    wait 16100
    Bob < INVITE
    Alice < 408
    Alice > ACK
    `,
    { resources: people(), registered: ['Bob'] },
  ))

test('[RFC3665-3.11] unsuccessful: temporarily unavailable', () =>
  playFlow(
    `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 180
    Alice < 180
    Bob > 480 {Retry-After: 3600}
    Bob < ACK
    Alice < 480 {Retry-After ~ 3600}
    Alice > ACK
    `,
    { resources: people(), registered: ['Bob'] },
  ))
