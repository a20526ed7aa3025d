// SPDX-License-Identifier: MIT
//
// What proves that a member of the cluster wrote a message between edges: SipHash over its id and, where its content is an order, its
// content. 18 hexadecimal digits: key id and proof. A message that is merely handed on proves itself, or is one that anybody may send.

import type { Buffer } from 'node:buffer'
import type { KeyRing, RingKey } from './key-ring.ts'
import { type Hash64, HashInput, sipHash } from './siphash.ts'

const input = new HashInput()
const hash: Hash64 = { lo: 0, hi: 0 }
const DIGITS = 18

/** @param buf its range [start, end) is covered too; an empty range for what proves itself */
export const relayProof = (ring: KeyRing, id: string, buf: Buffer, start: number, end: number): string =>
  proofBy(ring.signing, id, buf, start, end)

export const isRelayProof = (
  ring: KeyRing,
  proof: string,
  id: string,
  buf: Buffer,
  start: number,
  end: number,
): boolean => {
  if (proof.length !== DIGITS) return false
  const key = ring.byId[Number.parseInt(proof.slice(0, 2), 16)]
  return key !== undefined && proofBy(key, id, buf, start, end) === proof
}

const proofBy = (key: RingKey, id: string, buf: Buffer, start: number, end: number): string => {
  input.reset()
  input.textField(id)
  input.field(buf, start, end)
  sipHash(input, key.relay, hash)
  return hex(key.id, 2) + hex(hash.lo >>> 0, 8) + hex(hash.hi >>> 0, 8)
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
