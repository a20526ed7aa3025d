// SPDX-License-Identifier: MIT
// name-addr as values: From, To, Refer-To, P-Asserted-Identity, … for code that is not hot. The grammar is parseNameAddrView's.
import { Buffer } from 'node:buffer'
import { unfold } from '../message/message.ts'
import { NameAddrView, parseNameAddrView } from './name-addr-view.ts'
import { type Param, parseParams, quote, unquote } from './params.ts'

export interface NameAddr {
  /** Display name without quotes, in the bytes of the message (latin1 text); empty when absent. */
  readonly display: string
  /** The URI's text, unchecked: parseUri() judges it. */
  readonly uri: string
  /** Header parameters, not those of the URI. */
  readonly params: readonly Param[]
}

const view = new NameAddrView()

/** Parses one value in buf[start, end). Undefined: bad syntax. */
export function parseNameAddrAt(buf: Buffer, start: number, end: number): NameAddr | undefined {
  if (!parseNameAddrView(buf, start, end, view)) return undefined
  const { displayStart, displayEnd, uriStart, uriEnd, paramsStart } = view
  const params = parseParams(buf, paramsStart, end)
  if (params === undefined) return undefined
  const display = displayStart < 0 ? '' : unquote(unfold(buf.latin1Slice(displayStart, displayEnd)))
  return { display, uri: buf.latin1Slice(uriStart, uriEnd), params }
}

/** Parses one value given as latin1 text. */
export function parseNameAddr(text: string): NameAddr | undefined {
  const buf = Buffer.from(text, 'latin1')
  return parseNameAddrAt(buf, 0, buf.length)
}

/** `"display" <uri>`; the display name is always quoted, the URI always bracketed [RFC8217-4]. */
export function encodeNameAddr(display: string, uri: string): string {
  return display === '' ? `<${uri}>` : `${quote(display)} <${uri}>`
}
