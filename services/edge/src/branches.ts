// SPDX-License-Identifier: MIT
//
// A branch of a forwarded request: its Via branch, its Record-Route token, its edits (RFC 3261 section 16.6).

import { type location, policy } from '@tandem/rpc'
import {
  editForwardedRequest,
  encodeBranch,
  encodeToken,
  findHeaderByName,
  hashLoop,
  hashTarget,
  hasMagicCookie,
  headerLineEnd,
  headerLineStart,
  headerValue,
  METHOD,
  type ProxyBranch,
  type ProxyContext,
  type SipMessage,
} from '@tandem/sip'
import type { EdgeCore } from './core.ts'
import { fromTag } from './describe.ts'
import { type NextHop, viaHost } from './hops.ts'
import { type EdgePeer, StreamPeer } from './peers.ts'

export interface PlannedBranch {
  readonly id: string
  readonly hop: NextHop
  /** `Record-Route: …\r\n` or ''. */
  readonly recordRoute: string
}

/** @param attempt position among all branches of the request, parallel or serial */
export function planBranch(
  core: EdgeCore,
  context: ProxyContext,
  hop: NextHop,
  callRef: string,
  upstream: EdgePeer,
  attempt: number,
): PlannedBranch {
  const request = context.request as SipMessage
  const recordRoute = formsDialog(context.method) ? recordRouteOf(core, request, hop, callRef, upstream) : ''
  return { id: branchId(core, request, hop, attempt), hop, recordRoute }
}

/** The branch of an in-dialog request: it has one target, and the way that its Routes prescribe can't loop. */
export function inDialogBranchId(core: EdgeCore, request: SipMessage): string {
  return encodeBranch(core.ring, request, 0, 0, 0)
}

/** A sender's own branch is shorter than this; a longer one is hashed. */
const MAX_TAKEN_BRANCH = 64

/**
 * The branch of an ACK for a 2xx, which no response will ever carry back: made from that of the hop before, which is unique
 * already [RFC3261-16.11].
 */
export function ackBranchId(core: EdgeCore, ack: SipMessage): string {
  const start = ack.viaBranchStart
  const isTaken = hasMagicCookie(ack) && ack.viaBranchEnd - start <= MAX_TAKEN_BRANCH
  return isTaken ? `${ack.text(start, ack.viaBranchEnd)}.t` : inDialogBranchId(core, ack)
}

/** [RFC3261-16.6.8] The same from every edge for the same attempt. */
export function branchId(core: EdgeCore, request: SipMessage, hop: NextHop, attempt: number): string {
  const { signing } = core.ring
  const { peer } = hop
  const target = hashTarget(signing, hop.uri, `${peer.transport}:${peer.address}:${peer.port}`)
  return encodeBranch(core.ring, request, attempt & 255, target, hashLoop(signing, request, ''))
}

/** [RFC3261-16.6.4] Requests whose dialog must come back through us. */
function formsDialog(method: number): boolean {
  return method === METHOD.INVITE || method === METHOD.SUBSCRIBE || method === METHOD.NOTIFY || method === METHOD.REFER
}

/** One value, or two where the sides see different listeners [RFC5658-3]; both carry the token. */
function recordRouteOf(core: EdgeCore, request: SipMessage, hop: NextHop, callRef: string, upstream: EdgePeer): string {
  const fields = { callRef, caller: core.hops.sideOf(upstream, viaHost(request)), callee: hop.side }
  const callId = request.text(request.callIdStart, request.callIdEnd)
  const token = encodeToken(fields, core.ring, callId, fromTag(request))
  const near = upstream.facing
  const far = hop.facing
  if (near.name === far.name) return `Record-Route: ${far.route(token)}\r\n`
  return `Record-Route: ${far.route(token)}\r\nRecord-Route: ${near.route(token)}\r\n`
}

/** Edits a copy of the request for this branch and hands it to the proxy. */
export function sendBranch(
  core: EdgeCore,
  context: ProxyContext,
  branch: PlannedBranch,
  upstream: EdgePeer,
  headerEdits: readonly policy.HeaderEdit[],
  ringMs: number,
  popRoutes = 0,
): ProxyBranch | undefined {
  const request = context.request
  if (request === undefined) return undefined
  const { hop } = branch
  editForwardedRequest(request, core.edits, {
    uri: hop.uri,
    via: hop.peer.facing.via(branch.id),
    recordRoute: branch.recordRoute,
    route: hop.route,
    added: headerEdits.length === 0 ? '' : addedHeaders(headerEdits),
    popRoutes,
    strict: hop.strict,
    maxBreadth: 0,
    sourceAddress: upstream.address,
    sourcePort: upstream.port,
    stream: hop.peer.reliable,
  })
  if (headerEdits.length > 0) removeHeaders(core, request, headerEdits)
  const sent = core.proxy.fork(context, core.edits, branch.id, hop.uri, hop.peer, ringMs)
  if (sent?.client !== undefined && hop.peer instanceof StreamPeer) hop.peer.clients.add(sent.client)
  return sent
}

function addedHeaders(headerEdits: readonly policy.HeaderEdit[]): string {
  let added = ''
  for (const { operation, name, value } of headerEdits) {
    if (operation === policy.HeaderEdit_Operation.ADD) added += `${name}: ${value}\r\n`
  }
  return added
}

/** Takes out what the plan removes, once a line: every header of a name, or those with exactly the value. */
function removeHeaders(core: EdgeCore, request: SipMessage, headerEdits: readonly policy.HeaderEdit[]): void {
  const removed = new Set<number>()
  for (const { operation, name, value } of headerEdits) {
    if (operation !== policy.HeaderEdit_Operation.REMOVE || isOurs(name)) continue
    for (let k = findHeaderByName(request, name); k >= 0; k = findHeaderByName(request, name, k + 1)) {
      if (removed.has(k) || (value !== '' && headerValue(request, k) !== value)) continue
      removed.add(k)
      core.edits.remove(headerLineStart(request, k), headerLineEnd(request, k))
    }
  }
}

/** Headers that forwarding itself edits, or that no request can do without: a plan has no say in them. */
function isOurs(name: string): boolean {
  return OURS.has(name.toLowerCase())
}

const OURS: ReadonlySet<string> = new Set(
  'via v route record-route max-forwards from f to t call-id i cseq content-length l'.split(' '),
)

/** The branches as the directory keeps them: those already on the way, and those about to leave. */
export function branchesOf(context: ProxyContext, planned: readonly PlannedBranch[]): location.Branch[] {
  const known = context.branches.map((branch) => ({
    id: branch.id,
    uri: branch.uri,
    nextHop: undefined,
    provisionalStatus: branch.provisional,
    finalStatus: branch.final,
  }))
  const next = planned.map(({ id, hop }) => ({
    id,
    uri: hop.uri,
    nextHop: hop.flow,
    provisionalStatus: 0,
    finalStatus: 0,
  }))
  return known.length === 0 ? next : [...known, ...next]
}
