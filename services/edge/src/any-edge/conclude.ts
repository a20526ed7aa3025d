// SPDX-License-Identifier: MIT
//
// The final response of a call has gone upstream here, and the directory says that another edge has adopted the call meanwhile: this one was
// silent too long, and lives. The first final response counts: the other edge lets go without sending anything, and the entry says how the
// call has ended.
//
// Race: the other edge has sent a final response too: then the entry says so already, and nothing is done. What went up twice has the same
// tag, and the report of it the same key.

import type { EdgeCore } from '../core.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { encodeSurrender } from './frame.ts'

/** @param keepMs how long the entry stays */
export function concludeElsewhere(core: EdgeCore, transactionKey: string, finalStatus: number, keepMs: number): void {
  const { timeoutMs } = core.config.rpc
  core.location.call('readCall', { transactionKey }, timeoutMs, (result) => {
    const entry = result.outcome === 'done' ? result.value.entry : undefined
    if (entry === undefined || entry.owner === core.edgeId || entry.finalStatus !== 0) return
    core.counts.concludedElsewhere += 1
    const { owner, epoch } = entry
    core.anyEdge.relays.send(edgeHashOf(owner), 'surrender', encodeSurrender(transactionKey, epoch + 1), ignore, true)
    core.location.call('endCall', { transactionKey, owner, epoch, finalStatus, keepMs }, timeoutMs, ignore)
  })
}

function ignore(): void {
  // Whoever does not hear it goes on with a call that is over: its branch stays silent, and what it sends upstream comes too late.
}
