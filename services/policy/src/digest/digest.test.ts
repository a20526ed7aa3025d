// SPDX-License-Identifier: MIT
//
// What this service relies on in @tandem/sip: the arithmetic against published vectors, and the reading of credentials.
import { digestResponse, ha1, parseAuth } from '@tandem/sip'
import { describe, expect, test } from 'vitest'

const NEW = {
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
}
const OLD = { nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093', cnonce: '0a4f113b' }

const VECTORS = [
  {
    cite: 'RFC7616-3.9.1 MD5',
    algorithm: 'MD5',
    realm: 'http-auth@example.org',
    password: 'Circle of Life',
    ...NEW,
    nc: '00000001',
    response: '8ca523f5e9506fed4657c9700eebdbec',
  },
  {
    cite: 'RFC7616-3.9.1 SHA-256',
    algorithm: 'SHA-256',
    realm: 'http-auth@example.org',
    password: 'Circle of Life',
    ...NEW,
    nc: '00000001',
    response: '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
  },
  {
    cite: 'RFC2617-3.5',
    algorithm: 'MD5',
    realm: 'testrealm@host.com',
    password: 'Circle Of Life',
    ...OLD,
    nc: '00000001',
    response: '6629fae49393a05397450978507c4ef1',
  },
  {
    cite: 'RFC2069-2.4 as corrected by its erratum 749',
    algorithm: 'MD5',
    realm: 'testrealm@host.com',
    password: 'CircleOfLife',
    ...OLD,
    nc: '',
    response: '1949323746fe6a43ef61f9606e7febea',
  },
] as const

describe('digest', () => {
  test.each(VECTORS)('$cite', ({ algorithm, realm, password, nonce, cnonce, nc, response }) => {
    const input = {
      algorithm,
      nonce,
      cnonce,
      nc,
      qop: nc === '' ? '' : 'auth',
      method: 'GET',
      uri: '/dir/index.html',
    } as const
    expect(digestResponse({ ...input, ha1: ha1(algorithm, 'Mufasa', realm, password) })).toBe(response)
  })
})

describe('credentials in text', () => {
  const READ: readonly (readonly [string, Record<string, string> | undefined])[] = [
    ['Digest username="alice",nc=00000001 , qop=auth', { username: 'alice', nc: '00000001', qop: 'auth' }],
    ['digest  a="x\\"y\\\\z"', { a: 'x"y\\z' }],
    ['Digest Realm = "a, b=c"', { realm: 'a, b=c' }],
    ['Digest a=1,', { a: '1' }],
    ['Digest a=1, a=2', undefined],
    ['Digest a="1', undefined],
    ['Digest a', undefined],
    ['', undefined],
    ['Digest a=1 b=2', undefined],
    [`Digest ${Array.from({ length: 200 }, (_, i) => `p${i}=1`).join()}`, undefined],
  ]
  test.each(READ)('%s', (value, params) => {
    const read = parseAuth(value)
    expect(read && Object.fromEntries(read.params)).toEqual(params)
  })

  test('a long quoted string without end is read in linear time', () => {
    const started = performance.now()
    expect(parseAuth(`Digest a="${'\\"'.repeat(30_000)}`)).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(500)
  })
})
