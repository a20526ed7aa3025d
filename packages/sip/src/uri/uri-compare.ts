// SPDX-License-Identifier: MIT
// When two URIs are the same: RFC 3261 §19.1.4 with RFC 5954 §4.2 (IPv6 by its value), RFC 3966 §4 (tel); the address-of-record's
// canonical form of §10.3 step 5; a key for bindings. One escape is undone once, so that %00 never ends a name [RFC4475-3.1.1.4].
// Leaves out: equality of `headers` by the rules of each header field beyond names, compact or not, and text without case, in any
// order; host names are not resolved.
import { Buffer } from 'node:buffer'
import { HEADER_NAMES, headerIdOf } from '../message/header-ids.ts'
import { formatIpv6, parseIpv6 } from '../proxy/ip-address.ts'
import { encodeUri, type Uri, type UriParam } from './uri.ts'

/** Never ignored when only one of the two URIs has them [RFC3261-19.1.4]. */
const SIGNIFICANT = new Set(['user', 'ttl', 'method', 'maddr', 'transport'])

/** Whether a and b are equal by RFC 3261 §19.1.4 (sip, sips) or RFC 3966 §4 (tel); other schemes by text. Not transitive. */
export function compareUris(a: Uri, b: Uri): boolean {
  if (a.scheme !== b.scheme) return false
  if (a.scheme === 'tel') return telKey(a) === telKey(b)
  if (a.host === '' || b.host === '') return encodeUri(a) === encodeUri(b)
  return (
    unescapeAll(a.user) === unescapeAll(b.user) &&
    unescapeAll(a.password) === unescapeAll(b.password) &&
    canonicalHost(a.host) === canonicalHost(b.host) &&
    a.port === b.port &&
    sameParams(a.params, b.params) &&
    sameHeaders(a.headers, b.headers)
  )
}

function sameParams(a: readonly UriParam[], b: readonly UriParam[]): boolean {
  const left = paramMap(a)
  const right = paramMap(b)
  for (const [name, value] of left) {
    const other = right.get(name)
    if (other === undefined ? SIGNIFICANT.has(name) : other !== value) return false
  }
  for (const name of right.keys()) if (!left.has(name) && SIGNIFICANT.has(name)) return false
  return true
}

function paramMap(params: readonly UriParam[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const { name, value } of params) {
    map.set(unescapeAll(name).toLowerCase(), unescapeAll(value).toLowerCase())
  }
  return map
}

/** Headers are never ignored; their order means nothing. */
function sameHeaders(a: string, b: string): boolean {
  return a === b || headerKey(a) === headerKey(b)
}

/** [RFC3261-19.1.4] Names without case, compact or not [RFC3261-7.3.3]; values as text, without case [RFC3261-7.3.1]. */
function headerKey(headers: string): string {
  return headers.split('&').map(headerText).sort().join('&')
}

function headerText(header: string): string {
  const at = header.indexOf('=')
  const name = unescapeAll(at < 0 ? header : header.slice(0, at))
  const id = /^[A-Za-z0-9-]+$/.test(name) ? headerIdOf(Buffer.from(name), 0, name.length) : 0
  const fullName = id === 0 ? name : (HEADER_NAMES[id] as string)
  return `${fullName}=${at < 0 ? '' : unescapeAll(header.slice(at + 1))}`.toLowerCase()
}

/** [RFC3261-19.1.4] A character outside the reserved set of RFC 2396 is its escape; '%' itself never is. */
function unescapeAll(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[!-~]/.test(character) && !/[;/?:@&=+$,%]/.test(character) ? character : escaped.toUpperCase()
  })
}

/**
 * Turns %HH into the character it stands for when that is unreserved or harmless in a user part; other escapes get upper-case digits.
 * One pass: what an escape yields is not read again [RFC4475-3.1.1.3].
 */
function unescapeUnreserved(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9\-_.!~*'()]/.test(character) ? character : escaped.toUpperCase()
  })
}

const address = new Uint8Array(16)

/**
 * Lower case, without the dot of the root. An IPv6 reference by its value, however it is written [RFC5954-4.2]; the third colon of RFC
 * 3261's grammar is one too many [RFC5118-4.10].
 */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  if (!lower.startsWith('[')) return lower.replace(/\.$/, '')
  const text = lower.slice(1, -1).replace(':::', '::')
  return parseIpv6(text, address, 0) ? `[${formatIpv6(address, 0)}]` : `[${text}]`
}

/**
 * The canonical address-of-record [RFC3261-10.3 step 5]: escapes of unreserved characters undone, no parameters, no headers, no password; host in lower case;
 * port kept. sips and sip name the same one, so that the scheme is `sip` for both. tel: the number without separators.
 * Undefined for other schemes. A user of any case stays as it is: user parts are case-sensitive.
 */
export function canonicalAor(uri: Uri): string | undefined {
  if (uri.scheme === 'tel') return telKey(uri)
  if (uri.host === '') return undefined
  const user = uri.user === '' ? '' : `${unescapeUnreserved(uri.user)}@`
  const port = uri.port < 0 ? '' : `:${uri.port}`
  return `sip:${user}${canonicalHost(uri.host)}${port}`
}

/** RFC 3966 §4: visual separators mean nothing, parameters are compared in any order and case, and each must be in both. */
function telKey(uri: Uri): string {
  const params = [...paramMap(uri.params)].sort(byName).map(([name, value]) => `;${name}=${telValue(name, value)}`)
  return `tel:${digits(uri.user).toLowerCase()}${params.join('')}`
}

/** [RFC3966-4] A phone-context that is a number, and an extension, go digit by digit; a domain as a host name does. */
function telValue(name: string, value: string): string {
  if (name === 'ext' || (name === 'phone-context' && value.startsWith('+'))) return digits(value)
  return name === 'phone-context' ? canonicalHost(value) : value
}

function digits(number: string): string {
  return number.replace(/[-.()]/g, '')
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0])
}

/**
 * A text that is equal for contacts that are the same binding. DEVIATION[RFC3261-19.1.4i]: a parameter that only one URI has is never
 * ignored, because that rule is not transitive and can't be a key; two phones that differ in `line=` stay two bindings.
 */
export function uriKey(uri: Uri): string {
  const base = canonicalAor(uri)
  if (base === undefined) return encodeUri(uri)
  if (uri.scheme === 'tel') return base
  const params = [...paramMap(uri.params)].sort(byName).map(([name, value]) => `;${name}=${value}`)
  const password = uri.password === '' ? '' : `;password ${unescapeAll(uri.password)}`
  const headers = uri.headers === '' ? '' : `?${headerKey(uri.headers)}`
  return `${uri.scheme}${base.slice(3)}${params.join('')}${password}${headers}`
}
