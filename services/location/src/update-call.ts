// SPDX-License-Identifier: MIT
//
// Writes branches into a directory entry before they leave, or renews its lease. Compare-and-set on (owner, epoch): an
// edge that hears `held: false` stops at once.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore } from './deps.ts'

type UpdateResult = Result<location.UpdateCallResponse>

export function createUpdateCall(deps: Deps) {
  return (request: location.UpdateCallRequest): UpdateResult | Promise<UpdateResult> => {
    deps.counts.callsUpdated++
    return whenStored(deps.store.updateCall(request), (result) => fromStore(deps, result, done))
  }
}
