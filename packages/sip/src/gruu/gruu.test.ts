// SPDX-License-Identifier: MIT
// GRUUs: made, opened again, and nothing else opened.
import { describe, expect, it, test } from 'vitest'
import { createKeyRing } from '../proxy/key-ring.ts'
import { parseUri, uriParam } from '../uri/uri.ts'
import { compareUris } from '../uri/uri-compare.ts'
import { parseGruu, publicGruu, registrationHash, temporaryGruu } from './index.ts'

const RING = createKeyRing([{ id: 1, secret: 'a secret for tests only' }])
const AOR = 'sip:alice@example.test'
const UUID = 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'

const made = (mark = '1 call', aor = AOR, instanceId = UUID, hash = 7): string =>
  temporaryGruu(RING, { aor, instanceId, registrationHash: hash }, mark) ?? ''

/** As a proxy does: out of the URI of a request. */
function parsed(text: string, ring = RING, domain?: string) {
  const uri = parseUri(text)
  if (uri === undefined) throw new Error(`no URI: ${text}`)
  return parseGruu(ring, uri.user, domain ?? uri.host, uriParam(uri, 'gr') ?? '')
}

describe('public GRUU', () => {
  test('[RFC5627-5.1e] MUST be the address-of-record with the gr parameter, equal to it by URI comparison [RFC5627-5.4c]', () => {
    const gruu = publicGruu(AOR, UUID)
    expect(gruu).toBe(`${AOR};gr=${UUID}`)
    expect(compareUris(parseUri(gruu) as never, parseUri(AOR) as never)).toBe(true)
  })

  it.each([UUID, '00-11-22', 'urn:x:a;b=c?d@e', 'a%20b', 'ü "<>,\\', 'urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6'])(
    '[RFC5627-5.4a] names its address and its instance: %s',
    (instanceId) => {
      expect(parsed(publicGruu(AOR, instanceId))).toEqual({ aor: AOR, instanceId, registrationHash: 0 })
    },
  )

  it.each(['%', 'a%2', '%zz'])('[RFC5627-6.1] an escape that is none names nothing: %s', (gr) => {
    expect(parseGruu(RING, 'alice', 'example.test', gr)).toBeUndefined()
  })
})

describe('temporary GRUU', () => {
  it.each([
    [AOR, UUID],
    [AOR, UUID.toUpperCase().replace('URN:UUID', 'urn:uuid')],
    ['sip:+4930123456@example.test:5070', 'urn:uuid:F81d4fae-7dec-11d0-a765-00a0c91e6bf6'],
    [`sip:${'long-name'.repeat(15)}@example.test`, '<urn:dev:mac:0024befffe804ff1>'],
  ])('[RFC5627-5.4a] opens to address, instance and registration: %s', (aor, instanceId) => {
    const gruu = made('1 call', aor, instanceId, 0xffffffff)
    const domain = aor.slice(aor.indexOf('@') + 1)
    expect(gruu.endsWith(`@${domain};gr`)).toBe(true)
    expect(parsed(gruu, RING, domain)).toEqual({ aor, instanceId, registrationHash: 0xffffffff })
  })

  test('[RFC5627-3.1.2] MUST hide the address-of-record and the instance, and carry gr without a value', () => {
    const gruu = made()
    expect(gruu).toMatch(/^sip:tgruu\.[\w-]{108}@example\.test;gr$/)
    expect(Buffer.from(gruu.slice(10), 'base64url').includes('alice')).toBe(false)
  })

  test('[RFC5627-5.1j] two of them MUST NOT tell whether they are for the same: no bytes and no length in common, none equal [RFC5627-5.1i] [RFC5627-5.4b]', () => {
    const gruus = [
      made('1 call'),
      made('2 call'),
      made('1 call', 'sip:bartholomew@example.test'),
      made('1 c', AOR, UUID, 8),
    ]
    const users = gruus.map((gruu) => Buffer.from(gruu.slice(10, gruu.indexOf('@')), 'base64url').subarray(1))
    expect(new Set(users.map((user) => user.length)).size).toBe(1)
    for (const [at, a] of users.entries()) {
      for (const b of users.slice(at + 1)) expect(a.filter((byte, k) => byte === b[k]).length).toBeLessThan(12)
    }
  })

  test('from the same words it is the same, in every node', () => {
    expect(made('1 call')).toBe(made('1 call'))
  })

  test('[RFC5627-6.1] what nobody made opens to nothing: changed, cut, of another domain or another ring', () => {
    const gruu = made()
    const user = gruu.slice(4, gruu.indexOf('@'))
    for (let at = 0; at < user.length; at += 7) {
      const other = user[at] === 'A' ? 'B' : 'A'
      expect(parseGruu(RING, user.slice(0, at) + other + user.slice(at + 1), 'example.test', '')).toBeUndefined()
    }
    for (const bad of [
      '',
      'tgruu.',
      user.slice(0, -1),
      `${user}A`,
      user.slice(6),
      `tgruu.${'A'.repeat(4_000)}`,
      `${user}=`,
    ])
      expect(parseGruu(RING, bad, 'example.test', '')).toBeUndefined()
    expect(parseGruu(RING, user, 'example.org', '')).toBeUndefined()
    const foreign = createKeyRing([{ id: 1, secret: 'the secret of somebody else' }])
    expect(parseGruu(foreign, user, 'example.test', '')).toBeUndefined()
  })

  test('rotates with the ring: an older key opens what it made, until it is taken out', () => {
    const next = createKeyRing([
      { id: 2, secret: 'a newer secret for tests' },
      { id: 1, secret: 'a secret for tests only' },
    ])
    expect(parsed(made(), next)).toMatchObject({ aor: AOR })
    expect(parsed(made(), createKeyRing([{ id: 2, secret: 'a newer secret for tests' }]))).toBeUndefined()
  })

  it.each([
    ['x'.repeat(260), UUID],
    ['alice', 'i'.repeat(256)],
    ['a\0b', UUID],
  ])('what does not fit has none', (user, instanceId) => {
    expect(made('1', `sip:${user}@example.test`, instanceId)).toBe('')
    expect(made('1', 'sip:example.test', instanceId)).toBe('')
  })
})

test('[RFC5627-5.3] a registration that begins again with the same Call-ID is another one', () => {
  expect(registrationHash('call', 1)).not.toBe(registrationHash('call', 2))
  expect(registrationHash('call', 1)).not.toBe(registrationHash('other', 1))
  expect(registrationHash('call', 1)).toBeGreaterThan(0)
})
