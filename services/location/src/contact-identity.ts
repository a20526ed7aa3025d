// SPDX-License-Identifier: MIT
//
// When two contacts are the same binding. URIs compare by RFC 3261 §19.1.4 (sip, sips) and RFC 3966 §4 (tel); with a
// +sip.instance and a reg-id these decide instead (RFC 5626 §6). Equality by §19.1.4 is not transitive (a parameter that
// only one URI has is passed over), so no text can stand for it: `key` is the finest form, and `isSameContact` compares
// two identities exactly.
// Left out: header components compared by the rules of each header field; they compare as text.
import { parseUriView, URI_SCHEME, UriView } from '@tandem/sip'

export interface ContactIdentity {
  /** What both URIs must have alike. */
  readonly strict: string
  /** The other parameters, name to value, in order of name. */
  readonly others: ReadonlyMap<string, string>
  /** Under this the store keeps the binding. */
  readonly key: string
}

/** Parameters that never match when only one URI has them. transport: §19.1.4, "any component with a default value". */
const STRICT_PARAMS = new Set(['user', 'ttl', 'method', 'maddr', 'transport'])
/** Reserved characters (RFC 2396 §2.2) and "%" are not equivalent to their escapes. */
const NOT_UNESCAPED = new Set([...';/?:@&=+$,%'])

/** Undefined for text that is no URI, and for `*`. */
export function contactIdentity(uri: string, instanceId = '', regId = 0): ContactIdentity | undefined {
  const bytes = Buffer.from(uri)
  const view = new UriView()
  if (!parseUriView(bytes, 0, bytes.length, view)) return undefined
  const identity = identityOf(new Parts(bytes, view))
  // [RFC5626-6] a binding is named by its instance and reg-id, whatever its URI.
  if (instanceId === '' || regId === 0) return identity
  return { ...identity, key: `flow:${regId};${instanceId}` }
}

// [RFC3261-19.1.4]
export function isSameContact(a: ContactIdentity, b: ContactIdentity): boolean {
  if (a.key === b.key) return true
  if (a.strict !== b.strict || isFlowKey(a) || isFlowKey(b)) return false
  for (const [name, value] of a.others) {
    const other = b.others.get(name)
    if (other !== undefined && other !== value) return false
  }
  return true
}

function isFlowKey(identity: ContactIdentity): boolean {
  return identity.key.startsWith('flow:')
}

class Parts {
  readonly #bytes: Buffer
  readonly view: UriView

  constructor(bytes: Buffer, view: UriView) {
    this.#bytes = bytes
    this.view = view
  }

  text(start: number, end: number): string {
    return start < 0 ? '' : this.#bytes.toString('utf8', start, end)
  }
}

function identityOf(parts: Parts): ContactIdentity {
  const { view } = parts
  const scheme = parts.text(view.start, view.schemeEnd).toLowerCase()
  if (view.scheme === URI_SCHEME.TEL) return telIdentity(parts)
  if (view.scheme === URI_SCHEME.OTHER) {
    const strict = `${scheme}:${parts.text(view.schemeEnd + 1, view.end)}`
    return { strict, others: new Map(), key: strict }
  }
  return sipIdentity(scheme, parts)
}

function sipIdentity(scheme: string, parts: Parts): ContactIdentity {
  const { view } = parts
  const user = view.userStart < 0 ? '' : `${unescapeText(parts.text(view.userStart, view.userEnd))}`
  const password = view.passwordStart < 0 ? '' : `:${unescapeText(parts.text(view.passwordStart, view.passwordEnd))}`
  const host = parts.text(view.hostStart, view.hostEnd).toLowerCase()
  const port = view.port < 0 ? '' : `:${view.port}`
  const { strictParams, others } = splitParams(parts.text(view.paramsStart, view.paramsEnd))
  const headers = view.headersStart < 0 ? '' : `?${sortedHeaders(parts.text(view.headersStart, view.end))}`
  const at = view.userStart < 0 ? '' : '@'
  const strict = `${scheme}:${user}${password}${at}${host}${port}${strictParams}${headers}`
  return { strict, others, key: withOthers(strict, others) }
}

// [RFC3966-4] visual separators do not count, letters compare without case; every parameter must match.
function telIdentity(parts: Parts): ContactIdentity {
  const { view } = parts
  const number = parts
    .text(view.userStart, view.userEnd)
    .replace(/[-.()]/g, '')
    .toLowerCase()
  const params = splitPieces(parts.text(view.paramsStart, view.end), ';').map((param) => param.toLowerCase())
  const strict = ['tel:', number, ...params.sort().map((param) => `;${param}`)].join('')
  return { strict, others: new Map(), key: strict }
}

function splitParams(text: string): { strictParams: string; others: Map<string, string> } {
  const params = splitPieces(text, ';').map((piece) => {
    const [name = '', value = ''] = splitOnce(piece)
    return [unescapeText(name).toLowerCase(), unescapeText(value).toLowerCase()] as const
  })
  params.sort(byName)
  let strictParams = ''
  const others = new Map<string, string>()
  for (const [name, value] of params) {
    if (STRICT_PARAMS.has(name)) strictParams += `;${name}=${value}`
    else others.set(name, value)
  }
  return { strictParams, others }
}

function withOthers(strict: string, others: ReadonlyMap<string, string>): string {
  let key = strict
  for (const [name, value] of others) key += `;;${name}=${value}`
  return key
}

function sortedHeaders(text: string): string {
  const headers = splitPieces(text, '&').map((piece) => {
    const [name = '', value = ''] = splitOnce(piece)
    return [unescapeText(name).toLowerCase(), unescapeText(value)] as const
  })
  return headers
    .sort(byName)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1
  return a[1] < b[1] ? -1 : Number(a[1] > b[1])
}

function splitPieces(text: string, separator: string): string[] {
  return text === '' ? [] : text.split(separator).filter((piece) => piece !== '')
}

function splitOnce(piece: string): [string, string] {
  const at = piece.indexOf('=')
  return at < 0 ? [piece, ''] : [piece.slice(0, at), piece.slice(at + 1)]
}

// [RFC3261-19.1.4] characters outside the reserved set are equivalent to their escapes.
function unescapeText(text: string): string {
  return text.includes('%') ? text.replace(/%([0-9a-f]{2})/gi, unescapeOne) : text
}

function unescapeOne(escaped: string, hex: string): string {
  const code = Number.parseInt(hex, 16)
  const character = String.fromCharCode(code)
  return code > 0x20 && code < 0x7f && !NOT_UNESCAPED.has(character) ? character : escaped.toUpperCase()
}
