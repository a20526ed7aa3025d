// SPDX-License-Identifier: MIT
//
// Equality of contacts. The pairs of RFC 3261 §19.1.4 and those that phones send.
import { describe, expect, it } from 'vitest'
import { type ContactIdentity, contactIdentity, isSameContact } from './contact-identity.ts'

function identity(uri: string, instanceId = '', regId = 0): ContactIdentity {
  const found = contactIdentity(uri, instanceId, regId)
  if (!found) throw new Error(`no URI: ${uri}`)
  return found
}

const EQUAL = [
  ['RFC3261-19.1.4', 'sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
  ['RFC3261-19.1.4', 'sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
  ['RFC3261-19.1.4', 'sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
  [
    'RFC3261-19.1.4',
    'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
    'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
  ],
  [
    'RFC3261-19.1.4',
    'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
    'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
  ],
  ['order of other parameters', 'sip:a@h;x=1;y=2', 'sip:a@h;Y=2;X=1'],
  ['scheme without case', 'SIP:a@h', 'sip:a@h'],
  ['hex without case', 'sip:a%2fb@h', 'sip:a%2Fb@h'],
  ['RFC5954-4.2', 'sip:a@[2001:DB8::0:1]:5070', 'sip:a@[2001:db8::1]:5070'],
  ['RFC3966-4', 'tel:+1-201-555-0123', 'tel:+12015550123'],
  ['RFC3966-4', 'tel:7042;ext=1;phone-context=example.com', 'tel:7042;phone-context=EXAMPLE.com;ext=1'],
] as const

const DIFFERENT = [
  ['RFC3261-19.1.4 users', 'SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
  ['RFC3261-19.1.4 port', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
  ['RFC3261-19.1.4 transport', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
  ['RFC3261-19.1.4 both', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
  ['RFC3261-19.1.4 header', 'sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
  ['RFC3261-19.1.4 host', 'sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
  ['RFC3261-19.1.4 not transitive', 'sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
  ['RFC3261-19.1.4 sips', 'sip:a@h', 'sips:a@h'],
  ['RFC3261-19.1.4 password', 'sip:a@h', 'sip:a:secret@h'],
  ['RFC3261-19.1.4 no user', 'sip:h', 'sip:a@h'],
  ['RFC3261-19.1.4 user parameter', 'sip:1@h', 'sip:1@h;user=phone'],
  ['RFC3261-19.1.4 maddr', 'sip:a@h', 'sip:a@h;maddr=192.0.2.1'],
  ['reserved characters keep their escape', 'sip:a%3Bb@h', 'sip:a;b@h'],
  ['RFC3966-4', 'tel:+12015550123', 'tel:+12015550123;ext=1'],
] as const

describe('contact equality', () => {
  it.each(EQUAL)('%s: %s is %s', (_cite, a, b) => {
    expect(isSameContact(identity(a), identity(b))).toBe(true)
    expect(isSameContact(identity(b), identity(a))).toBe(true)
  })

  it.each(DIFFERENT)('%s: %s is not %s', (_cite, a, b) => {
    expect(isSameContact(identity(a), identity(b))).toBe(false)
    expect(isSameContact(identity(b), identity(a))).toBe(false)
    expect(identity(a).key).not.toBe(identity(b).key)
  })

  it.each([
    ['RFC5626-6 same instance and reg-id', ['<urn:uuid:1>', 1], ['<urn:uuid:1>', 1], true],
    ['RFC5626-6 another flow', ['<urn:uuid:1>', 1], ['<urn:uuid:1>', 2], false],
    ['RFC5626-6 another instance', ['<urn:uuid:1>', 1], ['<urn:uuid:2>', 1], false],
    ['RFC5626-6 one without reg-id', ['<urn:uuid:1>', 1], ['<urn:uuid:1>', 0], false],
  ] as const)('%s', (_cite, [instanceA, regA], [instanceB, regB], same) => {
    const a = identity('sip:a@192.0.2.1:1', instanceA, regA)
    const b = identity('sip:a@192.0.2.9:2', instanceB, regB)
    expect(isSameContact(a, b)).toBe(same)
  })

  it.each(['', '*', 'alice', 'sip:', 'sip:@h', 'sip:a@h:99999', 'tel:', 'sip:a b@h'])('%j is no contact', (uri) => {
    expect(contactIdentity(uri)).toBeUndefined()
  })
})
