// SPDX-License-Identifier: MIT
//
// A request inside a call on record whose 2xx passes has changed the dialog: the CSeq of its sender, and, where it is a target refresh
// request [RFC3261-12.2], the Contacts. It is reported then, and nobody waits for that. Requests that refresh no target (INFO, MESSAGE,
// OPTIONS, …) only raise the CSeq; a BYE of ours goes 65,536 above the last one known, so of those every 4,096th is reported.

import { METHOD, type SipMessage, type VerifiedToken } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { describeEndedCall, fromTag, toTag } from '../initial/describe.ts'
import { contactUri } from './answered-dialog.ts'

const CSEQ_STEP = 4_096

/** Whether a 2xx to it is to be reported. */
export function changesDialog({ method, cseq }: SipMessage): boolean {
  return refreshesTarget(method) || cseq % CSEQ_STEP === 0
}

function refreshesTarget(method: number): boolean {
  if (method === METHOD.INVITE || method === METHOD.UPDATE) return true // [RFC3311-5]
  return method === METHOD.SUBSCRIBE || method === METHOD.NOTIFY || method === METHOD.REFER
}

export function noteUpdate(core: EdgeCore, token: VerifiedToken, request: SipMessage, answer: SipMessage): void {
  const byCaller = token.isInitiatorA
  const isRefresh = refreshesTarget(request.method)
  const [sender, other] = isRefresh ? [contactUri(request), contactUri(answer)] : ['', '']
  const value = {
    toTag: byCaller ? toTag(request) : fromTag(request),
    byCaller,
    cseq: request.cseq,
    callerTarget: byCaller ? sender : other,
    calleeTarget: byCaller ? other : sender,
  }
  const call = describeEndedCall(request, byCaller, core.edgeId)
  core.counts.dialogUpdates += 1
  core.reporter.report({ callRef: token.callRef, call, event: { $case: 'updated', value }, ageMs: 0 })
}
