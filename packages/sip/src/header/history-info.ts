// SPDX-License-Identifier: MIT
// Entries of History-Info as values [RFC7044-5]: the URI that a request was sent to, the headers that the URI carries (Reason,
// Privacy), its index and how the target was found. Latin1 text in and out; parameters that are not known stay as they came.
import { Buffer } from 'node:buffer'
import { NameAddrView, parseNameAddrView } from './name-addr-view.ts'
import { type Param, paramOf, parseParams } from './params.ts'

export interface HistoryEntry {
  /** Display name with its quotes and the space behind it, '' for none. */
  readonly display: string
  /** Without headers. */
  readonly uri: string
  /** What follows the URI's '?', escaped as it came: `Reason=SIP%3Bcause%3D486&Privacy=history`; '' for none. */
  readonly headers: string
  /** `1.2.1` [RFC7044-10.3]. */
  readonly index: string
  /** Other parameters, each with its semicolon: `;rc=1.2;foo=bar`. */
  readonly params: string
}

/** Longest index that is taken, in characters: deeper trees than this are no call's. */
const MAX_INDEX = 64
const view = new NameAddrView()

/** One value of History-Info. Undefined: bad syntax, or no index. */
export function parseHistoryEntry(text: string): HistoryEntry | undefined {
  const buf = Buffer.from(text, 'latin1')
  if (!parseNameAddrView(buf, 0, buf.length, view)) return undefined
  const { displayStart, displayEnd, uriStart, uriEnd, paramsStart } = view
  const params = parseParams(buf, paramsStart, buf.length)
  const index = params && paramOf(params, 'index')
  if (params === undefined || index === undefined || !isHistoryIndex(index)) return undefined
  const [uri = '', headers = ''] = splitOnce(buf.latin1Slice(uriStart, uriEnd), '?')
  const display = displayStart < 0 ? '' : `${buf.latin1Slice(displayStart, displayEnd)} `
  const rest = buf.latin1Slice(paramsStart, buf.length).replace(/\s*;\s*index\s*=\s*[\d.]+/i, '')
  return { display, uri, headers, index, params: rest.trim() }
}

export function encodeHistoryEntry({ display, uri, headers, index, params }: HistoryEntry): string {
  return `${display}<${headers === '' ? uri : `${uri}?${headers}`}>;index=${index}${params}`
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

export function isHistoryIndex(text: string): boolean {
  return text.length <= MAX_INDEX && /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*$/.test(text)
}

/** Negative where `a` comes before `b` in the tree's preorder: 1.2, 1.2.1, 1.2.2, 1.10 [RFC7044-9.2]. */
export function compareHistoryIndexes(a: string, b: string): number {
  const left = a.split('.')
  const right = b.split('.')
  for (let k = 0; k < left.length && k < right.length; k += 1) {
    const difference = Number(left[k]) - Number(right[k])
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** The parameter of a Contact in a 3xx that says how it was found, `rc=1.1` or `mp=1.1`; '' without one [RFC7044-10.4]. */
export function historyParamOf(contactParams: readonly Param[]): string {
  for (const { name, value } of contactParams) {
    if ((name === 'rc' || name === 'mp') && isHistoryIndex(value)) return `${name}=${value}`
  }
  return ''
}

/** One header for a URI: its value escaped for the place behind '?' [RFC3261-19.1.1]. */
export function uriHeader(name: string, value: string): string {
  return `${name}=${value.replace(/[^A-Za-z0-9[\]/:+$\-_.!~*'()]/g, escapeByte)}`
}

function escapeByte(character: string): string {
  return `%${(character.charCodeAt(0) & 255).toString(16).toUpperCase().padStart(2, '0')}`
}

/** The headers of a URI without those called `name`. */
export function withoutUriHeader(headers: string, name: string): string {
  return headers === ''
    ? ''
    : headers
        .split('&')
        .filter((header) => splitOnce(header, '=')[0].toLowerCase() !== name)
        .join('&')
}

/** Whether the entry asks for privacy of its own [RFC7044-10.1.1]; other values than `history` are ignored there. */
export function isPrivateEntry({ headers }: HistoryEntry): boolean {
  return headers.split('&').some((header) => /^privacy=(?:.*(?:;|,|%3b|%2c))?history(?:$|;|,|%3b|%2c)/i.test(header))
}
