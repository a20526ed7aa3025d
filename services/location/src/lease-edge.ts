// SPDX-License-Identifier: MIT
//
// An edge joins or renews. A join, a change and a drain reach all open streams before the answer is written.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'
import { toWire } from './membership.ts'

type LeaseResult = Result<location.LeaseEdgeResponse>

const MIN_LEASE_MS = 500

export function createLeaseEdge(deps: Deps) {
  return (request: location.LeaseEdgeRequest): LeaseResult | Promise<LeaseResult> => {
    const { edge } = request
    if (!edge || edge.id === '' || edge.name === '')
      return refuse(deps, refusal('bad_request', 'a lease_edge needs an edge with id and name'))
    const leaseMs = Math.max(MIN_LEASE_MS, Math.min(request.leaseMs, deps.tuning.maxEdgeLeaseMs))
    return whenStored(deps.store.leaseEdge(edge, leaseMs), (result) =>
      fromStore(deps, result, ({ accepted, list }) => {
        deps.membership.take(list)
        if (!accepted) return refuse(deps, refusal('edge_superseded'))
        deps.counts.leases++
        return done({ edges: toWire(list) })
      }),
    )
  }
}
