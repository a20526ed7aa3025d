// SPDX-License-Identifier: MIT
//
// The final response is upstream: the directory entry stays through the lingering timers (keep_ms), then goes.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore } from './deps.ts'

type EndResult = Result<location.EndCallResponse>

export function createEndCall(deps: Deps) {
  return (request: location.EndCallRequest): EndResult | Promise<EndResult> => {
    deps.counts.callsEnded++
    const { transactionKey, owner, epoch, finalStatus } = request
    const keepMs = Math.min(request.keepMs, deps.tuning.maxCallLeaseMs)
    return whenStored(deps.store.endCall({ transactionKey, owner, epoch, finalStatus, keepMs }), (result) =>
      fromStore(deps, result, done),
    )
  }
}
