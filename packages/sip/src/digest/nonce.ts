// SPDX-License-Identifier: MIT
//
// Nonces that describe themselves: key id, time and random bytes, sealed with a MAC that is bound to the realm [RFC7616-3.3].
// Whoever has the cluster's key ring can tell one of ours, and its age, without asking anybody: policy, which gives them out and
// judges credentials by them, and an edge that has to say which REGISTERs go first. A right nonce proves no password.
// It says whom it was given to, by a keyed hash, so that what is guessed over it counts against nobody else.
// 33 bytes: key id (1), milliseconds since 1970 (6), random (6), scope (4), truncated HMAC-SHA-256 (16); base64url.
import { Buffer } from 'node:buffer'
import { createHmac, hash, timingSafeEqual } from 'node:crypto'

const RANDOM_AT = 7
const SCOPE_AT = 13
const BODY_BYTES = 17
const MAC_BYTES = 16
const BYTES = BODY_BYTES + MAC_BYTES
/** Of SHA-256. */
const BLOCK_BYTES = 64
const TEXT = /^[A-Za-z0-9_-]{44}$/

/** Random bytes in a nonce. */
export const NONCE_RANDOM_BYTES = SCOPE_AT - RANDOM_AT

export interface NonceKey {
  readonly id: number
  /** One block of the hash each: the key with the inner and the outer padding of HMAC (RFC 2104). */
  readonly inner: Buffer
  readonly outer: Buffer
}

/** What a nonce says of itself once its MAC has been found right. */
export interface KnownNonce {
  /** When it was given out, by that node's clock: milliseconds since 1970. */
  readonly madeMs: number
  /** Names the nonce in the store. */
  readonly id: string
  /** As it was made with: scopeOf() of the same text and key. */
  readonly scope: number
  readonly key: NonceKey
}

/** One purpose, one key: what signs nonces signs nothing else. The first signs, all verify. */
export function nonceKeys(ring: readonly { readonly id: number; readonly secret: string }[]): readonly NonceKey[] {
  return ring.map(({ id, secret }) => {
    const key = createHmac('sha256', secret).update('tandem nonce 1').digest()
    return { id, inner: padded(key, 0x36), outer: padded(key, 0x5c) }
  })
}

function padded(key: Buffer, padding: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES, padding)
  for (const [at, byte] of key.entries()) block[at] = byte ^ padding
  return block
}

/** 32 bits that stand for whom a nonce is given to; nobody without the key finds another text of the same. */
export function scopeOf({ outer }: NonceKey, text: string): number {
  return hash('sha256', Buffer.concat([outer, Buffer.from(`scope ${text}`)]), 'buffer').readUInt32BE(0)
}

/** @param random NONCE_RANDOM_BYTES bytes, never the same ones twice */
export function encodeNonce(signer: NonceKey, realm: string, nowMs: number, random: Uint8Array, scope: number): string {
  const bytes = Buffer.allocUnsafe(BYTES)
  bytes[0] = signer.id
  bytes.writeUIntBE(nowMs, 1, RANDOM_AT - 1)
  bytes.set(random, RANDOM_AT)
  bytes.writeUInt32BE(scope, SCOPE_AT)
  macOf(signer, bytes, realm).copy(bytes, BODY_BYTES)
  return bytes.toString('base64url')
}

/** undefined: no nonce of this ring for this realm. */
export function readNonce(keys: readonly NonceKey[], nonce: string, realm: string): KnownNonce | undefined {
  if (!TEXT.test(nonce)) return undefined
  const bytes = Buffer.from(nonce, 'base64url')
  const signer = keys.find(({ id }) => id === bytes[0])
  if (bytes.length !== BYTES || signer === undefined) return undefined
  if (!timingSafeEqual(bytes.subarray(BODY_BYTES), macOf(signer, bytes, realm))) return undefined
  return {
    madeMs: bytes.readUIntBE(1, RANDOM_AT - 1),
    id: bytes.toString('base64url', 1, SCOPE_AT),
    scope: bytes.readUInt32BE(SCOPE_AT),
    key: signer,
  }
}

/** HMAC-SHA-256, truncated. By two hashes at once: an object for HMAC costs several times both. */
function macOf({ inner, outer }: NonceKey, bytes: Buffer, realm: string): Buffer {
  const text = Buffer.concat([inner, bytes.subarray(0, BODY_BYTES), Buffer.from(realm)])
  return hash('sha256', Buffer.concat([outer, hash('sha256', text, 'buffer')]), 'buffer').subarray(0, MAC_BYTES)
}
