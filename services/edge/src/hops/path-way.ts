// SPDX-License-Identifier: MIT
//
// The Path that a binding was registered with (RFC 3327 section 5.4), as what a request to it needs: where it goes first, its Route
// and its Request-URI. A first value that names this cluster is passed over: the request is here already.

import { parseNameAddr, parseUri, uriParam } from '@tandem/sip'

export interface PathWay {
  /** URI of the first proxy: what decides where the request goes. */
  readonly first: string
  /** Request-URI of the copy: the contact, or for a strict router the first proxy. */
  readonly uri: string
  /** `Route: …\r\n` */
  readonly route: string
}

/** @returns undefined when no proxy is left to pass, or when a value is no URI: then the contact itself is tried */
export function pathWay(
  path: readonly string[],
  contact: string,
  isOwn: (host: string, port: number) => boolean,
): PathWay | undefined {
  for (let k = 0; k < path.length; k += 1) {
    const text = parseNameAddr(path[k] as string)?.uri ?? ''
    const uri = parseUri(text)
    if (uri === undefined) return undefined
    if (isOwn(uri.host, uri.port)) continue
    const values = path.slice(k)
    if (uriParam(uri, 'lr') !== undefined) return { first: text, uri: contact, route: routeLine(values) }
    return { first: text, uri: text, route: routeLine([...values.slice(1), `<${contact}>`]) } // [RFC3261-16.6.6]
  }
  return undefined
}

function routeLine(values: readonly string[]): string {
  return `Route: ${values.join(', ')}\r\n`
}
