// SPDX-License-Identifier: MIT
// Temporary GRUUs [RFC5627-3.1.2]: the user part of the URI is all that is needed to route to it, sealed with a key of the
// cluster's ring, so that every node can open it and nothing is kept.
//   user part: "tgruu." and base64url of  key id 1 · proof 16 · sealed text
//   text: registration hash 4 · mark 8 · form and length of the instance 2 · instance · user · zeros up to 64, 128, …
// Authenticated encryption with a synthetic IV: the proof (HMAC-SHA256 over domain and text, cut to 16 bytes) is the IV of
// AES-256-CTR. Made from the same words it is the same; any other mark makes an unrelated text, so that nobody can tell
// whether two belong together [RFC5627-5.1]. All users of 35 bytes and less with a UUID have the same length.
// The key that sealed it opens it: a key taken out of the ring ends the GRUUs of its time.
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import type { KeyRing, RingKey } from '../proxy/key-ring.ts'

export interface TemporaryGruu {
  /** Canonical address-of-record, `sip:user@domain`. */
  readonly aor: string
  readonly instanceId: string
  /** Of the registration that it belongs to; see registrationHash(). */
  readonly registrationHash: number
}

const PREFIX = 'tgruu.'
const PROOF_BYTES = 16
const HEAD_BYTES = 4 + 8 + 2
const BLOCK_BYTES = 64
/** Users and instances beyond this have no temporary GRUU. */
const MAX_TEXT_BYTES = 4 * BLOCK_BYTES
const CIPHER = 'aes-256-ctr'

const FORM = { text: 0, lowerUuid: 1, upperUuid: 2 } as const
const UUID = /^urn:uuid:([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/

/**
 * The URI `sip:tgruu.…@domain;gr`. The same arguments make the same URI, in every node with this ring.
 *
 * @param mark what tells this one from the others of its registration: each REGISTER gets a new one, so Call-ID and CSeq
 * @returns undefined where the address-of-record or the instance is too long for one, or the address has no domain
 */
export function temporaryGruu(ring: KeyRing, gruu: TemporaryGruu, mark: string): string | undefined {
  const parts = splitAor(gruu.aor)
  const text = parts && textOf(parts.user, gruu, mark)
  if (parts === undefined || text === undefined) return undefined
  const { signing } = ring
  const proof = proofOf(signing, parts.domain, text)
  const cipher = createCipheriv(CIPHER, signing.gruuSeal, proof)
  const sealed = Buffer.concat([Buffer.of(signing.id), proof, cipher.update(text)])
  return `sip:${PREFIX}${sealed.toString('base64url')}@${parts.domain};gr`
}

/**
 * Opens the user part of a URI with a `gr` parameter that has no value.
 *
 * @param domain of the address-of-record in canonical form, with its port if it has one
 * @returns undefined when no key of the ring made it for this domain. Never throws.
 */
export function openTemporaryGruu(ring: KeyRing, user: string, domain: string): TemporaryGruu | undefined {
  const sealed = sealedOf(user)
  const key = sealed && ring.byId[sealed[0] as number]
  if (sealed === undefined || key === undefined) return undefined
  const proof = sealed.subarray(1, 1 + PROOF_BYTES)
  const text = createDecipheriv(CIPHER, key.gruuSeal, proof).update(sealed.subarray(1 + PROOF_BYTES))
  if (!timingSafeEqual(proof, proofOf(key, domain, text))) return undefined
  return readText(text, domain)
}

function sealedOf(user: string): Buffer | undefined {
  if (!user.startsWith(PREFIX)) return undefined
  const encoded = user.slice(PREFIX.length)
  const sealed = Buffer.from(encoded, 'base64url')
  const textBytes = sealed.length - 1 - PROOF_BYTES
  const isWhole = textBytes > 0 && textBytes <= MAX_TEXT_BYTES && textBytes % BLOCK_BYTES === 0
  return isWhole && sealed.toString('base64url') === encoded ? sealed : undefined
}

function proofOf(key: RingKey, domain: string, text: Buffer): Buffer {
  return createHmac('sha256', key.gruuProof).update(`${domain}\0`).update(text).digest().subarray(0, PROOF_BYTES)
}

function splitAor(aor: string): { user: string; domain: string } | undefined {
  const at = aor.lastIndexOf('@')
  return aor.startsWith('sip:') && at > 4 ? { user: aor.slice(4, at), domain: aor.slice(at + 1) } : undefined
}

function textOf(user: string, { instanceId, registrationHash }: TemporaryGruu, mark: string): Buffer | undefined {
  const [form, instance] = packInstance(instanceId)
  const userBytes = Buffer.from(user)
  const end = HEAD_BYTES + instance.length + userBytes.length
  if (end > MAX_TEXT_BYTES || instance.length > 255 || user.includes('\0')) return undefined
  const text = Buffer.alloc(Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES)
  text.writeUInt32LE(registrationHash >>> 0, 0)
  createHmac('sha256', 'mark').update(mark).digest().copy(text, 4, 0, 8)
  text[12] = form
  text[13] = instance.length
  instance.copy(text, HEAD_BYTES)
  userBytes.copy(text, HEAD_BYTES + instance.length)
  return text
}

function readText(text: Buffer, domain: string): TemporaryGruu {
  const instanceEnd = HEAD_BYTES + (text[13] as number)
  const zeros = text.indexOf(0, instanceEnd)
  const user = text.toString('utf8', instanceEnd, zeros < 0 ? text.length : zeros)
  return {
    aor: `sip:${user}@${domain}`,
    instanceId: unpackInstance(text[12] as number, text.subarray(HEAD_BYTES, instanceEnd)),
    registrationHash: text.readUInt32LE(0),
  }
}

/** A UUID whose digits are all of one case takes 16 bytes. */
function packInstance(instanceId: string): [form: number, bytes: Buffer] {
  const lower = UUID.exec(instanceId)
  if (lower !== null) return [FORM.lowerUuid, Buffer.from(lower.slice(1).join(''), 'hex')]
  const digits = instanceId.startsWith('urn:uuid:') ? instanceId.slice(9) : ''
  const upper = digits === digits.toUpperCase() ? UUID.exec(`urn:uuid:${digits.toLowerCase()}`) : null
  if (upper !== null) return [FORM.upperUuid, Buffer.from(upper.slice(1).join(''), 'hex')]
  return [FORM.text, Buffer.from(instanceId)]
}

function unpackInstance(form: number, bytes: Buffer): string {
  if (form === FORM.text) return bytes.toString()
  const hex = bytes.toString('hex')
  const digits = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return `urn:uuid:${form === FORM.upperUuid ? digits.toUpperCase() : digits}`
}
