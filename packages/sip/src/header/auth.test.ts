// SPDX-License-Identifier: MIT
// The quick way through credentials says the same as the careful one, which a space before "=" leads to. What credentials mean is not
// tested here.
import { describe, expect, it } from 'vitest'
import { parseAuth } from './auth.ts'

const careful = (value: string) => parseAuth(value.replace('=', ' ='))

describe('credentials as most write them', () => {
  it.each([
    'Digest username="bob", realm="biloxi.com", nonce="dcd98b", uri="sip:bob@biloxi.com", qop=auth, nc=00000001, cnonce="0a4f", response="6629"',
    'Digest username="bob",realm="a,b=c; d",nonce="",uri="sip:x",response="1",algorithm=MD5,opaque="5ccc"',
    'Digest username="b\\"ob", realm="x"',
    'Digest username="bob", username="eve"',
    'Digest username="bob" realm="x"',
    'Digest username="bob',
    'Digest username=bob eve',
    'Digest username="bob", ',
    'Digest username="bob",',
    'Digest username="bob",, realm="x"',
    'Digest username="bob",  realm="x"',
    'Digest Username="bob", realm="x", x-own=1',
    'Digest username=, realm="x"',
    'Digest username="bob"x, realm="y"',
    'Digest qop="auth", nc=1;2',
    'Digest username',
    'Digest username="bob", realm',
  ])('are read as with care: %s', (value) => {
    expect(parseAuth(value)).toEqual(careful(value))
  })
})
