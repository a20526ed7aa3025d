// SPDX-License-Identifier: MIT
//
// Forwarding without a transaction (RFC 3261 section 16.11): for plans that say so, and for what an edge at the bound of its
// transaction table would refuse (stateless-overload.ts). One target, no 100, no retransmission, no failover, no record.
//
// A decision has to be waited for, so the transaction that the request got when it came is dropped once the plan says stateless: it
// absorbs a repetition in between, and a later one takes the way that is remembered (stateless-ways.ts). ACK of a failure and
// CANCEL take the way of their INVITE; responses pass by the proof in their branch (stray-response.ts).

import type { location, policy } from '@tandem/rpc'
import {
  editForwardedRequest,
  HEADER,
  METHOD,
  readMaxBreadth,
  type SipMessage,
  statelessBranch,
  type VerifiedToken,
} from '@tandem/sip'
import { type EdgeCore, sendEdited } from '../core.ts'
import { type NextHop, tooLargeFor } from '../hops/hops.ts'
import { formsDialog, recordRouteOf } from '../in-dialog/record-route.ts'
import {
  type BranchFacts,
  dialogFacts,
  editBranchHeaders,
  historyOf,
  mayTellIdentity,
  NO_FACTS,
  untrustedRefusal,
} from '../initial/header-work.ts'
import { addedHeaders, changeHeaders } from '../initial/plan-edits.ts'
import { type EdgePeer, isFramed } from '../listeners/peers.ts'
import { locate } from '../location-cache/locate.ts'
import { refuseStateless } from '../own/replies.ts'
import type { StatelessWay } from './stateless-ways.ts'

/**
 * Sends a request along its plan without keeping anything but its way. To be called once no transaction is left of it.
 *
 * @param msg with bytes of its own
 * @param plan its first target is the only one that is looked at
 * @param popRoutes leading Route values that are ours
 */
export function forwardStateless(
  core: EdgeCore,
  msg: SipMessage,
  peer: EdgePeer,
  plan: policy.Plan,
  popRoutes: number,
): void {
  const target = plan.steps[0]?.targets[0]
  const key = wayKey(core, msg)
  const reason = refusalFor(core, msg, target)
  if (reason !== '') return refuse(core, msg, peer, 500, reason) // [RFC3323-5]
  const use = (hop: NextHop | undefined): void => {
    if (hop === undefined) return refuse(core, msg, peer, 480)
    const way = { hop, plan, facts: factsOf(plan, target), popRoutes }
    core.statelessWays.add(key, way, core.now())
    forwardAlong(core, msg, peer, way)
  }
  if (target?.where === undefined) return use(undefined)
  if (target.where.$case === 'uri') return core.hops.toUri(target.where.value, false, use, shareOf(key))
  locate(core, target.where.value, (result) => {
    if (result.outcome !== 'done') return refuse(core, msg, peer, 503)
    const binding = chooseBinding(result.value.bindings, shareOf(key))
    if (binding === undefined) use(undefined)
    else core.hops.toBinding(binding, msg, use, shareOf(key))
  })
}

/** The request of this key has been here without a transaction, and goes as it went then. */
export function forwardAlong(core: EdgeCore, msg: SipMessage, peer: EdgePeer, way: StatelessWay): void {
  editAlong(core, msg, peer, way, way.hop)
  const hop = core.hops.forSize(way.hop, core.edits.size()) // [RFC3261-18.1.1]
  if (hop !== way.hop) editAlong(core, msg, peer, way, hop)
  if (tooLargeFor(hop, core.edits.size())) return refuse(core, msg, peer, 513)
  core.counts.statelessRequests += 1
  if (!sendEdited(core, hop.peer, msg.method)) refuse(core, msg, peer, 503)
}

function editAlong(core: EdgeCore, msg: SipMessage, peer: EdgePeer, way: StatelessWay, hop: NextHop): void {
  const { plan } = way
  const begins = msg.method !== METHOD.CANCEL && msg.method !== METHOD.ACK
  const facts = begins ? way.facts : { ...way.facts, retarget: undefined }
  const id = branchOf(core, msg, hop)
  const recordRoute = formsDialog(msg.method)
    ? recordRouteOf(core, msg, hop, '', peer, plan?.stateless === true, plan && facts)
    : ''
  editForwardedRequest(msg, core.edits, {
    uri: hop.uri,
    via: hop.peer.facing.via(id),
    recordRoute,
    route: hop.route,
    added: plan === undefined ? '' : addedHeaders(plan.edits, () => mayTellIdentity(core, msg, facts)),
    popRoutes: way.popRoutes,
    strict: hop.strict,
    maxBreadth: begins ? Math.max(1, readMaxBreadth(msg)) : 0,
    sourceAddress: peer.address,
    sourcePort: peer.port,
    stream: isFramed(hop.peer),
  })
  if (plan !== undefined) changeHeaders(core.edits, msg, plan.edits)
  const history = begins && plan !== undefined ? historyOf(core, msg) : undefined
  editBranchHeaders(core, msg, facts, history && { history, id, uri: hop.uri })
}

/** A request in a dialog, on the way that its Routes and token say, which also says who is trusted. */
export function forwardInDialogStateless(
  core: EdgeCore,
  msg: SipMessage,
  peer: EdgePeer,
  hop: NextHop | undefined,
  popRoutes: number,
  token: VerifiedToken,
): void {
  if (hop === undefined) return refuse(core, msg, peer, 480)
  forwardAlong(core, msg, peer, { hop, plan: undefined, facts: dialogFacts(token), popRoutes })
}

/** ACK of a failure, CANCEL, or a repetition of what went without a transaction. False: nothing is known of it. */
export function followStateless(core: EdgeCore, msg: SipMessage, key: string, peer: EdgePeer): boolean {
  if (core.statelessWays.isEmpty) return false
  const way = core.statelessWays.find(key, core.now())
  if (way === undefined) return false
  forwardAlong(core, msg, peer, way)
  return true
}

/** [RFC3261-16.11] CANCEL and the ACK of a failure must come to the same choice as their INVITE. */
export function wayKey(core: EdgeCore, msg: SipMessage): string {
  return msg.method === METHOD.CANCEL ? core.layer.cancelledKey(msg) : core.layer.serverKey(msg)
}

/** In a dialog that a stateless plan began, or where the transaction table is full. A BYE on record needs its final response. */
export function mayPassStateless(msg: SipMessage, token: VerifiedToken): boolean {
  return token.callRef === '' || msg.method !== METHOD.BYE
}

function branchOf(core: EdgeCore, msg: SipMessage, hop: NextHop): string {
  const { transport, address, port } = hop.peer
  return statelessBranch(core.ring, msg, hop.uri, `${transport}:${address}:${port}`, '')
}

function factsOf(plan: policy.Plan, target: policy.Target | undefined): BranchFacts {
  if (target === undefined) return NO_FACTS
  const { trusted, retarget, where } = target
  const aor = where?.$case === 'aor' ? where.value : ''
  return { sourceTrusted: plan.sourceTrusted, targetTrusted: trusted, aor, retarget, redirected: undefined }
}

/** Why this request may not go there; '' where it may. A CANCEL has no privacy of its own. */
function refusalFor(core: EdgeCore, msg: SipMessage, target: policy.Target | undefined): string {
  if (!msg.has(HEADER.PRIVACY) || msg.method === METHOD.CANCEL || target?.trusted === true) return ''
  return untrustedRefusal(msg, historyOf(core, msg))
}

/** [RFC3261-16.9] What can't be sent counts as 503, and 503 goes upstream as 500. An ACK is just dropped, a CANCEL gets 481. */
function refuse(core: EdgeCore, msg: SipMessage, peer: EdgePeer, status: number, reason = ''): void {
  core.counts.statelessFailures += 1
  const shown = msg.method === METHOD.CANCEL ? 481 : status === 503 ? 500 : status
  if (core.callLog !== undefined && msg.method !== METHOD.ACK) core.callLog.refused(msg, peer, shown, 'stateless')
  refuseStateless(core, msg, peer, shown, reason)
}

/** [RFC3261-16.11] One of the bindings of the highest q, the same each time while there are the same. */
export function chooseBinding(bindings: readonly location.Binding[], share: number): location.Binding | undefined {
  const best = Math.max(...bindings.map((binding) => binding.qMilli))
  const candidates = bindings.filter((binding) => binding.qMilli === best).sort(byUri)
  return candidates[Math.floor(share * candidates.length)]
}

function byUri(a: location.Binding, b: location.Binding): number {
  return a.uri < b.uri ? -1 : Number(a.uri > b.uri)
}

/** A number of [0, 1) that is the same for all messages of a transaction: takes the place of chance. */
export function shareOf(key: string): number {
  let hash = 0x811c9dc5
  for (let k = 1; k < key.length; k += 1) hash = Math.imul(hash ^ key.charCodeAt(k), 0x01000193)
  return (hash >>> 0) / 0x1_0000_0000
}
