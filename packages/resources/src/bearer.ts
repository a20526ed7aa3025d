// SPDX-License-Identifier: MIT
//
// What a domain says about bearer tokens (RFC 8898): who issues them, what must stand in them, and whom they name.
import { z } from 'zod'

/** Signatures with a public key: whoever can verify one can't make one. */
export const BEARER_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type BearerAlgorithm = (typeof BEARER_ALGORITHMS)[number]

/** What may stand between quotes in a challenge. */
const quotable = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/

const scopeName = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'expected a scope without blank, quote and backslash')

export const bearer = z.strictObject({
  /** JSON Web Key Set with the issuer's public keys. Read again when it changes. */
  jwks: z.strictObject({ file: z.string().min(1) }),
  /** `iss` of the tokens. */
  issuer: z.string().min(1).max(256),
  /** Must be among `aud`. */
  audience: z.string().min(1).max(256),
  /** Where phones get tokens: `authz_server` of the challenge. [RFC8898-2.2] */
  authorizationServer: z
    .string()
    .regex(quotable)
    .refine((url) => URL.canParse(url) && new URL(url).protocol === 'https:', 'expected an https URL'),
  /** All of them must be in `scope` or `scp` of the token. */
  scope: z.array(scopeName).max(16).default([]),
  algorithms: z
    .array(z.enum(BEARER_ALGORITHMS))
    .min(1)
    .max(BEARER_ALGORITHMS.length)
    .default([...BEARER_ALGORITHMS]),
  /** Claim that names the user: a sip URI, `user@domain`, or a user of this domain. */
  userClaim: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected the name of a claim')
    .default('sub'),
  /** How far the issuer's clock may be from ours. */
  clockSkewMs: z.int().min(0).max(300_000).default(30_000),
  /** Tokens may come in the clear. Whoever reads one there can use it until it expires. */
  insecureTransports: z.boolean().default(false),
})
export type Bearer = z.infer<typeof bearer>
