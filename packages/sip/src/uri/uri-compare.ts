// SPDX-License-Identifier: MIT
// When two URIs are the same: RFC 3261 §19.1.4, RFC 3966 §4; the address-of-record's canonical form of §10.3 step 5; a key for
// bindings. An escape equals the character it stands for unless that is reserved, so that %00 never ends a name [RFC4475-3.1.1.4].
// Leaves out: equality of `headers` beyond text in any order; host names are not resolved.
import { encodeUri, type Uri, type UriParam } from './uri.ts'

/** Never ignored when only one of the two URIs has them [RFC3261-19.1.4]. */
const SIGNIFICANT = new Set(['user', 'ttl', 'method', 'maddr', 'transport'])

/** Whether a and b are equal by RFC 3261 §19.1.4 (sip, sips) or RFC 3966 §4 (tel); other schemes by text. Not transitive. */
export function compareUris(a: Uri, b: Uri): boolean {
  if (a.scheme !== b.scheme) return false
  if (a.scheme === 'tel') return telKey(a) === telKey(b)
  if (a.host === '' || b.host === '') return encodeUri(a) === encodeUri(b)
  return (
    unescapeUnreserved(a.user) === unescapeUnreserved(b.user) &&
    unescapeUnreserved(a.password) === unescapeUnreserved(b.password) &&
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
    map.set(unescapeUnreserved(name).toLowerCase(), unescapeUnreserved(value).toLowerCase())
  }
  return map
}

/** Headers are never ignored; their order means nothing. */
function sameHeaders(a: string, b: string): boolean {
  return a === b || headerKey(a) === headerKey(b)
}

function headerKey(headers: string): string {
  return unescapeUnreserved(headers).toLowerCase().split('&').sort().join('&')
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

/** Lower case; an IPv6 reference also without the third colon of RFC 3261's grammar [RFC5118-4.10]. */
function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  return lower.startsWith('[') ? lower.replace(':::', '::') : lower.replace(/\.$/, '')
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

/** RFC 3966 §4: visual separators mean nothing, parameters are compared in any order and case. */
function telKey(uri: Uri): string {
  const params = [...paramMap(uri.params)].sort(byName).map(([name, value]) => `;${name}=${value}`)
  return `tel:${uri.user.replace(/[-.()]/g, '').toLowerCase()}${params.join('')}`
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0])
}

/**
 * A text that is equal for contacts that are the same binding. DEVIATION[RFC3261-19.1.4]: a parameter that only one URI has is never
 * ignored, because that rule is not transitive and can't be a key; two phones that differ in `line=` stay two bindings.
 */
export function uriKey(uri: Uri): string {
  const base = canonicalAor(uri)
  if (base === undefined) return encodeUri(uri)
  if (uri.scheme === 'tel') return base
  const params = [...paramMap(uri.params)].sort(byName).map(([name, value]) => `;${name}=${value}`)
  const password = uri.password === '' ? '' : `;password ${unescapeUnreserved(uri.password)}`
  const headers = uri.headers === '' ? '' : `?${headerKey(uri.headers)}`
  return `${uri.scheme}${base.slice(3)}${params.join('')}${password}${headers}`
}
