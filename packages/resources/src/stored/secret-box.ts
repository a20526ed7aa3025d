// SPDX-License-Identifier: MIT
//
// Secrets at rest: AES-256-GCM with keys derived from the cluster's key ring. The first key seals, all open, so that the ring can be
// changed key by key. What is sealed is bound to the resource that it belongs to.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'

export interface RingKey {
  /** 0 to 255. */
  readonly id: number
  readonly secret: string
}

const IV_BYTES = 12
const TAG_BYTES = 16

const derived = (secret: string, use: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `tandem ${use}`, 32)))

export class SecretBox {
  #keys: ReadonlyMap<number, KeyObject> = new Map()
  #first = 0
  #marks: KeyObject = createSecretKey(Buffer.alloc(32))

  /** @param ring at least one key */
  constructor(ring: readonly RingKey[]) {
    this.useKeyRing(ring)
  }

  /** The first key's id. */
  get sealingKey(): number {
    return this.#first
  }

  /** Others seal and open from now on. */
  useKeyRing(ring: readonly RingKey[]): void {
    this.#keys = new Map(ring.map(({ id, secret }) => [id, derived(secret, 'resources')]))
    this.#first = ring[0]?.id ?? 0
    this.#marks = derived(ring[0]?.secret ?? '', 'resource files')
  }

  /** Key id of what `seal` gave. */
  static keyOf(sealed: string): number {
    return Number(sealed.slice(0, sealed.indexOf('.')))
  }

  /** `<key id>.<base64url of IV, text and tag>` */
  seal(resource: string, text: string): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.get(this.#first) as KeyObject, iv)
    cipher.setAAD(Buffer.from(resource))
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${this.#first}.${sealed.toString('base64url')}`
  }

  /** undefined: sealed with a key that is not in the ring, for another resource, or changed. */
  open(resource: string, sealed: string): string | undefined {
    const at = sealed.indexOf('.')
    const key = this.#keys.get(Number(sealed.slice(0, at)))
    const bytes = Buffer.from(sealed.slice(at + 1), 'base64url')
    if (at < 1 || key === undefined || bytes.length < IV_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(resource))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      return decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }

  /** Tells contents apart that may hold secrets, to nobody who has not got the ring. */
  mark(text: string): string {
    return createHmac('sha256', this.#marks).update(text).digest('hex').slice(0, 32)
  }
}
