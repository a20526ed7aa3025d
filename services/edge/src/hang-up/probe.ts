// SPDX-License-Identifier: MIT
//
// Whether anybody is left of a call: OPTIONS inside its dialogs to both parties, with the last CSeq known, so that what the parties send
// next is not behind it. Any answer but 408 and 481 is life, whatever it says: 200, 500 for a CSeq that has been overtaken, 405
// (STATE.md, "Cut-off and liveness").

import { policy } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'
import { acknowledge } from './acknowledge.ts'
import { boundedCSeq, senderOf } from './dialog-request.ts'
import { NO_WAY, sendDialogRequest } from './send-request.ts'

const { ALIVE, SILENT, HALF_GONE, GONE } = policy.Acknowledged_Outcome

export function probe(core: EdgeCore, command: policy.Probe): void {
  const { call, dialogs } = command
  if (call === undefined || dialogs.length === 0) return
  core.counts.probes += 1
  const statuses: number[] = []
  const onFinal = (status: number): void => {
    statuses.push(status)
    if (statuses.length === 2 * dialogs.length) acknowledge(core, command, findingOf(statuses))
  }
  for (const dialog of dialogs) {
    for (const toCaller of [true, false]) {
      const cseq = boundedCSeq(Math.max(1, senderOf(dialog, toCaller).cseq))
      const headers = 'Accept: application/sdp\r\n'
      sendDialogRequest(core, { method: 'OPTIONS', call, dialog, toCaller, cseq, headers }, onFinal)
    }
  }
}

/** Of both parties, those of several legs taken together. */
export function findingOf(statuses: readonly number[]): policy.Acknowledged_Outcome {
  const denied = statuses.filter((status) => status === 481).length
  const silent = statuses.filter((status) => status === 408 || status === NO_WAY).length
  if (denied === statuses.length) return GONE
  if (denied > 0 && statuses.length === 2) return HALF_GONE
  return denied + silent === statuses.length ? SILENT : ALIVE
}
