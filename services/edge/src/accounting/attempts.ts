// SPDX-License-Identifier: MIT
//
// The attempts of one call for its record: which target, by which trunk, when it left, rang and ended, and with what. Times are
// whole milliseconds after the call's set-up; of a call that began at another edge only delays are known.
// Kept for calls that leave a record alone; bounded as branches are.

import type { records } from '@tandem/rpc'
import type { ProxyBranch, ProxyContext, SipMessage } from '@tandem/sip'
import { HEADER } from '@tandem/sip'
import { headerText } from '../initial/describe.ts'

interface Times {
  readonly branch: ProxyBranch
  readonly trunk: string
  readonly startMs: number
  /** -1 while it has not happened. */
  rangMs: number
  endMs: number
}

/** Values of Reason longer than this are cut. */
const MAX_REASON_CHARS = 200

export class Attempts {
  private readonly startedMs: number
  private readonly known: Times[] = []
  /** The last failure that somebody else has sent, and its Reason. */
  private failedStatus = 0
  private failedReason = ''

  /** @param startedMs -1 where it is not known */
  constructor(startedMs: number) {
    this.startedMs = startedMs
  }

  /** @param trunk '' for none */
  sent(branch: ProxyBranch, trunk: string, nowMs: number): void {
    this.known.push({ branch, trunk, startMs: nowMs, rangMs: -1, endMs: -1 })
  }

  rang(branch: ProxyBranch, nowMs: number): void {
    const times = this.timesOf(branch)
    if (times !== undefined && times.rangMs < 0) times.rangMs = nowMs
  }

  /** @param msg undefined where no response was its end */
  ended(branch: ProxyBranch, nowMs: number, msg?: SipMessage): void {
    const times = this.timesOf(branch)
    if (times !== undefined && times.endMs < 0) times.endMs = nowMs
    if (msg === undefined || msg.status < 300) return
    this.failedStatus = msg.status
    this.failedReason = msg.has(HEADER.REASON) ? headerText(msg, HEADER.REASON).slice(0, MAX_REASON_CHARS) : ''
  }

  trunkOf(branch: ProxyBranch): string {
    return this.timesOf(branch)?.trunk ?? ''
  }

  /** Whether somebody else has sent the failure that goes upstream. */
  isCallees(status: number): boolean {
    return this.failedStatus === status
  }

  reasonOf(status: number): string {
    return this.failedStatus === status ? this.failedReason : ''
  }

  list(context: ProxyContext): records.Attempt[] {
    return context.branches.map((branch) => this.attempt(branch, context.finalSent >= 300))
  }

  /** What is still pending when the call has failed is cancelled. */
  private attempt(branch: ProxyBranch, isOver: boolean): records.Attempt {
    const { uri: target, final, provisional: provisionalStatus, cancelWanted } = branch
    const status = final === 0 && (cancelWanted || isOver) ? CANCELLED : final
    const times = this.timesOf(branch)
    if (times === undefined) return { target, status, provisionalStatus }
    const { trunk, startMs, rangMs, endMs } = times
    const about: records.Attempt = { target, status, provisionalStatus, trunk }
    if (this.startedMs >= 0) about.startMs = Math.round(startMs - this.startedMs)
    if (this.startedMs >= 0 && endMs >= 0) about.endMs = Math.round(endMs - this.startedMs)
    if (rangMs >= 0) about.pddMs = Math.round(rangMs - startMs)
    return about
  }

  private timesOf(branch: ProxyBranch): Times | undefined {
    return this.known.find((one) => one.branch === branch)
  }
}

/** [RFC3261-9.2] What a callee answers whose INVITE is cancelled. */
const CANCELLED = 487
