// SPDX-License-Identifier: MIT
//
// Tokens: a name, a role, and the SHA-256 of 32 random bytes' text. Only hashes are configured, and every comparison looks at all of them
// in the same time. How somebody is known, and what a wrong token costs its address.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { sourceKeyOf } from '@tandem/service-kit'
import type { Role } from './definition.ts'
import { ApiError } from './errors.ts'

/** Who calls. */
export interface Caller {
  /** Name of the token; `loopback` without one. */
  readonly name: string
  readonly role: Role
  /** IP address. */
  readonly source: string
}

export interface TokenEntry {
  readonly name: string
  readonly role: Role
  /** 64 hexadecimal digits. */
  readonly hash: string
}

/** Addresses that are remembered for wrong tokens; the one that came first is forgotten. */
const MAX_SOURCES = 10_000

export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('hex')

/** 256 random bits that secret scanners recognise by their beginning. */
export const newToken = (): string => `tandem_${randomBytes(32).toString('base64url')}`

interface WrongTries {
  count: number
  readonly untilMs: number
}

export interface TokenGuardOptions {
  readonly tokens: readonly TokenEntry[]
  /** Without a token everybody has the role admin: on loopback alone. */
  readonly isOpen: boolean
  readonly maxWrong: number
  readonly windowMs: number
  /** Monotonic. */
  readonly now: () => number
}

export class TokenGuard {
  readonly counts = { wrong: 0, refused: 0, missing: 0 }
  readonly #options: TokenGuardOptions
  readonly #tokens: readonly (TokenEntry & { readonly bytes: Buffer })[]
  readonly #wrong = new Map<string, WrongTries>()

  constructor(options: TokenGuardOptions) {
    this.#options = options
    this.#tokens = options.tokens.map((token) => ({ ...token, bytes: Buffer.from(token.hash, 'hex') }))
  }

  /** @param authorization value of the header, undefined where there is none. Throws `ApiError`. */
  identify(authorization: string | undefined, source: string): Caller {
    if (authorization === undefined && this.#options.isOpen) return { name: 'loopback', role: 'admin', source }
    const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) {
      this.counts.missing++
      throw new ApiError('no_token', undefined, { headers: { 'www-authenticate': 'Bearer realm="tandem"' } })
    }
    this.#refuseTooMany(source)
    const found = this.#find(token)
    if (found !== undefined) return { name: found.name, role: found.role, source }
    this.#noteWrong(source)
    throw new ApiError('wrong_token', undefined, {
      headers: { 'www-authenticate': 'Bearer realm="tandem", error="invalid_token"' },
    })
  }

  #find(token: string): TokenEntry | undefined {
    const hash = createHash('sha256').update(token).digest()
    let found: TokenEntry | undefined
    for (const one of this.#tokens) if (timingSafeEqual(one.bytes, hash)) found = one
    return found
  }

  #refuseTooMany(source: string): void {
    const tries = this.#wrong.get(sourceKeyOf(source) || source)
    const now = this.#options.now()
    if (tries === undefined || tries.untilMs <= now || tries.count < this.#options.maxWrong) return
    this.counts.refused++
    const seconds = Math.ceil((tries.untilMs - now) / 1_000)
    throw new ApiError('too_many_wrong_tokens', undefined, { headers: { 'retry-after': String(seconds) } })
  }

  #noteWrong(source: string): void {
    this.counts.wrong++
    const key = sourceKeyOf(source) || source
    const now = this.#options.now()
    const tries = this.#wrong.get(key)
    if (tries !== undefined && tries.untilMs > now) {
      tries.count++
      return
    }
    this.#wrong.delete(key)
    if (this.#wrong.size >= MAX_SOURCES) this.#wrong.delete(this.#wrong.keys().next().value as string)
    this.#wrong.set(key, { count: 1, untilMs: now + this.#options.windowMs })
  }
}
