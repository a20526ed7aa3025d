// SPDX-License-Identifier: MIT
//
// The CANCELs that a proxy makes (RFC 3261 sections 9.1 and 16.7 step 10): for every pending branch of a context, each as soon as a
// provisional response allows it, with the reason of the event that brought it about (RFC 3326).

import { findHeader, HEADER, headerLineEnd, headerLineStart, type SipMessage } from '../message/index.ts'
import type { TransactionLayer } from '../transaction/index.ts'
import type { DeadlineLists } from './deadline-list.ts'
import type { ProxyBranch, ProxyContext } from './proxy-context.ts'
import type { ProxyCounts } from './proxy-counts.ts'

/** [RFC3326-3.1] Why the other branches of an answered call end. */
export const ANSWERED_ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n'

/** Why a branch ends that has rung for as long as it may. */
export const RANG_OUT = 'Reason: SIP;cause=408;text="Request Timeout"\r\n'

/** Why the other branches end after a 6xx. */
export function refusedElsewhere(status: number): string {
  return `Reason: SIP;cause=${status}\r\n`
}

/** Bytes of the reasons of a CANCEL that are passed on; lines beyond are left out. */
const MAX_REASON_BYTES = 1_024

/** [RFC3326-2] The Reason lines of the caller's CANCEL, for those that it brings about; '' without any. */
export function reasonLines(cancel: SipMessage): string {
  let lines = ''
  for (let k = findHeader(cancel, HEADER.REASON); k >= 0; k = findHeader(cancel, HEADER.REASON, k + 1)) {
    const start = headerLineStart(cancel, k)
    const end = headerLineEnd(cancel, k)
    if (lines.length + end - start <= MAX_REASON_BYTES) lines += cancel.text(start, end)
  }
  return lines
}

export class Cancels {
  private readonly layer: TransactionLayer
  private readonly deadlines: DeadlineLists<ProxyBranch>
  private readonly cancelMs: number
  private readonly counts: ProxyCounts
  nowMs = 0

  constructor(layer: TransactionLayer, deadlines: DeadlineLists<ProxyBranch>, cancelMs: number, counts: ProxyCounts) {
    this.layer = layer
    this.deadlines = deadlines
    this.cancelMs = cancelMs
    this.counts = counts
  }

  /** Every branch that has no final response. @param reason a whole line or '' */
  pending(context: ProxyContext, reason: string): void {
    context.cancelReason = reason
    for (const branch of context.branches) if (branch.final === 0) this.branch(branch, reason)
  }

  /** One branch, now or at its first provisional response. */
  branch(branch: ProxyBranch, reason: string): void {
    branch.cancelWanted = true
    if (!branch.context.isInvite || branch.cancelSent || branch.client === undefined) return
    if (branch.provisional === 0) return // [RFC3261-9.1] not before a provisional response
    branch.cancelSent = true
    if (this.layer.cancel(branch.client, branch, reason) !== undefined) this.counts.cancelled += 1
    this.deadlines.arm(branch, this.cancelMs, this.nowMs) // with a full table too: the branch ends all the same
  }
}
