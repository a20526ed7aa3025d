// SPDX-License-Identifier: MIT
//
// Nonces that describe themselves: key id, time and random bytes, sealed with a MAC that is bound to the realm. Any node
// with the same key ring makes and accepts them, nothing is stored when one is given out, and so a flood of requests
// without credentials costs no memory anywhere. [RFC7616-3.3]
// 29 bytes: key id (1), milliseconds since 1970 (6), random (6), truncated HMAC-SHA-256 (16); base64url.
import { createHmac, createSecretKey, type KeyObject, randomFillSync, timingSafeEqual } from 'node:crypto'
import type { PolicySettings } from './options.ts'

const BODY_BYTES = 13
const MAC_BYTES = 16
const NONCE_BYTES = BODY_BYTES + MAC_BYTES
const NONCE_TEXT = /^[A-Za-z0-9_-]{39}$/
const POOL_BYTES = 6 * 1024

export type NonceState = 'fresh' | 'stale' | 'forged'

export interface NonceCheck {
  readonly state: NonceState
  /** Names the nonce in the store; '' when it is forged. */
  readonly id: string
}

const FORGED: NonceCheck = { state: 'forged', id: '' }

export interface NonceOptions {
  readonly lifetimeMs: number
  /** How far ahead of this node's clock another node may have dated a nonce. */
  readonly clockSkewMs: number
  readonly now: () => number
}

interface NonceKey {
  readonly id: number
  readonly key: KeyObject
}

/** One purpose, one key: what signs nonces signs nothing else. */
function deriveKeys(ring: PolicySettings['keyRing']): readonly NonceKey[] {
  return ring.map(({ id, secret }) => ({
    id,
    key: createSecretKey(createHmac('sha256', secret).update('tandem nonce 1').digest()),
  }))
}

export class NonceMaker {
  readonly #keys: readonly NonceKey[]
  readonly #options: NonceOptions
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #poolAt = POOL_BYTES

  /** The first key of the ring signs, all verify. */
  constructor(ring: PolicySettings['keyRing'], options: NonceOptions) {
    this.#keys = deriveKeys(ring)
    this.#options = options
  }

  make(realm: string): string {
    const signer = this.#keys[0]
    if (signer === undefined) throw new Error('the key ring is empty')
    const bytes = Buffer.allocUnsafe(NONCE_BYTES)
    bytes[0] = signer.id
    bytes.writeUIntBE(this.#options.now(), 1, 6)
    this.#random().copy(bytes, 7)
    this.#mac(signer.key, bytes, realm).copy(bytes, BODY_BYTES)
    return bytes.toString('base64url')
  }

  check(nonce: string, realm: string): NonceCheck {
    if (!NONCE_TEXT.test(nonce)) return FORGED
    const bytes = Buffer.from(nonce, 'base64url')
    const signer = this.#keys.find(({ id }) => id === bytes[0])
    if (bytes.length !== NONCE_BYTES || signer === undefined) return FORGED
    if (!timingSafeEqual(bytes.subarray(BODY_BYTES), this.#mac(signer.key, bytes, realm))) return FORGED
    const ageMs = this.#options.now() - bytes.readUIntBE(1, 6)
    const fresh = ageMs <= this.#options.lifetimeMs && ageMs >= -this.#options.clockSkewMs
    return { state: fresh ? 'fresh' : 'stale', id: bytes.toString('base64url', 1, BODY_BYTES) }
  }

  #mac(key: KeyObject, bytes: Buffer, realm: string): Buffer {
    return createHmac('sha256', key).update(bytes.subarray(0, BODY_BYTES)).update(realm).digest().subarray(0, MAC_BYTES)
  }

  #random(): Buffer {
    if (this.#poolAt + 6 > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#poolAt = 0
    }
    this.#poolAt += 6
    return this.#pool.subarray(this.#poolAt - 6, this.#poolAt)
  }
}
