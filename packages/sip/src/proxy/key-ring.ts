// SPDX-License-Identifier: MIT
// The cluster's secrets for branches, Record-Route tokens and temporary GRUUs. Every edge has the same ring; the first key signs, all
// of them verify, so that a key can be replaced while calls go on: add the new one last, then move it to the front,
// then take the old one out once no dialog of its time is left.
import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { type SipKey, sipKey } from './siphash.ts'

export interface RingSecret {
  /** 0 to 255, unique in the ring; travels in clear in branches and tokens. */
  readonly id: number
  /** At least 16 bytes. */
  readonly secret: Uint8Array | string
}

/** One secret as a key per purpose, so that a proof of one kind never passes as another. */
export interface RingKey {
  readonly id: number
  readonly branch: SipKey
  readonly target: SipKey
  readonly loop: SipKey
  readonly token: SipKey
  /** What edges say to one another. */
  readonly relay: SipKey
  /** 32 bytes each: what encrypts a temporary GRUU, and what proves it. */
  readonly gruuSeal: Buffer
  readonly gruuProof: Buffer
}

export interface KeyRing {
  readonly signing: RingKey
  readonly byId: readonly (RingKey | undefined)[]
}

/** A ring whose keys are exchanged while it is in use: from the next message on the new ones sign and verify. */
export class LiveKeyRing implements KeyRing {
  signing: RingKey
  byId: readonly (RingKey | undefined)[]

  /** Throws as createKeyRing does. */
  constructor(secrets: readonly RingSecret[]) {
    const { signing, byId } = createKeyRing(secrets)
    this.signing = signing
    this.byId = byId
  }

  /** Throws as createKeyRing does; the ring is as it was then. */
  replace(secrets: readonly RingSecret[]): void {
    const { signing, byId } = createKeyRing(secrets)
    this.signing = signing
    this.byId = byId
  }
}

const MIN_SECRET_BYTES = 16

/** Throws a RangeError that says which key is wrong: a ring is made at start, from the configuration. */
export const createKeyRing = (secrets: readonly RingSecret[]): KeyRing => {
  const byId: (RingKey | undefined)[] = []
  for (const { id, secret } of secrets) {
    if (!Number.isInteger(id) || id < 0 || id > 255) throw new RangeError(`key id ${id}: expected 0 to 255`)
    if (byId[id] !== undefined) throw new RangeError(`key id ${id}: expected each id once`)
    byId[id] = deriveKey(id, typeof secret === 'string' ? Buffer.from(secret, 'utf8') : Buffer.from(secret))
  }
  const signing = secrets[0] === undefined ? undefined : byId[secrets[0].id]
  if (signing === undefined) throw new RangeError('key ring: expected at least one key')
  return { signing, byId }
}

const deriveKey = (id: number, secret: Buffer): RingKey => {
  if (secret.length < MIN_SECRET_BYTES) {
    throw new RangeError(`key id ${id}: expected a secret of at least ${MIN_SECRET_BYTES} bytes, got ${secret.length}`)
  }
  const bytes = (purpose: string): Buffer => createHmac('sha256', secret).update(`tandem ${purpose}`).digest()
  const derive = (purpose: string): SipKey => sipKey(bytes(purpose))
  return {
    id,
    branch: derive('branch'),
    target: derive('target'),
    loop: derive('loop'),
    token: derive('token'),
    relay: derive('relay'),
    gruuSeal: bytes('gruu seal'),
    gruuProof: bytes('gruu proof'),
  }
}
