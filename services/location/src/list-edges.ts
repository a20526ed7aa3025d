// SPDX-License-Identifier: MIT
//
// The edges that hold a lease, from the store itself: for people and tools, who want the truth of now.
import { done, type location, type Result } from '@tandem/rpc'
import { whenStored } from '@tandem/store'
import { type Deps, fromStore } from './deps.ts'
import { toWire } from './membership.ts'

type ListResult = Result<location.ListEdgesResponse>

export function createListEdges(deps: Deps) {
  return (_request: location.ListEdgesRequest): ListResult | Promise<ListResult> =>
    whenStored(deps.store.listEdges(), (result) =>
      fromStore(deps, result, (list) => {
        deps.membership.take(list)
        return done({ edges: toWire(list) })
      }),
    )
}
