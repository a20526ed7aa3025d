// SPDX-License-Identifier: MIT
//
// A response that matches no transaction of this edge [DESIGN §4]. Only when its branch proves that the cluster sent the
// request it goes anywhere: to the edge that runs the transaction, whose hash our Via carries; for an INVITE whose edge is gone,
// to the one that adopts it; without state on the hop between edges, or after the transaction is gone. We are no reflector.
//
// DEVIATION[RFC6026-7.3b, RFC6026-6d, RFC6026-8.2, RFC6026-8.9b]: a response other than a 2xx to INVITE is forwarded after its
// transaction has ended, because another edge may have run it. An initial 2xx never goes this way unless it is on record.
// Leaves out: adoption for RFC 2543 callers, whose transactions a response does not name, and of INVITEs inside a dialog, which no
// directory knows: their responses, 2xx too, go on without state.

import {
  answeredInviteKey,
  type BranchFields,
  concernsIdentity,
  encodeForwardedResponse,
  findParam,
  hideIdentity,
  type IdentityFacts,
  METHOD,
  ParamView,
  type SipMessage,
  STATELESS_ATTEMPT,
  TRANSPORT_NAMES,
  ViaView,
  verifyBranch,
} from '@tandem/sip'
import { type ResponseTarget, responseTarget, type TransportName } from '@tandem/transport'
import { endElsewhere, reportEnd } from '../accounting/ended-elsewhere.ts'
import { handResponse, type StatelessWay } from '../any-edge/hand-response.ts'
import type { RelayOutcome } from '../any-edge/relays.ts'
import type { EdgeCore } from '../core.ts'
import { secondVia } from '../hops/second-via.ts'
import { answersOwnRequest } from '../own/own-request.ts'

const via = new ViaView()
const NOBODY_TRUSTED: IdentityFacts = { sourceTrusted: false, targetTrusted: false, tellsUntrusted: false }

/** @param internal it came from another edge, which looked for the owner already */
export function receiveStrayResponse(core: EdgeCore, msg: SipMessage, internal: boolean): void {
  if (!isSentByUs(core, msg)) return drop(core)
  if (!secondVia(msg, via)) return receiveOwnResponse(core, msg, internal)
  const fields = verifyBranch(core.ring, msg, via)
  if (fields === undefined) return drop(core)
  // [RFC3261-16.11] nobody keeps a transaction for it, and nobody has it on record
  if (fields.attempt === STATELESS_ATTEMPT) return sendOn(core, msg, false)
  const isHop = core.membership.isInternalAddress(msg.text(via.hostStart, via.hostEnd), via.port)
  const isInitialInvite = !isHop && msg.method === METHOD.INVITE && !isInDialog(fields)
  const key = isInitialInvite ? answeredInviteKey(msg, via) : undefined
  if (key !== undefined) return handResponse(core, msg, key, ownerOf(msg), STATELESS)
  const finish = isInitialInvite && msg.status >= 200 && msg.status < 300 ? dropCopy : isHop ? hopOn : forwardOn
  if (internal || !relayToOwner(core, msg, finish)) finish(core, msg)
}

/** Branches of requests inside a dialog name neither target nor way. */
function isInDialog({ targetHash, loopHash }: BranchFields): boolean {
  return targetHash === 0 && loopHash === 0
}

type Finish = (core: EdgeCore, msg: SipMessage) => void

const dropCopy: Finish = (core) => drop(core)
const hopOn: Finish = (core, msg) => sendOn(core, msg, true)
const forwardOn: Finish = (core, msg) => {
  const end = endElsewhere(core, msg)
  if (end === undefined) return sendOn(core, msg, false)
  const copy = msg.clone()
  reportEnd(core, end, () => sendOn(core, copy, false))
}
const STATELESS: StatelessWay = { sendOn: forwardOn, drop }

/** [RFC3261-18.1.2a] [RFC3261-16.11t] The topmost Via names a listener of the cluster. */
function isSentByUs(core: EdgeCore, msg: SipMessage): boolean {
  const host = msg.text(msg.viaHostStart, msg.viaHostEnd)
  return core.membership.isOwnAddress(host, msg.viaPort) || core.membership.isInternalAddress(host, msg.viaPort)
}

function sendOn(core: EdgeCore, msg: SipMessage, isHop: boolean): void {
  const peer = secondVia(msg, via) ? core.hops.toResponseTarget(targetOf(msg), isHop) : undefined
  let end = encodeForwardedResponse(msg, core.out, 0)
  if (peer === undefined || end < 0) return drop(core)
  // [RFC3325-5] who answered is known to nobody here; on the hop between edges the next one knows
  if (!isHop && concernsIdentity(msg)) end = hideIdentity(core.out, end, NOBODY_TRUSTED)
  core.counts.statelessResponses += 1
  core.layer.traffic.responseOut(msg.method, msg.status)
  peer.send(core.out, 0, end)
}

/** The answer to a request of an edge's own, a NOTIFY or a CANCEL: only that edge can take it. */
function receiveOwnResponse(core: EdgeCore, msg: SipMessage, internal: boolean): void {
  const isOwn = msg.method === METHOD.CANCEL || answersOwnRequest(core.ring, msg)
  if (internal || !isOwn || !relayToOwner(core, msg, dropCopy)) drop(core)
}

/**
 * Hands the response as it came to the edge that sent the request, over the internal listener; it knows its transaction.
 *
 * @param finish what is done with it when that edge does not take it
 * @returns false when there is no such edge
 */
function relayToOwner(core: EdgeCore, msg: SipMessage, finish: Finish): boolean {
  const owner = ownerOf(msg)
  const { relays } = core.anyEdge
  if (owner === undefined || owner === core.edgeHash || core.membership.find(owner) === undefined) return false
  core.counts.relayedResponses += 1
  const copy = msg.clone()
  const onOutcome = (outcome: RelayOutcome): void => {
    if (outcome !== 'taken') finish(core, copy)
  }
  relays.send(owner, 'message', copy.buf, onOutcome, true)
  return true
}

/** The Via parameter `te` of the topmost Via, which is ours. */
function ownerOf(msg: SipMessage): number | undefined {
  if (!findParam(msg.buf, msg.viaBranchEnd, msg.viaEnd, 'te', te) || te.start < 0) return undefined
  const hash = Number.parseInt(msg.text(te.start, te.end), 36)
  return Number.isSafeInteger(hash) ? hash : undefined
}

const te = new ParamView()

function drop(core: EdgeCore): void {
  core.counts.droppedStrayResponse += 1
}

/** [RFC3261-18.2.2] [RFC3581-4] */
function targetOf(msg: SipMessage): ResponseTarget {
  const received = via.receivedValueStart < 0 ? undefined : msg.text(via.receivedValueStart, via.receivedEnd)
  const maddr = via.maddrStart < 0 ? undefined : msg.text(via.maddrStart, via.maddrEnd)
  return responseTarget({
    transport: (TRANSPORT_NAMES[via.transport] as string).toLowerCase() as TransportName,
    host: msg.text(via.hostStart, via.hostEnd),
    port: via.port,
    maddr,
    received,
    rport: via.rportStart < 0 ? -1 : Math.max(0, via.rport),
  })
}
