// SPDX-License-Identifier: MIT
//
// The nonces that this service gives out and judges: how they are made is in @tandem/sip (digest/nonce.ts), the clock and the random
// bytes are here. Any node with the same key ring accepts them, nothing is stored when one is given out, and so a flood of requests
// without credentials costs no memory anywhere. [RFC7616-3.3]
import { randomFillSync } from 'node:crypto'
import { encodeNonce, NONCE_RANDOM_BYTES, type NonceKey, nonceKeys, readNonce } from '@tandem/sip'
import type { PolicySettings } from '../options.ts'

const POOL_BYTES = NONCE_RANDOM_BYTES * 1024

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

export class NonceMaker {
  readonly #keys: readonly NonceKey[]
  readonly #options: NonceOptions
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #poolAt = POOL_BYTES

  /** The first key of the ring signs, all verify. */
  constructor(ring: PolicySettings['keyRing'], options: NonceOptions) {
    this.#keys = nonceKeys(ring)
    this.#options = options
  }

  make(realm: string): string {
    const signer = this.#keys[0]
    if (signer === undefined) throw new Error('the key ring is empty')
    return encodeNonce(signer, realm, this.#options.now(), this.#random())
  }

  check(nonce: string, realm: string): NonceCheck {
    const known = readNonce(this.#keys, nonce, realm)
    if (known === undefined) return FORGED
    const ageMs = this.#options.now() - known.madeMs
    const fresh = ageMs <= this.#options.lifetimeMs && ageMs >= -this.#options.clockSkewMs
    return { state: fresh ? 'fresh' : 'stale', id: known.id }
  }

  #random(): Buffer {
    if (this.#poolAt + NONCE_RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#poolAt = 0
    }
    this.#poolAt += NONCE_RANDOM_BYTES
    return this.#pool.subarray(this.#poolAt - NONCE_RANDOM_BYTES, this.#poolAt)
  }
}
