// SPDX-License-Identifier: MIT
// Digest arithmetic (RFC 7616 §3.4, RFC 8760, RFC 3261 §22.4): HA1, session keys, responses, for MD5 and SHA-256. Pure: no nonces
// made or judged here, no policy. qop is absent (RFC 2069), `auth` or `auth-int`.
// Texts of the message are latin1 (its bytes); names and passwords that people typed are UTF-8.
import { Buffer } from 'node:buffer'
import { hash as hashOnce, timingSafeEqual } from 'node:crypto'

export const DIGEST_ALGORITHMS = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess'] as const
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number]

/** The algorithm of a header's text in any case; an absent one is MD5 [RFC7616-3.3]. Undefined: unknown. */
export function digestAlgorithmOf(text: string | undefined): DigestAlgorithm | undefined {
  if (text === undefined) return 'MD5'
  return DIGEST_ALGORITHMS.find((known) => known.toLowerCase() === text.toLowerCase())
}

function hash(algorithm: DigestAlgorithm, text: string, encoding: 'latin1' | 'utf8'): string {
  return hashOnce(algorithm.startsWith('MD5') ? 'md5' : 'sha256', Buffer.from(text, encoding), 'hex')
}

/** H(user:realm:password), UTF-8: what is provisioned. For a -sess algorithm the same; sessionHa1() makes the session's. */
export function ha1(algorithm: DigestAlgorithm, user: string, realm: string, password: string): string {
  return hash(algorithm, `${user}:${realm}:${password}`, 'utf8')
}

/** H(HA1:nonce:cnonce) [RFC7616-3.4.2]. */
export function sessionHa1(algorithm: DigestAlgorithm, baseHa1: string, nonce: string, cnonce: string): string {
  return hash(algorithm, `${baseHa1}:${nonce}:${cnonce}`, 'latin1')
}

export interface DigestInput {
  readonly algorithm: DigestAlgorithm
  /** From ha1(); of a -sess algorithm too. */
  readonly ha1: string
  readonly method: string
  /** digest-uri as it stands in the credentials. */
  readonly uri: string
  readonly nonce: string
  /** '' for the calculation of RFC 2069. */
  readonly qop: '' | 'auth' | 'auth-int'
  /** Eight hex digits as they came; '' without qop. */
  readonly nc: string
  readonly cnonce: string
  /** The request's body, for auth-int. */
  readonly body?: Buffer
}

/** The request-digest in lower-case hex [RFC7616-3.4.1]. */
export function digestResponse(input: DigestInput): string {
  const { algorithm, nonce, nc, cnonce, qop } = input
  const secret = algorithm.endsWith('-sess') ? sessionHa1(algorithm, input.ha1, nonce, cnonce) : input.ha1
  const tail = qop === '' ? '' : `${nc}:${cnonce}:${qop}:`
  return hash(algorithm, `${secret}:${nonce}:${tail}${ha2(input)}`, 'latin1')
}

function ha2(input: DigestInput): string {
  if (input.qop !== 'auth-int') return hash(input.algorithm, `${input.method}:${input.uri}`, 'latin1')
  const body = hash(input.algorithm, input.body?.toString('latin1') ?? '', 'latin1')
  return hash(input.algorithm, `${input.method}:${input.uri}:${body}`, 'latin1')
}

/** Compares two hex digests in any case, in time that tells nothing about where they differ. */
export function sameDigest(expected: string, given: string): boolean {
  const a = Buffer.from(expected.toLowerCase(), 'latin1')
  const b = Buffer.from(given.toLowerCase(), 'latin1')
  return a.length === b.length && timingSafeEqual(a, b)
}
