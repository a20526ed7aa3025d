// SPDX-License-Identifier: MIT
// The service examples of RFC 5359, message by message, with our cluster between all of the phones, also where the RFC draws none.
// The services of 2.7 to 2.9 and 2.12 are the proxy's; by our resources they are contacts in an order of preference, and no 181 is sent.
import { describe, test } from 'vitest'
import { again, exchange, playFlow, session } from './ladder.ts'
import { people } from './resources.ts'

const resources = people()
const registered = ['Alice', 'Bob', 'Carol']

describe('hold', () => {
  test('[RFC5359-2.1] call hold and back', () =>
    playFlow(
      session('Alice', 'Bob') + again('Bob', 'Alice') + again('Bob', 'Alice') + exchange('Alice', 'Bob', 'BYE'),
      { resources, registered },
    ))

  test('[RFC5359-2.2] consultation hold', () =>
    playFlow(
      session('Alice', 'Bob') +
        again('Bob', 'Alice') +
        session('Bob', 'Carol', '#2') +
        exchange('Bob', 'Carol', 'BYE', '#2') +
        again('Bob', 'Alice') +
        exchange('Alice', 'Bob', 'BYE'),
      { resources, registered },
    ))

  test('[RFC5359-2.3] music on hold: the music server calls with Replaces', () =>
    playFlow(
      session('Alice', 'Bob') +
        again('Bob', 'Alice') +
        exchange('Bob', 'Moh', 'REFER moh', '#2', '{Refer-To: <sip:alice@tandem.test?Replaces=1>}', 202) +
        exchange('Moh', 'Bob', 'NOTIFY', '#2', '{Event: refer} {Subscription-State: active;expires=60}') +
        `
        Moh > INVITE alice #3 {Replaces: call-1;to-tag=alice-1;from-tag=bob-1}
        Moh < 100 #3
        Alice < INVITE #3 {Replaces ~ ^call-1;to-tag=alice-1;from-tag=bob-1$}
        Alice > 200 #3
        Moh < 200 #3
        Moh > ACK #3
        Alice < ACK #3` +
        exchange('Alice', 'Bob', 'BYE') +
        exchange('Moh', 'Bob', 'NOTIFY', '#2', '{Event: refer} {Subscription-State: terminated;reason=noresource}') +
        `
        Bob > INVITE alice #4 {Replaces: call-3;to-tag=alice-3;from-tag=moh-3}
        Bob < 100 #4
        Alice < INVITE #4 {Replaces ~ ^call-3}
        Alice > 200 #4
        Bob < 200 #4
        Bob > ACK #4
        Alice < ACK #4` +
        exchange('Alice', 'Moh', 'BYE', '#3'),
      { resources, registered: [...registered, 'Moh'] },
    ))
})

const REFER = '{Refer-To: <sip:carol@tandem.test>} {Referred-By: <sip:alice@tandem.test>}'

describe('transfer', () => {
  test('[RFC5359-2.4] unattended', () =>
    playFlow(
      session('Bob', 'Alice') +
        exchange('Alice', 'Bob', 'REFER', '', REFER, 202) +
        exchange('Bob', 'Alice', 'NOTIFY', '', '{Event: refer} {Subscription-State: active;expires=60}') +
        exchange('Alice', 'Bob', 'BYE') +
        session('Bob', 'Carol', '#2', '{Referred-By: <sip:alice@tandem.test>}') +
        exchange('Bob', 'Alice', 'NOTIFY', '', '{Event: refer} {Subscription-State: terminated;reason=noresource}'),
      { resources, registered },
    ))

  test('[RFC5359-2.5] attended, with Replaces', () =>
    playFlow(
      session('Alice', 'Bob') +
        again('Bob', 'Alice') +
        session('Bob', 'Carol', '#2') +
        again('Bob', 'Carol', '#2') +
        exchange('Bob', 'Alice', 'REFER', '', '{Refer-To: <sip:carol@tandem.test?Replaces=call-2>}', 202) +
        exchange('Alice', 'Bob', 'NOTIFY', '', '{Event: refer} {Subscription-State: active}') +
        `
        Alice > INVITE carol #3 {Replaces: call-2;to-tag=carol-2;from-tag=bob-2} {Require: replaces}
        Alice < 100 #3
        Carol < INVITE #3 {Replaces ~ ^call-2;to-tag=carol-2;from-tag=bob-2$} {Require ~ ^replaces$}
        Carol > 200 #3
        Alice < 200 #3
        Alice > ACK #3
        Carol < ACK #3` +
        exchange('Carol', 'Bob', 'BYE', '#2') +
        exchange('Alice', 'Bob', 'NOTIFY', '', '{Event: refer} {Subscription-State: terminated}') +
        exchange('Bob', 'Alice', 'BYE'),
      { resources, registered },
    ))

  test('[RFC5359-2.6] by an instant message that carries a link', () =>
    playFlow(
      session('Alice', 'Bob') +
        exchange('Bob', 'Alice', 'MESSAGE alice', '#2', '{Content-Type: text/html}') +
        exchange('Bob', 'Alice', 'BYE') +
        session('Alice', 'Carol', '#3'),
      { resources, registered },
    ))
})

/** Bob's phones, in the order in which they are to ring; the second is of the same user. */
const byPreference = (first: string, second: string): string => `
    ${first} > REGISTER {Contact: <sip:bob@192.0.2.20:5060>;q=1.0}
    ${first} < 200
    ${second} > REGISTER {Contact: <sip:bob@192.0.2.21:5060>;q=0.5}
    ${second} < 200`
const twoPhones = {
  resources: people({ forking: 'q', ringMs: 5_000 }),
  users: { B1: 'bob', B2: 'bob' },
  at: { B1: 1, B2: 1, Alice: 0 },
}

describe('forwarding by the proxy', () => {
  test('[RFC5359-2.7] unconditional: the phone that registered is elsewhere', () =>
    playFlow(
      `
    Bob > REGISTER {Contact: <sip:bob@192.0.2.21:5060>}
    Bob < 200
    Carol > REGISTER
    Carol < 200
    Alice > INVITE bob
    Alice < 100
    Carol < INVITE {URI ~ ^sip:bob@192.0.2.21}
    Carol > 200
    Alice < 200
    Alice > ACK
    Carol < ACK${exchange('Alice', 'Carol', 'BYE')}`,
      { resources, at: { Bob: 1, Carol: 1, Alice: 0 } },
    ))

  test('[RFC5359-2.8] busy: the next phone of his', () =>
    playFlow(
      byPreference('B1', 'B2') +
        `
    Alice > INVITE bob
    Alice < 100
    B1 < INVITE
    B1 > 486
    B1 < ACK
    B2 < INVITE
    B2 > 180
    Alice < 180
    B2 > 200
    Alice < 200
    Alice > ACK
    B2 < ACK` +
        exchange('B2', 'Alice', 'BYE'),
      twoPhones,
    ))

  test('[RFC5359-2.9] no answer: CANCEL, then the next phone', () =>
    playFlow(
      byPreference('B1', 'B2') +
        `
    Alice > INVITE bob
    Alice < 100
    B1 < INVITE
    B1 > 180
    Alice < 180
    wait 5100
    B1 < CANCEL
    B1 > 200
    B1 > 487 for INVITE
    B1 < ACK
    B2 < INVITE
    B2 > 180
    Alice < 180
    B2 > 200
    Alice < 200
    Alice > ACK
    B2 < ACK` +
        exchange('Alice', 'B2', 'BYE'),
      twoPhones,
    ))

  test('[RFC5359-2.12] find me: one after another, until he answers', () =>
    playFlow(
      byPreference('B1', 'B2') +
        `
    Alice > INVITE bob
    Alice < 100
    B1 < INVITE
    B1 > 404
    B1 < ACK
    B2 < INVITE
    B2 > 200
    Alice < 200
    Alice > ACK
    B2 < ACK` +
        exchange('B2', 'Alice', 'BYE'),
      twoPhones,
    ))
})

describe('screening', () => {
  const screening = people({ authentication: 'required', challenge: ['MD5'] })

  test('[RFC5359-2.13] incoming: whom the callee refuses gets his 403, with what it says', () =>
    playFlow(
      `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 403 {Error-Info: <sip:screening-failure@announcements.example.test>}
    Bob < ACK
    Alice < 403 {Error-Info ~ screening-failure}
    Alice > ACK
      `,
      { resources, registered },
    ))

  test('[RFC5359-2.14] outgoing: a call to where the proxy does not route is refused', () =>
    playFlow(
      `
    Alice > INVITE sip:bob@elsewhere.example
    Alice < 403
    Alice > ACK
      `,
      { resources: screening },
    ))
})

describe('park, pickup, redial, click to dial', () => {
  test('[RFC5359-2.15] park: the park server takes the call, a third phone takes it from there', () =>
    playFlow(
      session('Alice', 'Bob') +
        exchange('Bob', 'Moh', 'REFER moh', '#2', '{Refer-To: <sip:alice@tandem.test?Replaces=1>}', 202) +
        exchange('Moh', 'Bob', 'NOTIFY', '#2', '{Event: refer} {Subscription-State: active;expires=60}') +
        session('Moh', 'Alice', '#3', '{Replaces: call-1;to-tag=alice-1;from-tag=bob-1}') +
        exchange('Alice', 'Bob', 'BYE') +
        exchange('Moh', 'Bob', 'NOTIFY', '#2', '{Event: refer} {Subscription-State: terminated;reason=noresource}') +
        exchange('Carol', 'Moh', 'SUBSCRIBE moh', '#4', '{Event: dialog} {Expires: 0}') +
        exchange('Moh', 'Carol', 'NOTIFY', '#4', '{Event: dialog} {Subscription-State: terminated;reason=timeout}') +
        session('Carol', 'Alice', '#5', '{Replaces: call-3;to-tag=alice-3;from-tag=moh-3}') +
        exchange('Alice', 'Moh', 'BYE', '#3'),
      { resources, registered: [...registered, 'Moh'] },
    ))

  test('[RFC5359-2.16] pickup of a call that rings, with early-only', () =>
    playFlow(
      `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 180
    Alice < 180` +
        exchange('Carol', 'Bob', 'SUBSCRIBE bob', '#2', '{Event: dialog} {Expires: 0}') +
        exchange('Bob', 'Carol', 'NOTIFY', '#2', '{Event: dialog} {Subscription-State: terminated}') +
        `
    Carol > INVITE alice #3 {Replaces: call-1;to-tag=alice-1;from-tag=bob-1;early-only}
    Carol < 100 #3
    Alice < INVITE #3 {Replaces ~ early-only}
    Alice > 200 #3
    Carol < 200 #3
    Alice > CANCEL
    Alice < 200
    Bob < CANCEL
    Bob > 200
    Bob > 487 for INVITE
    Bob < ACK
    Alice < 487
    Alice > ACK
    Carol > ACK #3
    Alice < ACK #3` +
        exchange('Alice', 'Carol', 'BYE', '#3'),
      { resources, registered },
    ))

  test('[RFC5359-2.17] automatic redial: the caller watches the callee until he is free', () =>
    playFlow(
      `
    Alice > INVITE bob
    Alice < 100
    Bob < INVITE
    Bob > 486
    Bob < ACK
    Alice < 486
    Alice > ACK` +
        exchange('Alice', 'Bob', 'SUBSCRIBE bob', '#2', '{Event: dialog} {Expires: 600}') +
        exchange('Bob', 'Alice', 'NOTIFY', '#2', '{Event: dialog} {Subscription-State: active}').repeat(2) +
        session('Alice', 'Bob', '#3') +
        exchange('Bob', 'Alice', 'NOTIFY', '#2', '{Event: dialog} {Subscription-State: active}') +
        exchange('Alice', 'Bob', 'SUBSCRIBE', '#2', '{Event: dialog} {Expires: 0}') +
        exchange('Bob', 'Alice', 'NOTIFY', '#2', '{Event: dialog} {Subscription-State: terminated;reason=timeout}'),
      { resources, registered },
    ))

  test('[RFC5359-2.18] click to dial: REFER without a subscription', () =>
    playFlow(
      exchange('Alice', 'Bob', 'REFER bob', '', '{Refer-To: <sip:carol@tandem.test>} {Refer-Sub: false}', 202) +
        session('Bob', 'Carol', '#2'),
      { resources, registered },
    ))
})
