// SPDX-License-Identifier: MIT
//
// A response to an INVITE that this edge does not run, given to the one that does [DESIGN §4]; and what becomes of it when the call
// has its final response already, or nobody knows it.
//
// Invariant: an initial 2xx goes upstream only once its answer is on record, whichever edge has it.

import type { location } from '@tandem/rpc'
import type { SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { describeEndedCall, toTag } from '../describe.ts'
import type { LeftReason } from './claims.ts'
import { messageOf } from './hand-over.ts'

export interface StatelessWay {
  /** Forwards it without a transaction. */
  sendOn(core: EdgeCore, msg: SipMessage): void
  drop(core: EdgeCore): void
}

/** @param owner hash of the edge that sent the INVITE, by its Via */
export function handResponse(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  owner: number | undefined,
  way: StatelessWay,
): void {
  core.counts.relayedResponses += 1
  const bytes = Buffer.from(msg.buf.subarray(msg.start, msg.end))
  core.anyEdge.claims.hand(key, { bytes, onLeft: (why, entry) => onLeft(core, bytes, why, entry, way) }, owner)
}

function onLeft(
  core: EdgeCore,
  bytes: Buffer,
  why: LeftReason,
  entry: location.CallEntry | undefined,
  way: StatelessWay,
): void {
  const msg = messageOf(bytes)
  if (msg === undefined) return way.drop(core)
  if (why === 'ended' && entry !== undefined) return afterTheEnd(core, msg, entry, way)
  if (isSuccess(msg.status)) way.drop(core)
  else way.sendOn(core, msg)
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

/** Its owner is gone, and the caller has a final response. */
function afterTheEnd(core: EdgeCore, msg: SipMessage, entry: location.CallEntry, way: StatelessWay): void {
  if (msg.status >= 300) return acknowledge(core, msg, entry, way)
  if (!isSuccess(msg.status) || !isSuccess(entry.finalStatus)) return way.drop(core)
  if (entry.callRef === '') return way.sendOn(core, msg)
  // A repetition of what is on record, or a leg of its own: the same report either way.
  const value = { toTag: toTag(msg), status: msg.status, target: branchOf(entry, msg)?.uri ?? '' }
  const call = describeEndedCall(msg, true, core.edgeId)
  const report = { callRef: entry.callRef, call, event: { $case: 'answered', value } as const, ageMs: 0 }
  if (!core.reporter.report(report, () => way.sendOn(core, msg))) way.drop(core)
}

/** [RFC3261-17.1.1.3] Nobody upstream waits for it, and its sender repeats it until he has an ACK. */
function acknowledge(core: EdgeCore, msg: SipMessage, entry: location.CallEntry, way: StatelessWay): void {
  const branch = branchOf(entry, msg)
  const hop = branch && branch.uri !== '' ? core.hops.toStored(branch.nextHop, branch.uri, msg) : undefined
  if (branch === undefined || hop === undefined) return way.drop(core)
  core.counts.failuresAbsorbed += 1
  const ack = Buffer.from(
    `ACK ${branch.uri} SIP/2.0\r\n${hop.peer.facing.via(branch.id)}Max-Forwards: 70\r\n${hop.route}` +
      `From: ${msg.text(msg.fromStart, msg.fromEnd)}\r\nTo: ${msg.text(msg.toStart, msg.toEnd)}\r\n` +
      `Call-ID: ${msg.text(msg.callIdStart, msg.callIdEnd)}\r\nCSeq: ${msg.cseq} ACK\r\nContent-Length: 0\r\n\r\n`,
    'latin1',
  )
  hop.peer.send(ack, 0, ack.length)
}

function branchOf(entry: location.CallEntry, msg: SipMessage): location.Branch | undefined {
  const id = msg.text(msg.viaBranchStart, msg.viaBranchEnd)
  return entry.branches.find((branch) => branch.id === id)
}
