// SPDX-License-Identifier: MIT
// URIs: grammar, equality (the RFC's own examples), canonical forms.
import { describe, expect, it, test } from 'vitest'
import { LIMITS } from '../limits.ts'
import { encodeUri, parseUri, type Uri, uriParam } from './uri.ts'
import { canonicalAor, compareUris, uriKey } from './uri-compare.ts'

const uri = (text: string): Uri => {
  const value = parseUri(text)
  if (value === undefined) throw new Error(`no URI: ${text}`)
  return value
}

describe('parseUri', () => {
  const rows: { cite: string; text: string; expected: Partial<Uri> }[] = [
    {
      cite: 'RFC3261-19.1.1',
      text: 'sip:alice:pw@atlanta.com:5070;transport=tcp;lr?Subject=x&a=b',
      expected: { user: 'alice', password: 'pw', host: 'atlanta.com', port: 5070, headers: 'Subject=x&a=b' },
    },
    {
      cite: 'RFC4475-3.1.1.9 semicolons in the user part',
      text: 'sip:user;par=u%40example.net@example.com',
      expected: { user: 'user;par=u%40example.net', host: 'example.com', params: [] },
    },
    {
      cite: 'RFC5118-4.3 port ambiguous',
      text: 'sip:[2001:db8::10:5070]',
      expected: { host: '[2001:db8::10:5070]', port: -1 },
    },
    {
      cite: 'RFC5118-4.4',
      text: 'sips:a@[2001:db8::10]:5070',
      expected: { scheme: 'sips', host: '[2001:db8::10]', port: 5070 },
    },
    {
      cite: 'RFC3966',
      text: 'tel:+1-201-555-0123;isub=1',
      expected: { scheme: 'tel', user: '+1-201-555-0123', host: '' },
    },
    {
      cite: 'other schemes',
      text: 'soap.beep://192.0.2.103:3002',
      expected: { scheme: 'soap.beep', opaque: '//192.0.2.103:3002' },
    },
    { cite: 'no user', text: 'SIP:example.com', expected: { scheme: 'sip', user: '', host: 'example.com' } },
    {
      cite: 'what carriers send in user parts',
      text: 'sip:#31#+49{x}|y@h_1',
      expected: { user: '#31#+49{x}|y', host: 'h_1' },
    },
  ]
  it.each(rows)('$cite', ({ text, expected }) => {
    expect(uri(text)).toMatchObject(expected)
    expect(encodeUri(uri(text)).toLowerCase()).toBe(text.toLowerCase())
  })

  it('knows flags from values', () => {
    const value = uri('sip:a@b;lr;X=;y=z')
    expect([uriParam(value, 'lr'), uriParam(value, 'x'), uriParam(value, 'y'), uriParam(value, 'q')]).toEqual([
      '',
      '',
      'z',
      undefined,
    ])
  })

  it.each([
    '',
    'sip:',
    'sip',
    ':x',
    '1sip:a',
    'sip:@h',
    'sip:a@',
    'sip:a@b:',
    'sip:a@b:65536',
    'sip:a@b:0',
    'sip:a@b:5060x',
    'sip:a@[::1',
    'sip:a@[1]',
    'sip:a b@c',
    'sip:a@b;;c',
    'sip:a@b;=c',
    'sip:a@b\0',
    'tel:',
    'tel:+',
    'tel:12x34',
    `sip:a@b${';x'.repeat(LIMITS.paramCount + 1)}`,
  ])('refuses %j', (text) => {
    expect(parseUri(text)).toBeUndefined()
  })
})

describe('compareUris', () => {
  const equal = [
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['sip:a@[2001:db8:::1.2.3.4]', 'sip:a@[2001:DB8::1.2.3.4]'],
    ['sip:a@[2001:db8::1]', 'sip:a@[2001:0DB8:0:0::0:1]'],
    ['sip:a@[::ffff:192.0.2.1]', 'sip:a@[::FFFF:c000:201]'],
    ['sip:%23%7b@h', 'sip:#{@h'],
    ['sip:a@h;%6caf=1', 'sip:a@h;LAF=1'],
    ['sip:a@h?s=x', 'sip:a@h?Subject=X'],
    ['sip:a@h?subject=%78', 'sip:a@h?subject=x'],
    ['tel:+1-201-555-0123', 'tel:+12015550123'],
    ['tel:+1(201)555.0123;ISUB=1;ext=1-2', 'TEL:+12015550123;ext=12;isub=1'],
    ['tel:863-1234;phone-context=+1-914-555', 'tel:8631234;phone-context=+1914555'],
    ['tel:7042;phone-context=Example.com', 'tel:7042;phone-context=example.COM'],
    ['urn:x', 'urn:x'],
  ]
  it.each(equal)('%s = %s [RFC3261-19.1.4bcdgij] [RFC3966-4]', (a, b) => {
    expect(compareUris(uri(a), uri(b)) && compareUris(uri(b), uri(a))).toBe(true)
  })

  const different = [
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:a@b', 'sips:a@b'],
    ['sip:%00@h', 'sip:%00%00@h'],
    ['sip:a%2540b@h', 'sip:a%40b@h'],
    ['sip:bob@h', 'sip:h'],
    ['sip:bob@h', 'sip:bob:pw@h'],
    ['sip:bob:pw@h', 'sip:bob:PW@h'],
    ['sip:+1;isub=A@h;user=phone', 'sip:+1;isub=a@h;user=phone'],
    ['sip:a@h', 'sip:a@h;user=ip'],
    ['sip:a@h', 'sip:a@h;ttl=1'],
    ['sip:a@h', 'sip:a@h;method=INVITE'],
    ['sip:a@h', 'sip:a@h;maddr=h'],
    ['sip:a@h;maddr=x', 'sip:a@h;maddr=y'],
    ['sip:a%3Bb@h', 'sip:a;b@h'],
    ['sip:a@[2001:db8::1]', 'sip:a@[2001:db8::2]'],
    ['sip:a@h?x=1&y=2', 'sip:a@h?x=1'],
    ['tel:+1;phone-context=a', 'tel:+1'],
    ['tel:+12015550123', 'tel:12015550123;phone-context=a'],
    ['tel:+1;a=1', 'tel:+1;a=2'],
    ['tel:+1', 'sip:+1@h;user=phone'],
  ]
  it.each(different)('%s ≠ %s [RFC3261-19.1.4abefghj] [RFC3966-4]', (a, b) => {
    expect(compareUris(uri(a), uri(b)) || compareUris(uri(b), uri(a))).toBe(false)
  })
})

test('[RFC3261-19.1.4i] equality is not transitive', () => {
  const [plain, on, off] = ['', ';security=on', ';security=off'].map((end) => uri(`sip:carol@chicago.com${end}`)) as [
    Uri,
    Uri,
    Uri,
  ]
  expect([compareUris(plain, on), compareUris(plain, off), compareUris(on, off)]).toEqual([true, true, false])
})

describe('canonicalAor [RFC3261-10.3 step 5]', () => {
  it.each([
    ['sip:%61lice:pw@Example.COM;user=phone;x?y=z', 'sip:alice@example.com'],
    ['sips:Bob@example.com:5061', 'sip:Bob@example.com:5061'],
    ['sip:a%2fb@h.', 'sip:a%2Fb@h'],
    ['sip:%00@h', 'sip:%00@h'],
    ['tel:+1-201-555.0123', 'tel:+12015550123'],
    ['urn:x', undefined],
  ])('%s', (text, expected) => {
    expect(canonicalAor(uri(text))).toBe(expected)
  })
})

describe('uriKey', () => {
  it('is one for the spellings of a contact, and another for what differs', () => {
    const key = uriKey(uri('sip:a@h:5062;transport=tcp;line=1'))
    expect(uriKey(uri('SIP:%61@H:5062;LINE=1;Transport=TCP'))).toBe(key)
    const others = [
      'sip:a@h:5062;transport=tcp;line=2',
      'sips:a@h:5062;transport=tcp;line=1',
      'sip:a@h:5062;transport=tcp',
      'sip:a@h:5063;transport=tcp;line=1',
      'sip:a:p@h:5062;transport=tcp;line=1',
      'sip:a@h:5062;transport=tcp;line=1?x=y',
      'tel:+1',
      'urn:x',
    ]
    expect(new Set([key, ...others.map((text) => uriKey(uri(text)))]).size).toBe(others.length + 1)
  })
})
