// SPDX-License-Identifier: MIT
//
// An edge leaves by its own will, after its drain. The others hear it before the answer is written.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore } from './deps.ts'

type LeaveResult = Result<location.LeaveEdgeResponse>

export function createLeaveEdge(deps: Deps) {
  return (request: location.LeaveEdgeRequest): LeaveResult | Promise<LeaveResult> =>
    whenStored(deps.store.leaveEdge(request.edgeId), (result) =>
      fromStore(deps, result, (list) => {
        deps.membership.take(list)
        return done({})
      }),
    )
}
