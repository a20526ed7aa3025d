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
  headerLineEnd,
  headerLineStart,
  METHOD,
  type ProxyBranch,
  type ProxyContext,
  type SipMessage,
} from '@tandem/sip'
import type { EdgeCore } from './core.ts'
import { fromTag } from './describe.ts'
import { type NextHop, viaHost } from './hops.ts'
import type { EdgePeer } from './peers.ts'

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
    added: headerEdits.length === 0 ? '' : applyHeaderEdits(core, request, headerEdits),
    popRoutes,
    sourceAddress: upstream.address,
    sourcePort: upstream.port,
    stream: hop.peer.reliable,
  })
  const sent = core.proxy.fork(context, core.edits, branch.id, hop.uri, hop.peer, ringMs)
  if (sent?.client !== undefined && 'clients' in hop.peer) (hop.peer.clients as Set<unknown>).add(sent.client)
  return sent
}

/** Removes what the plan removes; returns the lines that it adds. */
function applyHeaderEdits(core: EdgeCore, request: SipMessage, headerEdits: readonly policy.HeaderEdit[]): string {
  let added = ''
  for (const edit of headerEdits) {
    if (edit.operation === policy.HeaderEdit_Operation.ADD) added += `${edit.name}: ${edit.value}\r\n`
    else if (edit.operation === policy.HeaderEdit_Operation.REMOVE) {
      for (let k = findHeaderByName(request, edit.name); k >= 0; k = findHeaderByName(request, edit.name, k + 1)) {
        core.edits.remove(headerLineStart(request, k), headerLineEnd(request, k))
      }
    }
  }
  return added
}

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
