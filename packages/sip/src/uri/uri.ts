// SPDX-License-Identifier: MIT
// URIs as values: sip, sips (RFC 3261 §19.1), tel (RFC 3966), other schemes as opaque text. Latin1 text in, latin1 text out.
// Escapes stay as they came. Comparison and canonical forms are in uri-compare.ts.
import { Buffer } from 'node:buffer'
import { LIMITS } from '../limits.ts'
import { parseUriView, URI_SCHEME, UriView } from './uri-view.ts'

export interface UriParam {
  /** As it came; compare in lower case. */
  readonly name: string
  readonly value: string
  readonly flag: boolean
}

export interface Uri {
  /** Lower case. */
  readonly scheme: string
  /** Escaped user part; for tel the number as written; '' when absent. */
  readonly user: string
  /** '' when absent. */
  readonly password: string
  /** As it came, an IPv6 address in its brackets; '' for tel and other schemes. */
  readonly host: string
  /** -1 when absent. */
  readonly port: number
  readonly params: readonly UriParam[]
  /** What follows '?', '' when absent. */
  readonly headers: string
  /** What follows the colon of a scheme other than sip, sips and tel; '' for these. */
  readonly opaque: string
}

const view = new UriView()

/** Undefined: bad syntax, or more parameters than LIMITS.paramCount. */
export function parseUri(text: string): Uri | undefined {
  const buf = Buffer.from(text, 'latin1')
  return parseUriView(buf, 0, buf.length, view) ? uriOfView(buf, view) : undefined
}

/** The URI that a view describes, as a value. */
export function uriOfView(buf: Buffer, uri: UriView): Uri | undefined {
  const params = splitParams(buf.latin1Slice(uri.paramsStart, uri.paramsEnd))
  if (params === undefined) return undefined
  return {
    scheme: buf.latin1Slice(uri.start, uri.schemeEnd).toLowerCase(),
    user: slice(buf, uri.userStart, uri.userEnd),
    password: slice(buf, uri.passwordStart, uri.passwordEnd),
    host: slice(buf, uri.hostStart, uri.hostEnd),
    port: uri.port,
    params,
    headers: slice(buf, uri.headersStart, uri.end),
    opaque: uri.scheme === URI_SCHEME.OTHER ? buf.latin1Slice(uri.schemeEnd + 1, uri.end) : '',
  }
}

function slice(buf: Buffer, start: number, end: number): string {
  return start < 0 ? '' : buf.latin1Slice(start, end)
}

function splitParams(text: string): UriParam[] | undefined {
  if (text === '') return []
  const parts = text.slice(1).split(';', LIMITS.paramCount + 1)
  if (parts.length > LIMITS.paramCount) return undefined
  const params: UriParam[] = []
  for (const part of parts) {
    const equal = part.indexOf('=')
    const name = equal < 0 ? part : part.slice(0, equal)
    if (name === '') return undefined
    params.push({ name, value: equal < 0 ? '' : part.slice(equal + 1), flag: equal < 0 })
  }
  return params
}

/** Value of the parameter with this lower-case name, '' for a flag; undefined when it is absent. */
export function uriParam(uri: Uri, name: string): string | undefined {
  for (const param of uri.params) if (param.name.toLowerCase() === name) return param.value
  return undefined
}

/** The URI's text; of an unchanged parse the same text again but for the scheme's case. */
export function encodeUri(uri: Uri): string {
  let text = `${uri.scheme}:`
  if (uri.host === '') text += uri.user + uri.opaque
  else text += authorityOf(uri)
  for (const param of uri.params) text += param.flag ? `;${param.name}` : `;${param.name}=${param.value}`
  return uri.headers === '' ? text : `${text}?${uri.headers}`
}

function authorityOf(uri: Uri): string {
  const password = uri.password === '' ? '' : `:${uri.password}`
  const user = uri.user === '' ? '' : `${uri.user}${password}@`
  return uri.port < 0 ? user + uri.host : `${user}${uri.host}:${uri.port}`
}
