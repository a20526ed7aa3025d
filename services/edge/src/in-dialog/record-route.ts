// SPDX-License-Identifier: MIT
//
// The Record-Route of a forwarded request (RFC 3261 section 16.6 step 4): one value, or two where the sides see different
// listeners or schemes (RFC 5658). Both carry the same token, and both are popped on the way back.

import { encodeTokenOf, METHOD, type SipMessage, URI_SCHEME } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { isSips } from '../initial/request-uri-of.ts'
import type { EdgePeer } from '../listeners/peers.ts'

/**
 * Requests whose dialog must come back through us. In a dialog the Route set is fixed: a Record-Route would be read by nobody.
 */
export function formsDialog(method: number): boolean {
  return method === METHOD.INVITE || method === METHOD.SUBSCRIBE || method === METHOD.NOTIFY || method === METHOD.REFER
}

/** Which sides of the dialog are within the trust domain [RFC3325-5]. */
export interface SideTrust {
  readonly sourceTrusted: boolean
  readonly targetTrusted: boolean
}

const NO_TRUST: SideTrust = { sourceTrusted: false, targetTrusted: false }

/** `Record-Route: …\r\n`, once or twice; the value that the far side reads first stands on top. */
export function recordRouteOf(
  core: EdgeCore,
  request: SipMessage,
  hop: NextHop,
  callRef: string,
  upstream: EdgePeer,
  isStateless = false,
  trust: SideTrust = NO_TRUST,
): string {
  const { sourceTrusted: callerTrusted, targetTrusted: calleeTrusted } = trust
  const caller = core.hops.sideOf(upstream, request)
  const fields = { callRef, caller, callee: hop.side, isStateless, callerTrusted, calleeTrusted }
  return recordRouteLines(encodeTokenOf(fields, core.ring, request), request, hop, upstream)
}

/** The lines that carry a token. */
export function recordRouteLines(token: string, request: SipMessage, hop: NextHop, upstream: EdgePeer): string {
  const cameSecure = request.uriScheme === URI_SCHEME.SIPS
  const goesSecure = isSecureCopy(request, hop)
  // [RFC3261-16.6.4gh] What is sips is sips though it came another way: later requests come over TLS.
  const near = cameSecure ? upstream.facing.secure : upstream.facing
  const far = goesSecure ? hop.facing.secure : hop.facing
  const line = `Record-Route: ${far.route(token, goesSecure)}\r\n`
  if (near.name === far.name && cameSecure === goesSecure) return line
  return `${line}Record-Route: ${near.route(token, cameSecure)}\r\n` // [RFC5658-3]
}

/** [RFC3261-16.6.4] The topmost Route of the copy is sips, or else its Request-URI. */
function isSecureCopy(request: SipMessage, hop: NextHop): boolean {
  if (hop.route !== '' && hop.route.startsWith('Route: <sips:')) return true
  return hop.uri === '' ? request.uriScheme === URI_SCHEME.SIPS : isSips(hop.uri)
}
