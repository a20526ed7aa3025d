// SPDX-License-Identifier: MIT
//
// Enters an INVITE server transaction into the directory, if it is not there [DESIGN §4]. Only the edge to which the
// answer says `created` runs its INVITE client transactions.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'

type BeginResult = Result<location.BeginCallResponse>

const MIN_LEASE_MS = 1_000

export function createBeginCall(deps: Deps) {
  return (request: location.BeginCallRequest): BeginResult | Promise<BeginResult> => {
    if (request.transactionKey === '' || request.owner === '')
      return refuse(deps, refusal('bad_request', 'a begin_call needs transaction_key and owner'))
    request.leaseMs = Math.max(MIN_LEASE_MS, Math.min(request.leaseMs, deps.tuning.maxCallLeaseMs)) // it is ours now
    return whenStored(deps.store.beginCall(request), (result) =>
      fromStore(deps, result, ({ created, owner, epoch }) => {
        if (created) deps.counts.callsBegun++
        else deps.counts.callsFound++
        return done({ created, owner, epoch })
      }),
    )
  }
}
