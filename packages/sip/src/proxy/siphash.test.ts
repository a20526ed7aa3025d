// SPDX-License-Identifier: MIT
// SipHash-2-4 against the first 16 of its authors' reference vectors (key 00…0f, input 00 01 02 …).
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { HashInput, sipHash, sipKey } from './siphash.ts'

const VECTORS = [
  '310e0edd47db6f72',
  'fd67dc93c539f874',
  '5a4fa9d909806c0d',
  '2d7efbd796666785',
  'b7877127e09427cf',
  '8da699cd64557618',
  'cee3fe586e46c9cb',
  '37d1018bf50002ab',
  '6224939a79f5f593',
  'b0e4a90bdf82009e',
  'f3b9dd94c5bb5d7a',
  'a7ad6b22462fb3f4',
  'fbe50e86bc8f1e75',
  '903d84c02756ea14',
  'eef27a8e90ca23f7',
  'e545be4961ca29a1',
]

const KEY = sipKey(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'))

const hashHex = (input: HashInput): string => {
  const hash = { lo: 0, hi: 0 }
  sipHash(input, KEY, hash)
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(hash.lo, 0)
  bytes.writeInt32LE(hash.hi, 4)
  return bytes.toString('hex')
}

describe('SipHash-2-4', () => {
  test.each(VECTORS.map((vector, length) => ({ vector, length })))('reference vector of $length bytes', (row) => {
    const input = new HashInput()
    for (let i = 0; i < row.length; i++) input.byte(i)
    expect(hashHex(input)).toBe(row.vector)
  })

  test('an input that outgrows its buffer hashes like one that had the room', () => {
    const small = new HashInput(16)
    const large = new HashInput(4096)
    for (const input of [small, large]) for (let i = 0; i < 700; i++) input.byte(i & 0xff)
    expect(hashHex(small)).toBe(hashHex(large))
  })

  test('what an earlier, longer input left behind does not matter', () => {
    const input = new HashInput()
    for (let i = 0; i < 100; i++) input.byte(0xff)
    hashHex(input)
    input.reset()
    for (let i = 0; i < 5; i++) input.byte(i)
    expect(hashHex(input)).toBe(VECTORS[5])
  })

  test('neighbouring fields cannot trade bytes', () => {
    const one = new HashInput()
    one.textField('ab')
    one.textField('c')
    const other = new HashInput()
    other.textField('a')
    other.textField('bc')
    expect(hashHex(one)).not.toBe(hashHex(other))
  })
})
