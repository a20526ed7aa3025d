// SPDX-License-Identifier: MIT
//
// A branch of a forwarded request: its Via branch, its Record-Route token, its edits (RFC 3261 section 16.6).

import type { location, policy } from '@tandem/rpc'
import {
  editForwardedRequest,
  encodeBranch,
  hashLoop,
  hashTarget,
  type ProxyBranch,
  type ProxyContext,
  type SipMessage,
  STATELESS_ATTEMPT,
} from '@tandem/sip'
import type { EdgeCore } from './core.ts'
import { type BranchFacts, editBranchHeaders, mayTellIdentity } from './header-work.ts'
import { type NextHop, tooLargeFor } from './hops.ts'
import { type EdgePeer, StreamPeer } from './peers.ts'
import { addedHeaders, removeHeaders } from './plan-edits.ts'
import { formsDialog, recordRouteOf } from './record-route.ts'

export interface PlannedBranch {
  readonly id: string
  readonly hop: NextHop
  /** `Record-Route: …\r\n` or ''. */
  readonly recordRoute: string
  /** Share of Max-Breadth. */
  readonly breadth: number
}

/** A branch whose parts are still to be made. */
export interface BranchDraft {
  id: string
  hop: NextHop
  recordRoute: string
  /** The transport of the hop stays whatever the size. */
  readonly keepsTransport: boolean
  /** The target is within the trust domain. */
  readonly isTrusted: boolean
}

/**
 * Makes what names a branch, before it is entered into the directory.
 *
 * @param attempt position among all branches of the request, parallel or serial
 * @returns false when the copy is too large for any way there
 */
export function planBranch(
  core: EdgeCore,
  context: ProxyContext,
  draft: BranchDraft,
  callRef: string,
  upstream: EdgePeer,
  attempt: number,
): boolean {
  const request = context.request as SipMessage
  if (isNearLimit(request) && !fitsSize(core, request, draft)) return false
  const { hop } = draft
  const trust = { sourceTrusted: context.sourceTrusted, targetTrusted: draft.isTrusted }
  draft.recordRoute = formsDialog(context.method)
    ? recordRouteOf(core, request, hop, callRef, upstream, false, trust)
    : ''
  draft.id = branchId(core, request, hop, attempt)
  return true
}

/** What forwarding adds to a request: as a rule, and the most that a plain copy grows by. */
const ADDED_BYTES = 240
const MOST_ADDED_BYTES = 600
const DATAGRAM_BYTES = 1300

function isNearLimit(request: SipMessage): boolean {
  return request.end - request.start + MOST_ADDED_BYTES > DATAGRAM_BYTES
}

/** [RFC3261-18.1.1] Goes over TCP where UDP would cut the copy up. */
function fitsSize(core: EdgeCore, request: SipMessage, draft: BranchDraft): boolean {
  const { hop } = draft
  const uriGrowth = hop.uri === '' ? 0 : hop.uri.length - (request.uriEnd - request.uriStart)
  const size = request.end - request.start + ADDED_BYTES + uriGrowth + hop.route.length
  if (!draft.keepsTransport) draft.hop = core.hops.forSize(hop, size)
  return !tooLargeFor(draft.hop, size)
}

/** [RFC3261-16.6.8] [RFC3261-16.6.7h] The same from every edge for the same attempt. */
export function branchId(core: EdgeCore, request: SipMessage, hop: NextHop, attempt: number): string {
  const { signing } = core.ring
  const { peer } = hop
  const target = hashTarget(signing, hop.uri, `${peer.transport}:${peer.address}:${peer.port}`)
  return encodeBranch(core.ring, request, attempt % STATELESS_ATTEMPT, target, hashLoop(signing, request, ''))
}

/**
 * Edits a copy of the request for this branch and hands it to the proxy.
 *
 * @param ringMs 0 for Timer C alone
 * @param popRoutes leading Route values that are ours
 */
export function sendBranch(
  core: EdgeCore,
  context: ProxyContext,
  branch: PlannedBranch,
  upstream: EdgePeer,
  headerEdits: readonly policy.HeaderEdit[],
  ringMs: number,
  popRoutes: number,
  facts: BranchFacts,
): ProxyBranch | undefined {
  const { hop, id } = branch
  if (context.request === undefined) return undefined
  editBranch(core, context, branch, upstream, headerEdits, popRoutes, facts, hop.peer.facing.via(id))
  return noteSent(core.proxy.fork(context, core.edits, id, hop.uri, hop.peer, ringMs), hop, facts)
}

/**
 * The same for a branch that another edge has sent.
 *
 * @param begunBy hash of that edge
 * @param resends sends it once more at once, in the very bytes; else at Timer A
 */
export function resumeBranch(
  core: EdgeCore,
  context: ProxyContext,
  branch: PlannedBranch,
  upstream: EdgePeer,
  headerEdits: readonly policy.HeaderEdit[],
  ringMs: number,
  popRoutes: number,
  facts: BranchFacts,
  begunBy: number,
  resends: boolean,
): void {
  const { hop, id } = branch
  const { proxy, edits } = core
  editBranch(core, context, branch, upstream, headerEdits, popRoutes, facts, hop.peer.facing.viaOf(id, begunBy))
  const goOn = resends ? proxy.fork : proxy.resume
  noteSent(goOn.call(proxy, context, edits, id, hop.uri, hop.peer, ringMs), hop, facts)
}

function noteSent(sent: ProxyBranch | undefined, hop: NextHop, facts: BranchFacts): ProxyBranch | undefined {
  if (sent !== undefined) sent.trusted = facts.targetTrusted
  if (sent?.client !== undefined && hop.peer instanceof StreamPeer) hop.peer.clients.add(sent.client)
  return sent
}

function editBranch(
  core: EdgeCore,
  context: ProxyContext,
  branch: PlannedBranch,
  upstream: EdgePeer,
  headerEdits: readonly policy.HeaderEdit[],
  popRoutes: number,
  facts: BranchFacts,
  via: string,
): void {
  const request = context.request as SipMessage
  const { hop } = branch
  editForwardedRequest(request, core.edits, {
    uri: hop.uri,
    via,
    recordRoute: branch.recordRoute,
    route: hop.route,
    added: headerEdits.length === 0 ? '' : addedHeaders(headerEdits, () => mayTellIdentity(core, request, facts)),
    popRoutes,
    strict: hop.strict,
    maxBreadth: branch.breadth,
    sourceAddress: upstream.address,
    sourcePort: upstream.port,
    stream: hop.peer.reliable,
  })
  if (headerEdits.length > 0) removeHeaders(core.edits, request, headerEdits)
  editBranchHeaders(core, request, facts, { context, id: branch.id, uri: hop.uri })
}

/**
 * The branches as the directory keeps them: those already on the way, and those about to leave.
 *
 * @param sent how each of the context's branches went
 */
export function branchesOf(
  context: ProxyContext,
  sent: readonly PlannedBranch[],
  planned: readonly PlannedBranch[],
): location.Branch[] {
  const known = context.branches.map((branch, k) => ({
    id: branch.id,
    uri: branch.uri,
    nextHop: sent[k]?.hop.flow,
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
