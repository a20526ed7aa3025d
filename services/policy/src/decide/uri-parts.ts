// SPDX-License-Identifier: MIT
//
// Scheme, user, host and parameters of a URI in text: all that a decision needs, without a full parse. It validates nothing;
// a host that is none simply belongs to no domain. Headers and port are skipped. [RFC3261-19.1.1]

export interface UriParts {
  /** Lower case; `sip` and `sips` have user and host, other schemes have neither. '' for text that is no URI. */
  readonly scheme: string
  /** Escapes undone, password cut; '' for none. */
  readonly user: string
  /** As it came; IPv6 in brackets. */
  readonly host: string
  /** `;gr;maddr=…` as it came, '' for none. */
  readonly params: string
  /** What follows `tel:`; '' for other schemes. */
  readonly telephone: string
}

const NO_URI: UriParts = { scheme: '', user: '', host: '', params: '', telephone: '' }

const COLON = 58
const SEMICOLON = 59
const QUESTION = 63
const CLOSING_BRACKET = 93

/** End of the host that starts at `from`: at the port, a parameter, the headers or the end. */
function hostEnd(text: string, from: number): number {
  let i = from
  if (text[from] === '[') while (i < text.length && text.charCodeAt(i) !== CLOSING_BRACKET) i++
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === COLON || c === SEMICOLON || c === QUESTION) return i
  }
  return i
}

/** `%61lice` is `alice` [RFC3261-19.1.4]; what is escaped wrongly stays as it is. */
function unescapeUser(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function userOf(text: string, from: number, at: number): string {
  const user = text.slice(from, at)
  const password = user.indexOf(':')
  return unescapeUser(password < 0 ? user : user.slice(0, password))
}

function schemeOf(text: string): string {
  if (text.startsWith('sip:')) return 'sip'
  const colon = text.indexOf(':')
  if (colon <= 0) return ''
  const scheme = text.slice(0, colon).toLowerCase()
  return /^[a-z][a-z0-9+.-]*$/.test(scheme) ? scheme : ''
}

/** The parameters after a host that ends at `from`, which may be followed by a port. */
function paramsFrom(text: string, from: number): string {
  const start = text.indexOf(';', from)
  if (start < 0) return ''
  const headers = text.indexOf('?', from)
  if (headers < 0) return text.slice(start)
  return headers < start ? '' : text.slice(start, headers)
}

/** Value of a parameter, '' where it has none; undefined: it is not there. */
export function paramOf(params: string, name: string): string | undefined {
  if (params === '') return undefined
  for (const one of params.split(';')) {
    const equals = one.indexOf('=')
    const key = equals < 0 ? one : one.slice(0, equals)
    if (key.toLowerCase() === name) return equals < 0 ? '' : one.slice(equals + 1)
  }
  return undefined
}

export function splitUri(text: string): UriParts {
  const scheme = schemeOf(text)
  if (scheme === '') return NO_URI
  if (scheme !== 'sip' && scheme !== 'sips') {
    return { ...NO_URI, scheme, telephone: scheme === 'tel' ? text.slice(4) : '' }
  }
  const from = scheme.length + 1
  const at = text.indexOf('@', from)
  const host = at < 0 ? from : at + 1
  const end = hostEnd(text, host)
  if (end === host) return NO_URI
  const user = at < 0 ? '' : userOf(text, from, at)
  return { scheme, user, host: text.slice(host, end), params: paramsFrom(text, end), telephone: '' }
}

/** Index after a quoted string that starts at `from`, or the text's length when it does not end. */
function afterQuoted(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i + 1
  }
  return text.length
}

/** The URI of a From or To value, with its parameters; '' when there is none. [RFC3261-20.20] */
export function addressOf(value: string): string {
  const start = value.trimStart()
  const afterName = start.startsWith('"') ? afterQuoted(start, 0) : 0
  const open = start.indexOf('<', afterName)
  if (open >= 0) {
    const close = start.indexOf('>', open)
    return close < 0 ? '' : start.slice(open + 1, close).trim()
  }
  if (afterName > 0) return ''
  // Without brackets, parameters belong to the header field.
  const semicolon = start.indexOf(';')
  return (semicolon < 0 ? start : start.slice(0, semicolon)).trim()
}
