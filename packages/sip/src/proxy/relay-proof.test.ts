// SPDX-License-Identifier: MIT
import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { createKeyRing } from './key-ring.ts'
import { isRelayProof, relayProof } from './relay-proof.ts'

const SECRET = 'a secret for tests only'
const ring = createKeyRing([{ id: 7, secret: SECRET }])
const body = Buffer.from('..order..')

test('a proof holds for its id and content, under every key of the ring', () => {
  const proof = relayProof(ring, 'id-1', body, 2, 7)
  expect(proof).toMatch(/^07[0-9a-f]{16}$/)
  expect(isRelayProof(ring, proof, 'id-1', body, 2, 7)).toBe(true)
  const rotated = createKeyRing([
    { id: 8, secret: 'another secret of tests' },
    { id: 7, secret: SECRET },
  ])
  expect(isRelayProof(rotated, proof, 'id-1', Buffer.from('order'), 0, 5)).toBe(true)
})

test.each([
  ['another id', 'id-2', 2, 7],
  ['other content', 'id-1', 2, 6],
])('a proof does not hold for %s', (_what, id, start, end) => {
  expect(isRelayProof(ring, relayProof(ring, 'id-1', body, 2, 7), id, body, start, end)).toBe(false)
})

test.each(['', '07', 'zz0123456789abcdef', '090123456789abcdef'])('%j is no proof', (proof) => {
  expect(isRelayProof(ring, proof, 'id-1', body, 2, 7)).toBe(false)
})
