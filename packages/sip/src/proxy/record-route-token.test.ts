// SPDX-License-Identifier: MIT
// Record-Route tokens: every field comes back, no other dialog and no other key accepts them, and they stay short.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SipMessage, scan } from '../message/index.ts'
import { createKeyRing, LiveKeyRing } from './key-ring.ts'
import {
  encodeToken,
  encodeTokenOf,
  looksLikeToken,
  NO_SIDE,
  type TokenFields,
  type TokenSide,
  verifyToken,
  verifyTokenIn,
} from './record-route-token.ts'

const OLD = { id: 1, secret: 'old-secret-of-16-bytes' }
const NEW = { id: 2, secret: 'new-secret-of-16-bytes' }
const RING = createKeyRing([OLD])
const CALL_ID = 'a84b4c76e66710@pc33.example.test'
const BINDING: TokenSide = { kind: 'binding', aorHash: 0xfedcba98, instanceHash: 1, regId: 65_535 }
const FIELDS: TokenFields = {
  callRef: 'abcdefghijklmnop_-0123',
  caller: BINDING,
  callee: { kind: 'trunk', id: 7 },
  isStateless: false,
  callerTrusted: true,
  calleeTrusted: false,
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const port = fc.integer({ min: 0, max: 65_535 })
const side: fc.Arbitrary<TokenSide> = fc.oneof(
  fc.constant(NO_SIDE),
  fc.record({ kind: fc.constant('flow' as const), edgeHash: uint32, flowId: uint32 }),
  fc.record({ kind: fc.constant('trunk' as const), id: uint32 }),
  fc.record({ kind: fc.constant('binding' as const), aorHash: uint32, instanceHash: uint32, regId: port }),
  fc.record({ kind: fc.constant('address' as const), transport: fc.nat(255), address: fc.ipV4(), port }),
  fc.record({
    kind: fc.constant('address' as const),
    transport: fc.nat(255),
    address: fc.constantFrom('2001:db8::1', '192.0.2.9'),
    port,
    listenerHash: uint32,
  }),
)
const callRef = fc.stringMatching(/^[A-Za-z0-9_-]{0,24}$/)

describe('Record-Route token', () => {
  test('every field comes back, whichever side asks', () => {
    fc.assert(
      fc.property(
        fc.record({
          callRef,
          caller: side,
          callee: side,
          isStateless: fc.boolean(),
          callerTrusted: fc.boolean(),
          calleeTrusted: fc.boolean(),
        }),
        fc.string(),
        (fields, tag) => {
          const token = encodeToken(fields, RING, CALL_ID, tag)
          expect(token).toMatch(/^[A-Za-pr-z0-9._-]+$/)
          expect(token.length).toBeLessThanOrEqual(101)
          expect(looksLikeToken(token)).toBe(true)
          expect(verifyToken(token, RING, CALL_ID, tag, 'x!')).toEqual({ ...fields, keyId: 1, isInitiatorA: true })
          expect(verifyToken(token, RING, CALL_ID, `${tag}!`, tag)).toEqual({
            ...fields,
            keyId: 1,
            isInitiatorA: false,
          })
        },
      ),
      { numRuns: 200 },
    )
  })

  test('a live ring: tokens of before are good while their key is in it; a wrong ring changes nothing', () => {
    const ring = new LiveKeyRing([OLD])
    const token = encodeToken(FIELDS, ring, CALL_ID, 'a')
    ring.replace([NEW, OLD])
    expect(verifyToken(token, ring, CALL_ID, 'a', 'b')).toMatchObject({ keyId: OLD.id })
    expect(verifyToken(encodeToken(FIELDS, ring, CALL_ID, 'a'), ring, CALL_ID, 'a', 'b')).toMatchObject({
      keyId: NEW.id,
    })
    expect(() => ring.replace([])).toThrow('at least one key')
    expect(ring.signing.id).toBe(NEW.id)
    ring.replace([NEW])
    expect(verifyToken(token, ring, CALL_ID, 'a', 'b')).toBeUndefined()
  })

  test('the bytes of a message say the same as texts, from either side', () => {
    const token = encodeToken(FIELDS, RING, CALL_ID, 'initiator')
    for (const [from, to, isInitiatorA] of [
      ['initiator', 'other', true],
      ['other', 'initiator', false],
      ['other', 'another', undefined],
    ] as const) {
      const bytes = Buffer.from(
        `BYE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nRoute: <sip:${token}@192.0.2.9;lr>\r\n` +
          `From: <sip:a@x>;tag=${from}\r\nTo: <sip:b@x>;tag=${to}\r\nCall-ID: ${CALL_ID}\r\nCSeq: 2 BYE\r\n\r\n`,
      )
      const msg = new SipMessage()
      expect(scan(msg, bytes, 0, bytes.length)).toBe(0)
      const at = bytes.indexOf(token)
      const expected = isInitiatorA === undefined ? undefined : { ...FIELDS, keyId: 1, isInitiatorA }
      expect(verifyTokenIn(msg, at, at + token.length, RING)).toEqual(expected)
      expect(verifyTokenIn(msg, at, at + token.length - 1, RING)).toBeUndefined()
    }
  })

  test('from the bytes of a request it is the same as from texts', () => {
    const lines = [
      'INVITE sip:b@example.test SIP/2.0',
      'Via: SIP/2.0/UDP h;branch=z9hG4bK1',
      'From: <sip:a@example.test>;tag=from-1',
      'To: <sip:b@example.test>',
      `Call-ID: ${CALL_ID}`,
      'CSeq: 1 INVITE',
    ]
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    const msg = new SipMessage()
    expect(scan(msg, bytes, 0, bytes.length)).toBe(0)
    expect(encodeTokenOf(FIELDS, RING, msg)).toBe(encodeToken(FIELDS, RING, CALL_ID, 'from-1'))
  })

  test.each([
    ['2001:db8::1', '2001:db8::1'],
    ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['fe80:1:2:3:4:5:6:7', 'fe80:1:2:3:4:5:6:7'],
    ['1::', '1::'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ])('IPv6 %s comes back as %s [RFC5952-4]', (address, expected) => {
    const caller: TokenSide = { kind: 'address', transport: 1, address, port: 5060 }
    const token = encodeToken({ callRef: '', caller, callee: caller }, RING, CALL_ID, 'tag')
    expect(verifyToken(token, RING, CALL_ID, 'tag', '')?.caller).toEqual({ ...caller, address: expected })
  })

  test('the longest token', () => {
    const address: TokenSide = { kind: 'address', transport: 1, address: 'fe80:1:2:3:4:5:6:7', port: 5060 }
    const fields = { callRef: 'r'.repeat(24), caller: address, callee: address }
    expect(encodeToken(fields, RING, CALL_ID, 'tag').length).toBe(90)
    expect(encodeToken(FIELDS, RING, CALL_ID, 'tag').length).toBe(56)
  })

  test('the same from every edge', () => {
    expect(encodeToken(FIELDS, RING, CALL_ID, 'tag')).toBe(encodeToken(FIELDS, createKeyRing([OLD]), CALL_ID, 'tag'))
  })

  test.each([
    ['Call-ID', 'other', 'tag', ''],
    ['both tags', CALL_ID, 'x', 'y'],
    ['no tags', CALL_ID, '', ''],
  ])('another dialog (%s) is refused', (_name, callId, tagA, tagB) => {
    expect(verifyToken(encodeToken(FIELDS, RING, CALL_ID, 'tag'), RING, callId, tagA, tagB)).toBeUndefined()
  })

  test('every changed, missing or added character is refused', () => {
    const token = encodeToken(FIELDS, RING, CALL_ID, 'tag')
    for (let i = 0; i < token.length; i++) {
      const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`
      expect(verifyToken(changed, RING, CALL_ID, 'tag', ''), changed).toBeUndefined()
      expect(verifyToken(token.slice(0, i), RING, CALL_ID, 'tag', '')).toBeUndefined()
    }
    expect(verifyToken(`${token}A`, RING, CALL_ID, 'tag', '')).toBeUndefined()
  })

  test('several keys verify, the first signs', () => {
    const token = encodeToken(FIELDS, RING, CALL_ID, 'tag')
    expect(verifyToken(token, createKeyRing([NEW, OLD]), CALL_ID, 'tag', '')?.keyId).toBe(1)
    expect(verifyToken(token, createKeyRing([NEW]), CALL_ID, 'tag', '')).toBeUndefined()
    expect(verifyToken(token, createKeyRing([{ ...NEW, id: 1 }]), CALL_ID, 'tag', '')).toBeUndefined()
  })

  test('spells no CSeq, which programs take for the header wherever it stands', () => {
    const token = encodeToken({ ...FIELDS, callRef: '0aCSeqCSeq' }, RING, CALL_ID, 'tag')
    expect(token.endsWith('0aCSe.CSe.')).toBe(true)
    expect(verifyToken(token, RING, CALL_ID, 'tag', '')?.callRef).toBe('0aCSeqCSeq')
    expect(verifyToken(token.replaceAll('.', 'q'), RING, CALL_ID, 'tag', '')).toBeUndefined()
  })

  test('arbitrary text is refused and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), callRef, fc.stringMatching(/^[A-Za-pr-z0-9._-]{15,95}$/)), (text) => {
        expect(verifyToken(text, RING, CALL_ID, 'tag', '')).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['a phone’s user part', 'alice'],
    ['a number', '+4930123456'],
    ['empty', ''],
    ['beyond latin1', 'AVUWĀQAAAAIAAAAAAAEAAAACAAAAAADR2w5eMjZGxA'],
  ])('%s does not look like a token', (_name, text) => expect(looksLikeToken(text)).toBe(false))

  test.each<[string, TokenFields]>([
    ['a long call reference', { ...FIELDS, callRef: 'x'.repeat(25) }],
    ['a call reference that is no base64url', { ...FIELDS, callRef: 'a.b' }],
    ['a host name', { ...FIELDS, caller: { kind: 'address', transport: 1, address: 'example.test', port: 1 } }],
    ['an IPv4 part above 255', { ...FIELDS, caller: { kind: 'address', transport: 1, address: '1.2.3.256', port: 1 } }],
    ['a quad in the middle', { ...FIELDS, caller: { kind: 'address', transport: 1, address: '1.2.3.4::', port: 1 } }],
    ['nine groups', { ...FIELDS, caller: { kind: 'address', transport: 1, address: '1:2:3:4:5:6:7:8:9', port: 1 } }],
    ['two gaps', { ...FIELDS, caller: { kind: 'address', transport: 1, address: '1::2::3', port: 1 } }],
  ])('%s cannot be said', (_name, fields) => {
    expect(() => encodeToken(fields, RING, CALL_ID, 'tag')).toThrow(RangeError)
  })
})
