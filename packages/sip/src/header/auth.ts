// SPDX-License-Identifier: MIT
// Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization, Authentication-Info
// (RFC 3261 §20.7, §22, RFC 7616). One header line is one challenge: lists of them in one line are not in SIP's grammar.
import { LIMITS } from '../limits.ts'
import { unfold } from '../message/message.ts'
import { quote, unquote } from './params.ts'

export interface AuthValue {
  /** Lower case, '' for Authentication-Info. */
  readonly scheme: string
  /** Names in lower case, quoted strings undone. Latin1 text. */
  readonly params: ReadonlyMap<string, string>
}

const PARAM = /[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s",;]*)[ \t]*(,|$)/sy

/** Undefined: no scheme, bad syntax, a parameter twice (two readers might take two values), or too many. */
export function parseAuth(text: string): AuthValue | undefined {
  const value = unfold(text)
  const match = /^[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)(?:[ \t]+|$)/.exec(value)
  if (match?.[1] === undefined) return undefined
  const params = plainParams(value, match[0].length) ?? parseAuthParams(value, match[0].length)
  return params === undefined ? undefined : { scheme: match[1].toLowerCase(), params }
}

/** Parameters of Authentication-Info, which has no scheme. */
export function parseAuthInfo(text: string): ReadonlyMap<string, string> | undefined {
  return parseAuthParams(unfold(text), 0)
}

/** Names that are taken as they stand. */
const PLAIN_NAMES = new Set(
  'username realm nonce uri response algorithm cnonce opaque qop nc domain stale auts rspauth nextnonce'.split(' '),
)
/** In an unquoted value, and before or after one: what the careful reader looks at. */
const NOT_PLAIN = /[\s",;\\]/

/**
 * What nearly everybody writes: names in lower case without spaces about them, `", "` or `","` between parameters, nothing escaped. Undefined
 * for all else, which is read with care; of what is read here the result is the same.
 */
function plainParams(value: string, from: number): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>()
  for (let at = from; at < value.length; ) {
    const equals = value.indexOf('=', at)
    const name = value.slice(at, equals)
    if (equals < 0 || !PLAIN_NAMES.has(name) || params.has(name)) return undefined
    const isQuoted = value[equals + 1] === '"'
    const begin = isQuoted ? equals + 2 : equals + 1
    const found = value.indexOf(isQuoted ? '"' : ',', begin)
    const end = found < 0 ? value.length : found
    const text = value.slice(begin, end)
    if (isQuoted ? found < 0 || text.includes('\\') : NOT_PLAIN.test(text)) return undefined
    params.set(name, text)
    const comma = isQuoted ? end + 1 : end
    if (comma === value.length) return params
    if (value[comma] !== ',') return undefined
    at = value[comma + 1] === ' ' ? comma + 2 : comma + 1
    if (at >= value.length) return undefined
  }
  return undefined
}

function parseAuthParams(value: string, at: number): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>()
  PARAM.lastIndex = at
  while (PARAM.lastIndex < value.length) {
    const match = PARAM.exec(value)
    if (match?.[1] === undefined || match[2] === undefined) return undefined
    const name = match[1].toLowerCase()
    if (params.has(name) || params.size === LIMITS.paramCount) return undefined
    params.set(name, unquote(match[2]))
    if (match[3] === '') break
  }
  return params
}

/** Values that RFC 3261 §25.1 and RFC 7616 §3.3 write without quotes. */
const UNQUOTED = new Set(['algorithm', 'stale', 'nc'])

/** `Digest realm="…", …`. A challenge quotes qop, credentials do not: pass `isChallenge`. */
export function encodeAuth(scheme: string, params: Iterable<readonly [string, string]>, isChallenge: boolean): string {
  const parts: string[] = []
  for (const [name, value] of params) {
    const bare = UNQUOTED.has(name) || (name === 'qop' && !isChallenge)
    parts.push(`${name}=${bare ? value : quote(value)}`)
  }
  return `${scheme} ${parts.join(', ')}`
}
