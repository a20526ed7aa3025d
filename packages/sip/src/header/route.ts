// SPDX-License-Identifier: MIT
// Route, Record-Route, Path, Service-Route: bracketed name-addrs with a SIP URI (RFC 3261 §20.34, RFC 3327, RFC 3608), as offsets.
import type { Buffer } from 'node:buffer'
import { LESS } from '../message/chars.ts'
import { parseUriView, URI_SCHEME, type UriView } from '../uri/uri-view.ts'
import { NameAddrView, parseNameAddrView } from './name-addr-view.ts'
import { findParam, ParamView } from './param-cursor.ts'

const nameAddr = new NameAddrView()
const param = new ParamView()

/** Parses one value in [start, end) and its URI into `out`. False: bad syntax, no brackets, or no sip or sips URI. */
export function parseRouteUri(buf: Buffer, start: number, end: number, out: UriView): boolean {
  if (!parseNameAddrView(buf, start, end, nameAddr)) return false
  if (buf[nameAddr.uriStart - 1] !== LESS) return false
  if (!parseUriView(buf, nameAddr.uriStart, nameAddr.uriEnd, out)) return false
  return out.scheme === URI_SCHEME.SIP || out.scheme === URI_SCHEME.SIPS
}

/** Whether the URI says loose routing [RFC3261-19.1.1]. */
export function isLooseRoute(buf: Buffer, uri: UriView): boolean {
  return findParam(buf, uri.paramsStart, uri.paramsEnd, 'lr', param)
}
