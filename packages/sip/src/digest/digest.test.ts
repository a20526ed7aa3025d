// SPDX-License-Identifier: MIT
// Digest arithmetic against the vectors that the RFCs print.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { digestAlgorithmOf, digestResponse, ha1, sameDigest, sessionHa1 } from './digest.ts'

const rfc7616 = { user: 'Mufasa', realm: 'http-auth@example.org', password: 'Circle of Life' }
const request = {
  method: 'GET',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  nc: '00000001',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  qop: 'auth',
} as const

describe('digestResponse', () => {
  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ] as const)('%s as printed [RFC7616-3.9.1]', (algorithm, expected) => {
    const secret = ha1(algorithm, rfc7616.user, rfc7616.realm, rfc7616.password)
    expect(digestResponse({ ...request, algorithm, ha1: secret })).toBe(expected)
  })

  it('without qop, and with auth-int over no body [RFC3261-22.4]', () => {
    const secret = ha1('MD5', 'bob', 'biloxi.com', 'zanzibar')
    const base = {
      algorithm: 'MD5',
      ha1: secret,
      method: 'INVITE',
      uri: 'sip:bob@biloxi.com',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    } as const
    expect(digestResponse({ ...base, qop: '', nc: '', cnonce: '' })).toBe('bf57e4e0d0bffc0fbaedce64d59add5e')
    const auth = { ...base, nc: '00000001', cnonce: '0a4f113b' }
    expect(digestResponse({ ...auth, qop: 'auth' })).toBe('89eb0059246c02b2f6ee02c7961d5ea3')
    const none = digestResponse({ ...auth, qop: 'auth-int' })
    expect(digestResponse({ ...auth, qop: 'auth-int', body: Buffer.alloc(0) })).toBe(none)
    expect(digestResponse({ ...auth, qop: 'auth-int', body: Buffer.from('v=0') })).not.toBe(none)
  })

  it('uses the session key for -sess [RFC7616-3.4.2]', () => {
    const secret = ha1('SHA-256-sess', rfc7616.user, rfc7616.realm, rfc7616.password)
    const session = sessionHa1('SHA-256-sess', secret, request.nonce, request.cnonce)
    expect(digestResponse({ ...request, algorithm: 'SHA-256-sess', ha1: secret })).toBe(
      digestResponse({ ...request, algorithm: 'SHA-256', ha1: session }),
    )
  })

  it('hashes what people typed as UTF-8', () => {
    expect(ha1('MD5', 'J\u00e4s\u00f8n', 'r', 'p')).toBe('dcdadd1dbb2eaf754d1c54683ad647eb')
  })

  it.each([
    [undefined, 'MD5'],
    ['md5', 'MD5'],
    ['sha-256-SESS', 'SHA-256-sess'],
    ['AKAv1-MD5', undefined],
  ])('algorithm %s', (text, expected) => {
    expect(digestAlgorithmOf(text)).toBe(expected)
  })

  it('compares hex in any case', () => {
    expect([sameDigest('ab', 'AB'), sameDigest('ab', 'ac'), sameDigest('ab', 'abc')]).toEqual([true, false, false])
  })
})
