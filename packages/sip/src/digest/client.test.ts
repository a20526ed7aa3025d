// SPDX-License-Identifier: MIT
// Answers to challenges, against the examples that RFC 7616 prints and against what the server's half makes of them.
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { parseAuth } from '../header/auth.ts'
import { answerChallenge, chooseChallenges, type DigestAnswer, type DigestChallenge, readChallenge } from './client.ts'
import { digestResponse, ha1 } from './digest.ts'

const MUFASA = {
  username: 'Mufasa',
  password: 'Circle of Life',
  method: 'GET',
  uri: '/dir/index.html',
  count: 1,
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  body: Buffer.alloc(0),
} satisfies DigestAnswer
const printed = (algorithm: string) =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`

const chosen = (value: string): DigestChallenge => {
  const challenge = readChallenge(value)
  if (challenge === undefined) throw new Error(`no challenge: ${value}`)
  return challenge
}
const answer = (value: string, parts: Partial<DigestAnswer> = {}) =>
  parseAuth(answerChallenge(chosen(value), { ...MUFASA, ...parts }))?.params ?? new Map<string, string>()

describe('answers to challenges', () => {
  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('[RFC7616-3.9.1] %s as printed', (algorithm, response) => {
    expect(Object.fromEntries(answer(printed(algorithm)))).toEqual({
      username: 'Mufasa',
      realm: 'http-auth@example.org',
      uri: '/dir/index.html',
      algorithm,
      nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
      nc: '00000001',
      cnonce: MUFASA.cnonce,
      qop: 'auth',
      response,
      opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
    })
  })

  test('[RFC7616-3.4.5] the count of a nonce is said in eight hex digits', () => {
    expect(answer(printed('MD5'), { count: 26 }).get('nc')).toBe('0000001a')
  })

  test('[RFC3261-22.4] without qop neither cnonce nor count', () => {
    const params = answer('Digest realm="r", nonce="n"')
    expect([...params.keys()]).toEqual(['username', 'realm', 'nonce', 'uri', 'response'])
    const secret = ha1('MD5', 'Mufasa', 'r', MUFASA.password)
    const input = { algorithm: 'MD5', ha1: secret, method: 'GET', uri: MUFASA.uri, nonce: 'n' } as const
    expect(params.get('response')).toBe(digestResponse({ ...input, qop: '', nc: '', cnonce: '' }))
  })

  test('the body goes into auth-int, where nothing else is offered', () => {
    const value = 'Digest realm="r", nonce="n", qop="auth-int"'
    expect(answer(value).get('qop')).toBe('auth-int')
    expect(answer(value, { body: Buffer.from('v=0') }).get('response')).not.toBe(answer(value).get('response'))
  })

  test('what people typed goes out as UTF-8', () => {
    const params = answer('Digest realm="r", nonce="n"', { username: 'J\u00e4s\u00f8n', password: 'p' })
    expect(Buffer.from(params.get('username') ?? '', 'latin1').toString()).toBe('J\u00e4s\u00f8n')
  })

  test('quotes and backslashes of a realm come back as they were', () => {
    expect(answer('Digest realm="a \\"b\\" \\\\", nonce="n"').get('realm')).toBe('a "b" \\')
  })
})

describe('which challenge is answered', () => {
  const realmsOf = (values: readonly string[], realm?: string) =>
    chooseChallenges(values, realm).map((one) => [one.realm, one.algorithm])

  test('[RFC8760-2.4] the topmost of a realm that is known; others are ignored', () => {
    const values = [
      'Digest realm="a", nonce="1", algorithm=SHA-512-256',
      'Basic realm="a"',
      'Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth"',
      'Digest realm="a", nonce="3", algorithm=MD5',
    ]
    expect(realmsOf(values)).toEqual([['a', 'SHA-256']])
    expect(realmsOf(values.toReversed())).toEqual([['a', 'MD5']])
  })

  test('[RFC3261-22.3] one answer for each realm, or for that of the settings alone', () => {
    const values = ['Digest realm="a", nonce="1"', 'Digest realm="b", nonce="2"']
    expect(realmsOf(values)).toEqual([
      ['a', 'MD5'],
      ['b', 'MD5'],
    ])
    expect(realmsOf(values, 'b')).toEqual([['b', 'MD5']])
    expect(realmsOf(values, 'c')).toEqual([])
  })

  test.each([
    'Digest realm="a"',
    'Digest nonce="a"',
    'Digest realm="a", nonce="1", qop="x"',
    'Digest realm="a", nonce="1", realm="b"',
    'Bearer realm="a"',
    '',
  ])('nothing is made of %j', (value) => {
    expect(readChallenge(value)).toBeUndefined()
  })

  test('an old nonce is told from a wrong password', () => {
    expect(chosen('Digest realm="a", nonce="1", stale=TRUE').stale).toBe(true)
    expect(chosen('Digest realm="a", nonce="1", stale=false').stale).toBe(false)
  })
})
