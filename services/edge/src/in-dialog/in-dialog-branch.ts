// SPDX-License-Identifier: MIT
//
// The one copy of a request inside a dialog, with what stands behind it: the host's further endpoints (RFC 3263 section 4.3), and
// TCP where UDP would cut it up (RFC 3261 section 18.1.1).

import {
  type Edits,
  editForwardedRequest,
  encodeBranch,
  encodeToken,
  METHOD,
  type ProxyContext,
  readMaxBreadth,
  type SipMessage,
  STATELESS_ATTEMPT,
  type VerifiedToken,
} from '@tandem/sip'
import { withEnd } from '../accounting/ended-elsewhere.ts'
import type { EdgeCore } from '../core.ts'
import { type NextHop, tooLargeFor } from '../hops/hops.ts'
import { fromTag, toTag } from '../initial/describe.ts'
import { dialogFacts, editBranchHeaders } from '../initial/header-work.ts'
import { type EdgePeer, isFramed, StreamPeer } from '../listeners/peers.ts'
import { recordRouteLines } from './record-route.ts'

/** What all attempts at one request share. */
export interface InDialogWay {
  readonly token: VerifiedToken
  readonly popRoutes: number
  readonly source: EdgePeer
}

/** The branch of the attempt: one target, and the way that its Routes prescribe can't loop. */
export function inDialogBranchId(core: EdgeCore, request: SipMessage, attempt = 0): string {
  return encodeBranch(core.ring, request, attempt % STATELESS_ATTEMPT, 0, 0)
}

/** Sends it. @returns the hop that was taken; undefined when the request is too large for any: 513 */
export function sendInDialog(
  core: EdgeCore,
  context: ProxyContext,
  request: SipMessage,
  wanted: NextHop,
  way: InDialogWay,
): NextHop | undefined {
  const id = inDialogBranchId(core, request, context.branches.length)
  editInDialog(core, request, wanted, way, id)
  const hop = core.hops.forSize(wanted, core.edits.size())
  if (hop !== wanted) editInDialog(core, request, hop, way, id)
  else if (tooLargeFor(hop, core.edits.size())) return undefined
  noteTrust(core, context, way.token)
  const sent = core.proxy.fork(context, core.edits, id, hop.uri, hop.peer, 0)
  if (sent !== undefined) sent.trusted = dialogFacts(way.token).targetTrusted
  if (sent?.client !== undefined && hop.peer instanceof StreamPeer) hop.peer.clients.add(sent.client)
  return hop
}

/** For identities in the responses [RFC3325-5]. */
function noteTrust(core: EdgeCore, context: ProxyContext, token: VerifiedToken): void {
  context.sourceTrusted = dialogFacts(token).sourceTrusted
  context.tellsUntrusted = core.config.identityToUntrusted === 'keep'
}

function editInDialog(core: EdgeCore, request: SipMessage, hop: NextHop, way: InDialogWay, id: string): Edits {
  const via = hop.peer.facing.via(id)
  const isReported = request.method === METHOD.BYE && way.token.callRef !== ''
  editForwardedRequest(request, core.edits, {
    uri: hop.uri,
    via: isReported ? withEnd(via, way.token) : via,
    recordRoute: againRecordRoute(core, request, hop, way),
    route: hop.route,
    added: '',
    popRoutes: way.popRoutes,
    strict: hop.strict,
    maxBreadth: Math.max(1, readMaxBreadth(request)),
    sourceAddress: way.source.address,
    sourcePort: way.source.port,
    stream: isFramed(hop.peer),
  })
  editBranchHeaders(core, request, dialogFacts(way.token))
  return core.edits
}

/**
 * [RFC6665-4.3] A NOTIFY may be what the dialog begins with at the subscriber, who takes his Route set from it; SUBSCRIBE and
 * NOTIFY carry our Record-Route each time, with the token that they came with.
 */
function againRecordRoute(core: EdgeCore, request: SipMessage, hop: NextHop, way: InDialogWay): string {
  if (request.method !== METHOD.SUBSCRIBE && request.method !== METHOD.NOTIFY) return ''
  const { token } = way
  const callId = request.text(request.callIdStart, request.callIdEnd)
  const text = encodeToken(token, core.ring, callId, token.isInitiatorA ? fromTag(request) : toTag(request))
  return recordRouteLines(text, request, hop, way.source)
}
