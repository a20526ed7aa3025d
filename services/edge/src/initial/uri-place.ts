// SPDX-License-Identifier: MIT
//
// What of a SIP URI decides where a request to it goes (RFC 3263 section 4), out of its text.

import { findParam, ParamView, parseUriView, URI_SCHEME, UriView } from '@tandem/sip'
import type { LocateTarget } from '@tandem/transport'

const MAX_URI_BYTES = 4096
const bytes = Buffer.alloc(MAX_URI_BYTES)
const view = new UriView()
const param = new ParamView()

/** Undefined for anything but a sip or sips URI that can be read. Latin1 text. */
export function uriPlace(text: string): LocateTarget | undefined {
  if (text.length > MAX_URI_BYTES) return undefined
  const end = bytes.latin1Write(text, 0)
  if (!parseUriView(bytes, 0, end, view)) return undefined
  if (view.scheme !== URI_SCHEME.SIP && view.scheme !== URI_SCHEME.SIPS) return undefined
  return {
    host: paramValue('maddr') ?? bytes.latin1Slice(view.hostStart, view.hostEnd),
    port: view.port < 0 ? undefined : view.port,
    transport: paramValue('transport'),
    isSecure: view.scheme === URI_SCHEME.SIPS,
  }
}

function paramValue(name: string): string | undefined {
  if (view.paramsStart >= view.paramsEnd) return undefined
  if (!findParam(bytes, view.paramsStart, view.paramsEnd, name, param) || param.start < 0) return undefined
  return bytes.latin1Slice(param.start, param.end)
}
