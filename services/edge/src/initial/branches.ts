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
  type RingKey,
  type SipMessage,
  STATELESS_ATTEMPT,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { EndpointHop } from '../hops/hop-kinds.ts'
import { type NextHop, tooLargeFor } from '../hops/hops.ts'
import { formsDialog, recordRouteOf } from '../in-dialog/record-route.ts'
import { type EdgePeer, isFramed, StreamPeer } from '../listeners/peers.ts'
import { addedHeaderBytes, type BranchFacts, editBranchHeaders, mayTellIdentity } from './header-work.ts'
import { addedHeaders, changeHeaders } from './plan-edits.ts'

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
  /** What is known of it for its headers. */
  facts(sourceTrusted: boolean): BranchFacts
}

/**
 * Makes what names a branch, before it is entered into the directory.
 *
 * @param attempt position among all branches of the request, parallel or serial
 * @param headerEdits those that it will be sent with
 * @returns false when the copy is too large for any way there
 */
export function planBranch(
  core: EdgeCore,
  context: ProxyContext,
  draft: BranchDraft,
  callRef: string,
  upstream: EdgePeer,
  attempt: number,
  headerEdits: readonly policy.HeaderEdit[],
): boolean {
  const facts = draft.facts(context.sourceTrusted)
  nameBranch(core, context, draft, callRef, upstream, attempt, facts)
  const size = mostBytes(core, context, draft, headerEdits, facts)
  const hop = draft.keepsTransport ? draft.hop : core.hops.forSize(draft.hop, size) // [RFC3261-18.1.1]
  if (hop !== draft.hop) {
    draft.hop = hop
    nameBranch(core, context, draft, callRef, upstream, attempt, facts)
  }
  return !tooLargeFor(hop, size)
}

function nameBranch(
  core: EdgeCore,
  context: ProxyContext,
  draft: BranchDraft,
  callRef: string,
  upstream: EdgePeer,
  attempt: number,
  facts: BranchFacts,
): void {
  const request = context.request as SipMessage
  const { hop } = draft
  const recorded = formsDialog(context.method)
  draft.recordRoute = recorded ? recordRouteOf(core, request, hop, callRef, upstream, false, facts) : ''
  draft.id = branchId(core, request, hop, attempt)
}

/**
 * The most that these add to a copy: Max-Breadth 17, Max-Forwards 18, Content-Length 23, `received` with an IPv6 address 49, the
 * port of `rport` 6.
 */
const MOST_OTHER_BYTES = 113

/** A bound on the size of the copy: all that is added, and nothing of what is taken out. */
function mostBytes(
  core: EdgeCore,
  { request, history }: ProxyContext,
  { hop, id, recordRoute }: BranchDraft,
  headerEdits: readonly policy.HeaderEdit[],
  facts: BranchFacts,
): number {
  const { start, end, uriStart, uriEnd } = request as SipMessage
  const lines = hop.peer.facing.viaBytes + id.length + recordRoute.length + hop.route.length
  const uriGrowth = Math.max(0, hop.uri.length - (uriEnd - uriStart))
  const headers = addedHeaderBytes(core, history, headerEdits, facts, hop.uri)
  return end - start + lines + uriGrowth + headers + MOST_OTHER_BYTES
}

/** [RFC3261-16.6.8] [RFC3261-16.6.7h] The same from every edge for the same attempt. */
export function branchId(core: EdgeCore, request: SipMessage, hop: NextHop, attempt: number): string {
  const { signing } = core.ring
  const target = hop instanceof EndpointHop ? keptTargetHash(signing, hop) : targetHash(signing, hop)
  return encodeBranch(core.ring, request, attempt % STATELESS_ATTEMPT, target, hashLoop(signing, request, ''))
}

function targetHash(key: RingKey, { peer, uri }: NextHop): number {
  return hashTarget(key, uri, `${peer.transport}:${peer.address}:${peer.port}`)
}

function keptTargetHash(key: RingKey, hop: EndpointHop): number {
  if (hop.targetKey !== key) {
    hop.targetHash = targetHash(key, hop)
    hop.targetKey = key
  }
  return hop.targetHash
}

/**
 * Edits a copy of the request for this branch and hands it to the proxy.
 *
 * @param ringMs 0 for Timer C alone
 * @param popRoutes leading Route values that are ours
 * @param firstMs until its first provisional response, 0 for no bound of its own
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
  firstMs = 0,
): ProxyBranch | undefined {
  const { hop, id } = branch
  if (context.request === undefined) return undefined
  editBranch(core, context, branch, upstream, headerEdits, popRoutes, facts, hop.peer.facing.via(id))
  return noteSent(core.proxy.fork(context, core.edits, id, hop.uri, hop.peer, ringMs, firstMs), hop, facts)
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
): ProxyBranch | undefined {
  const { hop, id } = branch
  const { proxy, edits } = core
  editBranch(core, context, branch, upstream, headerEdits, popRoutes, facts, hop.peer.facing.viaOf(id, begunBy))
  const goOn = resends ? proxy.fork : proxy.resume
  return noteSent(goOn.call(proxy, context, edits, id, hop.uri, hop.peer, ringMs), hop, facts)
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
    stream: isFramed(hop.peer),
  })
  if (headerEdits.length > 0) changeHeaders(core.edits, request, headerEdits)
  const { history } = context
  editBranchHeaders(core, request, facts, history && { history, id: branch.id, uri: hop.uri })
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
