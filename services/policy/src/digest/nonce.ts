// SPDX-License-Identifier: MIT
//
// The nonces that this service gives out and judges: how they are made is in @tandem/sip (digest/nonce.ts), the clock and the random
// bytes are here. Any node with the same key ring accepts them, nothing is stored when one is given out, and so a flood of requests
// without credentials costs no memory anywhere. [RFC7616-3.3]
// A nonce is good for whom it was given to: for any other source it is stale. So nobody guesses in the name of somebody else's address.
// A one-time nonce is given out while the store is away; only the node that made it takes it, see one-time.ts.
import { randomBytes, randomFillSync } from 'node:crypto'
import { encodeNonce, NONCE_RANDOM_BYTES, type NonceKey, nonceKeys, readNonce, scopeOf } from '@tandem/sip'
import type { PolicySettings } from '../options.ts'

const POOL_BYTES = NONCE_RANDOM_BYTES * 1024

/** `foreign`: given to another source, or a one-time nonce of another node. */
export type NonceState = 'fresh' | 'oneTime' | 'stale' | 'foreign' | 'forged'

export interface NonceCheck {
  readonly state: NonceState
  /** Names the nonce in the store; '' when it is forged. */
  readonly id: string
}

const FORGED: NonceCheck = { state: 'forged', id: '' }

/** For whom a nonce is. */
export interface NonceFor {
  readonly realm: string
  /** Key of the source (bans/source-key.ts); '' where it is good for all. */
  readonly source: string
}

export interface NonceOptions {
  readonly lifetimeMs: number
  /** How far ahead of this node's clock another node may have dated a nonce. */
  readonly clockSkewMs: number
  readonly now: () => number
}

export class NonceMaker {
  #keys: readonly NonceKey[]
  readonly #options: NonceOptions
  readonly #instance = randomBytes(12).toString('base64url')
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #poolAt = POOL_BYTES

  /** The first key of the ring signs, all verify. */
  constructor(ring: PolicySettings['keyRing'], options: NonceOptions) {
    this.#keys = nonceKeys(ring)
    this.#options = options
  }

  /** Nonces of keys that are gone are forged ones from now on. */
  useKeyRing(ring: PolicySettings['keyRing']): void {
    this.#keys = nonceKeys(ring)
  }

  make({ realm, source }: NonceFor, isOneTime = false): string {
    const signer = this.#keys[0]
    if (signer === undefined) throw new Error('the key ring is empty')
    const scope = scopeOf(signer, isOneTime ? this.#ownScope(source) : source)
    return encodeNonce(signer, realm, this.#options.now(), this.#random(), scope)
  }

  check(nonce: string, { realm, source }: NonceFor): NonceCheck {
    const known = readNonce(this.#keys, nonce, realm)
    if (known === undefined) return FORGED
    const { id, scope, key, madeMs } = known
    const isCommon = scope === scopeOf(key, source)
    if (!isCommon && scope !== scopeOf(key, this.#ownScope(source))) return { state: 'foreign', id }
    const ageMs = this.#options.now() - madeMs
    const isFresh = ageMs <= this.#options.lifetimeMs && ageMs >= -this.#options.clockSkewMs
    if (!isFresh) return { state: 'stale', id }
    return { state: isCommon ? 'fresh' : 'oneTime', id }
  }

  /** Of this process alone. */
  #ownScope(source: string): string {
    return `${this.#instance} ${source}`
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
