// SPDX-License-Identifier: MIT
// The call flows of RFC 3666, message by message: NGW1 and NGW2 are gateways to the telephone network, which registered here, or whose
// addresses are configured. What gateways say to their switches is theirs. 2.4's ENUM query is the caller's; the numbers are usernames here.
import { describe, test } from 'vitest'
import { exchange, playFlow, session } from './ladder.ts'
import { people } from './resources.ts'

const NUMBER = '+19725552222'
const resources = people({}, { ngw1: { usernames: ['ngw1', NUMBER] } })
const toNumber = session('Alice', 'Ngw1').replace('INVITE ngw1', `INVITE sip:${NUMBER}@tandem.test;user=phone`)

describe('from SIP to the telephone network', () => {
  test.each(['[RFC3666-2.1] to an ISUP switch', '[RFC3666-2.2] to an ISDN PBX'])(
    '%s: the number leads to the gateway',
    () =>
      playFlow(toNumber + exchange('Alice', 'Ngw1', 'BYE'), {
        resources,
        registered: ['Ngw1'],
        at: { Ngw1: 1, Alice: 0 },
      }),
  )

  test('[RFC3666-2.3] overflow: the first gateway says 503, the second one takes the call', () =>
    playFlow(
      `
    Ngw1 > REGISTER {Contact: <sip:${NUMBER}@192.0.2.20:5060>;q=1.0}
    Ngw1 < 200
    Ngw2 > REGISTER {Contact: <sip:${NUMBER}@192.0.2.21:5060>;q=0.5}
    Ngw2 < 200
    Alice > INVITE ngw1
    Alice < 100
    Ngw1 < INVITE {URI ~ 9725552222}
    Ngw1 > 503
    Ngw1 < ACK
    Ngw2 < INVITE {URI ~ 9725552222}
    Ngw2 > 183
    Alice < 183
    Ngw2 > 200
    Alice < 200
    Alice > ACK
    Ngw2 < ACK${exchange('Alice', 'Ngw2', 'BYE')}`,
      { resources: people({ forking: 'q' }), users: { Ngw2: 'ngw1' }, at: { Ngw1: 1, Ngw2: 1, Alice: 0 } },
    ))

  test('[RFC3666-2.4] to a SIP phone by its number', () =>
    playFlow(toNumber.replaceAll('Ngw1', 'Bob') + exchange('Bob', 'Alice', 'BYE'), {
      resources: people({}, { bob: { usernames: ['bob', NUMBER] } }),
      registered: ['Bob'],
      at: { Bob: 1, Alice: 0 },
    }))

  test('[RFC3666-2.5] a treatment from the network in early media, and the caller gives up', () =>
    playFlow(
      `
    Alice > INVITE sip:${NUMBER}@tandem.test;user=phone
    Alice < 100
    Ngw1 < INVITE
    Ngw1 > 183
    Alice < 183
    Alice > CANCEL
    Alice < 200
    Ngw1 < CANCEL
    Ngw1 > 200
    Ngw1 > 487 for INVITE
    Ngw1 < ACK
    Alice < 487
    Alice > ACK`,
      { resources, registered: ['Ngw1'], at: { Ngw1: 1, Alice: 0 } },
    ))

  test.each([
    { cite: '[RFC3666-2.6] released with a cause', early: '', status: 404, more: '{Reason: Q.850;cause=1}' },
    { cite: '[RFC3666-2.7] no answer in time', early: '183', status: 480, more: '{Reason: Q.850;cause=19}' },
  ])('$cite: $status with its Reason goes up', ({ early, status, more }) =>
    playFlow(
      `
    Alice > INVITE sip:${NUMBER}@tandem.test;user=phone
    Alice < 100
    Ngw1 < INVITE
    ${early && `Ngw1 > ${early}`}
    ${early && `Alice < ${early}`}
    Ngw1 > ${status} ${more}
    Ngw1 < ACK
    Alice < ${status} {Reason ~ Q.850}
    Alice > ACK`,
      { resources, registered: ['Ngw1'], at: { Ngw1: 1, Alice: 0 } },
    ),
  )
})

describe('from the telephone network to SIP', () => {
  const registered = ['Ngw1', 'Bob']

  test.each(['[RFC3666-3.1] from a switch', '[RFC3666-3.3] from a PBX'])('%s', () =>
    playFlow(session('Ngw1', 'Bob') + exchange('Bob', 'Ngw1', 'BYE'), { resources, registered }),
  )

  test('[RFC3666-3.2] fast answer: 200 without 180', () =>
    playFlow(
      `
    Ngw1 > INVITE bob
    Ngw1 < 100
    Bob < INVITE
    Bob > 200
    Ngw1 < 200
    Ngw1 > ACK
    Bob < ACK${exchange('Ngw1', 'Bob', 'BYE')}`,
      { resources, registered },
    ))

  test('[RFC3666-3.4] a number that nobody has: 404', () =>
    playFlow(
      `
    Ngw1 > INVITE sip:+44999@tandem.test;user=phone
    Ngw1 < 404
    Ngw1 > ACK`,
      { resources, registered },
    ))

  test.each(['[RFC3666-3.5] mapped to a release', '[RFC3666-3.6] mapped to tones'])('%s: busy', () =>
    playFlow(
      `
    Ngw1 > INVITE bob
    Ngw1 < 100
    Bob < INVITE
    Bob > 486
    Bob < ACK
    Ngw1 < 486
    Ngw1 > ACK`,
      { resources, registered },
    ),
  )

  test('[RFC3666-3.7] no word from the callee: the gateway gives up, and CANCEL waits for a word', () =>
    playFlow(
      `
    Ngw1 > INVITE bob
    Ngw1 < 100
    Bob < INVITE
    wait 600
    Bob < INVITE
    Ngw1 > CANCEL
    Ngw1 < 200
    wait 1200
    Bob < INVITE
    Bob > 180
    Ngw1 < 180
    Bob < CANCEL
    Bob > 200
    Bob > 487 for INVITE
    Bob < ACK
    Ngw1 < 487
    Ngw1 > ACK`,
      { resources, registered },
    ))

  test('[RFC3666-3.9] the caller abandons the call while it rings', () =>
    playFlow(
      `
    Ngw1 > INVITE bob
    Ngw1 < 100
    Bob < INVITE
    Bob > 180
    Ngw1 < 180
    Ngw1 > CANCEL
    Ngw1 < 200
    Bob < CANCEL
    Bob > 200
    Bob > 487 for INVITE
    Bob < ACK
    Ngw1 < 487
    Ngw1 > ACK`,
      { resources, registered },
    ))
})

describe('from telephone network to telephone network', () => {
  test('[RFC3666-4.1] gateway to gateway', () =>
    playFlow(session('Ngw1', 'Ngw2') + exchange('Ngw2', 'Ngw1', 'BYE'), { resources, registered: ['Ngw1', 'Ngw2'] }))

  test('[RFC3666-4.2] with overflow to another gateway', () =>
    playFlow(
      `
    G1 > REGISTER {Contact: <sip:ngw2@192.0.2.20:5060>;q=1.0}
    G1 < 200
    G2 > REGISTER {Contact: <sip:ngw2@192.0.2.21:5060>;q=0.5}
    G2 < 200
    Ngw1 > INVITE ngw2
    Ngw1 < 100
    G1 < INVITE
    G1 > 503
    G1 < ACK
    G2 < INVITE
    G2 > 200
    Ngw1 < 200
    Ngw1 > ACK
    G2 < ACK${exchange('Ngw1', 'G2', 'BYE')}`,
      { resources: people({ forking: 'q' }), users: { G1: 'ngw2', G2: 'ngw2' }, at: { G1: 1, G2: 1, Ngw1: 0 } },
    ))
})
