// SPDX-License-Identifier: MIT
//
// Bearer tokens (RFC 8898): signed JWTs of the domain's issuer, in Authorization or Proxy-Authorization. A token has no realm,
// so the first one is the domain's; nothing of it is ever logged.
// Left out: reference tokens (introspection) and encrypted tokens.
// DEVIATION[RFC8898-2.1.2]: tokens come signed, not encrypted. What keeps them from others is that they are taken over TLS and
// secure WebSockets only, end here, and are taken out of what is forwarded.
import { type DomainSettings, findUser, type ResourceIndex, type UserEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { PolicyContext } from '../context.ts'
import { userOf } from '../decide/identity.ts'
import { type Proven, provenBy } from '../decide/proven.ts'
import { splitUri } from '../decide/uri-parts.ts'

export interface BadToken {
  readonly outcome: TokenError
  /** Nobody whom the domain believes has signed it: a guess, where one that is too old or for others is none. */
  readonly isForged?: boolean
}

/** Of the challenge that answers a token. [RFC8898-4] */
export type TokenError = 'invalid_token' | 'invalid_scope'

/** Stops tokens that cost more to look at than they are worth. */
export const MAX_TOKEN_LENGTH = 8_192

const BEARER = /^[ \t]*Bearer[ \t]+/i
/** Three parts of base64url between dots. [RFC7515-7.1] */
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

const isSecure = (source: policy.Source | undefined): boolean =>
  source?.transport === 'tls' || source?.transport === 'wss'

/** Whether the domain takes tokens over what the request came by. */
export const offersBearer = ({ bearer }: DomainSettings, source: policy.Source | undefined): boolean =>
  bearer !== undefined && (bearer.insecureTransports || isSecure(source))

/**
 * The credentials with a token. Either header counts: RFC 8898 has phones put it into Authorization even where a proxy asked.
 * [RFC8898-2.1.4] [RFC8898-2.3] undefined where there is none, or where it came over a transport for which it was not meant.
 */
export function tokenIn(request: policy.DecideRequest, domain: DomainSettings): policy.Credentials | undefined {
  if (!offersBearer(domain, request.source)) return undefined
  return request.credentials.find(({ value }) => BEARER.test(value))
}

function scopesOf({ scope, scp }: JWTPayload & { readonly scope?: unknown; readonly scp?: unknown }): Set<unknown> {
  const value = scope ?? scp
  if (Array.isArray(value)) return new Set<unknown>(value)
  return new Set(typeof value === 'string' ? value.split(' ') : [])
}

/** A sip URI, `user@domain`, or a user of the domain. */
function namedUser(index: ResourceIndex, domain: DomainSettings, name: unknown): UserEntry | undefined {
  if (typeof name !== 'string' || name === '' || name.length > 1_024) return undefined
  const isUri = /^(sips?|tel):/i.test(name)
  const entry = index.homes.get(domain.name)?.entry
  if (!isUri && !name.includes('@')) return entry && findUser(entry, name)
  return userOf(index, splitUri(isUri ? name : `sip:${name}`))
}

async function payloadOf(
  context: PolicyContext,
  domain: DomainSettings,
  token: string,
): Promise<JWTPayload | BadToken> {
  const keys = context.issuers.of(domain.name)
  const { bearer } = domain
  if (keys === undefined || bearer === undefined) return INVALID
  if (token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token)) return FORGED
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: bearer.issuer,
      audience: bearer.audience,
      algorithms: [...bearer.algorithms],
      clockTolerance: bearer.clockSkewMs / 1_000,
      currentDate: new Date(context.now()),
      requiredClaims: ['exp', bearer.userClaim],
    })
    return payload
  } catch (error) {
    // Expired, for somebody else, forged or no token at all: the sender learns as much from each.
    return isSigned(error) ? INVALID : FORGED
  }
}

/** What it says was looked at only after its signature had been found right. */
const isSigned = (error: unknown): boolean =>
  error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed

const INVALID: BadToken = { outcome: 'invalid_token' }
const FORGED: BadToken = { outcome: 'invalid_token', isForged: true }

const isBad = (payload: JWTPayload | BadToken): payload is BadToken => payload === INVALID || payload === FORGED

/** [RFC8898-2.2] [RFC8898-2.3] */
export async function judgeToken(
  context: PolicyContext,
  index: ResourceIndex,
  domain: DomainSettings,
  used: policy.Credentials,
): Promise<Proven | BadToken> {
  const { bearer } = domain
  const payload = await payloadOf(context, domain, used.value.replace(BEARER, '').trimEnd())
  if (bearer === undefined) return INVALID
  if (isBad(payload)) return payload
  const user = namedUser(index, domain, payload[bearer.userClaim])
  if (user === undefined || user.domain.name !== domain.name || user.kind !== 'Subscriber') return INVALID
  const scopes = scopesOf(payload)
  if (!bearer.scope.every((scope) => scopes.has(scope))) return { outcome: 'invalid_scope' }
  return provenBy('bearer', user, used)
}
