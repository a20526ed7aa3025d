// SPDX-License-Identifier: MIT
//
// A response to an INVITE that this edge does not run, given to the one that does [DESIGN §4]; and what becomes of it when the call
// has its final response already, or nobody knows it.
//
// Invariant: an initial 2xx goes upstream only once its answer is on record, whichever edge has it.

import type { location, policy } from '@tandem/rpc'
import { METHOD, type SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { contactUri, dialogOf } from '../hang-up/answered-dialog.ts'
import { describeEndedCall, toTag } from '../initial/describe.ts'
import { DIRECTORY_KEEP_MS } from '../initial/directory.ts'
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
  const isAnswer = isSuccess(msg.status)
  core.anyEdge.claims.hand(
    key,
    { bytes, isAnswer, onLeft: (why, entry) => onLeft(core, bytes, why, entry, way) },
    owner,
  )
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

/** Its owner is gone, and the caller has a final response, or gets this one: nobody could go on with the call. */
function afterTheEnd(core: EdgeCore, msg: SipMessage, entry: location.CallEntry, way: StatelessWay): void {
  const isOpen = entry.finalStatus === 0
  if (isSuccess(msg.status)) {
    if (isOpen || isSuccess(entry.finalStatus)) recordAnswer(core, msg, entry, way)
    else way.drop(core)
  } else if (!isOpen && msg.status < 200) way.drop(core)
  else {
    if (isOpen) way.sendOn(core, msg)
    if (isOpen && msg.status >= 300) endEntry(core, entry, msg.status)
    if (msg.status >= 300) acknowledge(core, msg, entry, way)
  }
}

/** A repetition of what is on record, or a leg of its own: the same report either way. */
function recordAnswer(core: EdgeCore, msg: SipMessage, entry: location.CallEntry, way: StatelessWay): void {
  const pass = (): void => {
    way.sendOn(core, msg)
    if (entry.finalStatus === 0) endEntry(core, entry, msg.status)
  }
  if (entry.callRef === '') return pass()
  const target = branchOf(entry, msg)?.uri ?? ''
  const value = { toTag: toTag(msg), status: msg.status, target, dialog: dialogAfter(core, msg, entry) }
  const call = describeEndedCall(msg, true, core.edgeId)
  const report = { callRef: entry.callRef, call, event: { $case: 'answered', value } as const, ageMs: 0 }
  const deadline = setTimeout(() => onLate(core, once), core.config.reportDeadlineMs)
  let isWaiting = true
  const once = (): void => {
    if (isWaiting) pass()
    isWaiting = false
    clearTimeout(deadline)
  }
  if (core.reporter.report(report, once)) return
  clearTimeout(deadline)
  way.drop(core)
}

/** By which the call can be looked after and ended: nobody may hear of its end any more. */
function dialogAfter(core: EdgeCore, answer: SipMessage, entry: location.CallEntry): policy.Dialog | undefined {
  const invite = messageOf(Buffer.from(entry.invite))
  if (invite === undefined) return undefined
  const caller = { target: contactUri(invite), routes: [], cseq: 0, flow: entry.upstream, aor: '' }
  const callee = { aor: '', flow: branchOf(entry, answer)?.nextHop }
  return dialogOf(core, entry.callRef, answer, toTag(answer), caller, callee)
}

/** As for an answer that this edge would have had itself; with `closed` it waits on, and its sender repeats it. */
function onLate(core: EdgeCore, goOn: () => void): void {
  core.counts.answersLate += 1
  if (core.config.whenReportLate === 'open') goOn()
}

/** As the edge that holds it: whoever gets a message of this call from now on learns how it ended. */
function endEntry(core: EdgeCore, { transactionKey, owner, epoch }: location.CallEntry, finalStatus: number): void {
  const end = { transactionKey, owner, epoch, finalStatus, keepMs: DIRECTORY_KEEP_MS }
  core.location.call('endCall', end, core.config.rpc.timeoutMs, () => undefined) // else its lease ends it
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
  core.layer.traffic.requestOut(METHOD.ACK)
  hop.peer.send(ack, 0, ack.length)
}

function branchOf(entry: location.CallEntry, msg: SipMessage): location.Branch | undefined {
  const id = msg.text(msg.viaBranchStart, msg.viaBranchEnd)
  return entry.branches.find((branch) => branch.id === id)
}
