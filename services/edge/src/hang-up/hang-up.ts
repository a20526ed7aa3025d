// SPDX-License-Identifier: MIT
//
// Commands of policy about calls on record: end this one, is anybody left of that one, warn the caller. Any edge can carry them out, for
// what is needed comes with them (STATE.md, "Cut-off and liveness"). An edge acknowledges a command by a report; what comes of a hang-up is
// reported as the end of the call.
//
// A hang-up: BYE to both parties of each leg, CSeq 65,536 above the last one known. The first of them that answers 2xx or 481 ends the
// leg on record, as of when the BYEs left; a party that doesn't answer ends it by its timeout, one that refuses (401, 407, 403, 5xx) ends
// nothing. Races: a BYE of a party crosses ours: each side answers 200 or 481, and of two ends on record the first one counts. A command
// that comes twice: the second finds it under way. A further attempt is a request of its own, one CSeq higher: who took the first answers 481.
// Bound: MAX_RUNNING calls at once; a further command is not acknowledged, and goes to another edge.

import { policy } from '@tandem/rpc'
import { endsCall } from '../accounting/ended-elsewhere.ts'
import type { EdgeCore } from '../core.ts'
import { UNKNOWN_AGE } from '../initial/describe.ts'
import { acknowledge, messageText } from './acknowledge.ts'
import { boundedCSeq, senderOf } from './dialog-request.ts'
import { endSetUp } from './end-set-up.ts'
import { probe } from './probe.ts'
import { NO_WAY, sendDialogRequest } from './send-request.ts'
import { warn } from './warn.ts'

const MAX_RUNNING = 10_000
/** Above all that the parties can have used meanwhile. */
const CSEQ_GAP = 65_536
const { TAKEN, ELSEWHERE, REFUSED } = policy.Acknowledged_Outcome

/** Carries out what policy pushes. */
export function takeCommands(core: EdgeCore): void {
  const running = new Set<string>()
  core.policy.onPush(({ event }) => {
    if (event?.$case === 'hangUp') takeHangUp(core, event.value, running)
    else if (event?.$case === 'probe') probe(core, event.value)
    else if (event?.$case === 'warn') warn(core, event.value)
  })
}

function takeHangUp(core: EdgeCore, command: policy.HangUp, running: Set<string>): void {
  const { callRef, reason, transactionKey, call } = command
  if (running.has(callRef)) return acknowledge(core, command, TAKEN)
  if (running.size >= MAX_RUNNING || call === undefined) {
    core.counts.hangUpsDropped += 1
    return
  }
  const reasonLine = `Reason: ${messageText(reason)}\r\n` // [RFC3326-2]
  if (transactionKey !== '') return hangUpSetUp(core, command, reasonLine)
  core.counts.hangUps += 1
  running.add(callRef)
  new HangUpRun(core, command, call, reasonLine, () => running.delete(callRef)).start()
}

function hangUpSetUp(core: EdgeCore, command: policy.HangUp, reasonLine: string): void {
  const end = endSetUp(core, command, reasonLine)
  if (end === 'ended') core.counts.hangUps += 1
  // An answer that came first is on record in a moment; without an acknowledgement the command comes again, as one for an answered call.
  if (end !== 'answered') acknowledge(core, command, end === 'ended' ? TAKEN : ELSEWHERE)
}

/** One call: all legs of it. */
class HangUpRun {
  private readonly core: EdgeCore
  private readonly command: policy.HangUp
  private readonly call: policy.Call
  private readonly reasonLine: string
  private readonly onDone: () => void
  private readonly startedMs: number
  private left = 0
  private isRefused = false

  constructor(core: EdgeCore, command: policy.HangUp, call: policy.Call, reasonLine: string, onDone: () => void) {
    this.core = core
    this.command = command
    this.call = call
    this.reasonLine = reasonLine
    this.onDone = onDone
    this.startedMs = core.now()
  }

  start(): void {
    const { core, command } = this
    if (command.dialogs.length > 0) acknowledge(core, command, TAKEN)
    else this.isRefused = true
    this.left = command.dialogs.length + 1
    for (const dialog of command.dialogs) this.endLeg(dialog)
    this.settle()
  }

  private endLeg(dialog: policy.Dialog): void {
    const { core, call, command, reasonLine } = this
    const leg = new LegEnd((status) => this.onLeg(dialog, status))
    for (const toCaller of [true, false]) {
      const cseq = boundedCSeq(senderOf(dialog, toCaller).cseq + CSEQ_GAP + Math.max(0, command.attempt - 1))
      const bye = { method: 'BYE', call, dialog, toCaller, cseq, headers: reasonLine } as const
      sendDialogRequest(core, bye, (status) => leg.onFinal(status))
    }
  }

  /** @param status of the BYE that ended it; undefined where it goes on */
  private onLeg(dialog: policy.Dialog, status: number | undefined): void {
    if (status === undefined) {
      this.isRefused = true
      return this.settle()
    }
    const { core, call, command } = this
    const value = { fromTag: call.fromTag, toTag: dialog.toTag, by: 'system', status, reason: command.reason }
    const described = { ...call, edgeId: core.edgeId, setupAgeMs: UNKNOWN_AGE, ringAgeMs: UNKNOWN_AGE }
    const ageMs = Math.round(core.now() - this.startedMs)
    const event = { $case: 'ended', value } as const
    const isTaken = core.reporter.report({ callRef: command.callRef, call: described, event, ageMs }, () =>
      this.settle(),
    )
    if (!isTaken) this.settle()
  }

  private settle(): void {
    this.left -= 1
    if (this.left > 0) return
    if (this.isRefused) {
      this.core.counts.hangUpsRefused += 1
      acknowledge(this.core, this.command, REFUSED)
    }
    this.onDone()
  }
}

/** The two BYEs of a leg. */
class LegEnd {
  private readonly onEnd: (status: number | undefined) => void
  private left = 2
  private timedOut = false
  private isOver = false

  constructor(onEnd: (status: number | undefined) => void) {
    this.onEnd = onEnd
  }

  onFinal(status: number): void {
    this.left -= 1
    if (status === 408) this.timedOut = true
    if (status !== 408 && status !== NO_WAY && endsCall(status)) this.end(status)
    else if (this.left === 0) this.end(this.timedOut ? 408 : undefined)
  }

  private end(status: number | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.onEnd(status)
  }
}
