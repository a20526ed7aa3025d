// SPDX-License-Identifier: MIT
//
// Calls in set-up that change hands [DESIGN §4]: who runs one, what is left of an edge that is gone, and the compare-and-set that
// gives an entry to the edge that asks. Of two edges that adopt at once one wins; the other learns who did.
import { done, type location, type Result } from '@tandem/rpc'
import { type CallEntry, whenStored } from '@tandem/store'
import { type Deps, fromStore, refuse } from './deps.ts'
import { refusal } from './errors.ts'

type Eventual<T> = Result<T> | Promise<Result<T>>

const MIN_LEASE_MS = 1_000
/** Entries of one answer, well below the bound of a message. */
const MAX_LISTED = 1_000

export function createReadCall(deps: Deps) {
  return ({ transactionKey }: location.ReadCallRequest): Eventual<location.ReadCallResponse> => {
    deps.counts.callsRead++
    return whenStored(deps.store.readCall(transactionKey), (result) =>
      fromStore(deps, result, (entry) => done({ entry: toWire(entry) })),
    )
  }
}

export function createAdoptCall(deps: Deps) {
  return (request: location.AdoptCallRequest): Eventual<location.AdoptCallResponse> => {
    if (request.transactionKey === '' || request.newOwner === '')
      return refuse(deps, refusal('bad_request', 'an adopt_call needs transaction_key and new_owner'))
    const leaseMs = Math.max(MIN_LEASE_MS, Math.min(request.leaseMs, deps.tuning.maxCallLeaseMs))
    return whenStored(deps.store.adoptCall({ ...request, leaseMs }), (result) =>
      fromStore(deps, result, ({ adopted, entry }) => {
        if (adopted) deps.counts.callsAdopted++
        return done({ adopted, entry: toWire(entry) })
      }),
    )
  }
}

export function createListOwned(deps: Deps) {
  return ({ owner, limit }: location.ListOwnedRequest): Eventual<location.ListOwnedResponse> =>
    whenStored(deps.store.listOwned(owner, Math.min(limit, MAX_LISTED)), (result) =>
      fromStore(deps, result, (calls) => done({ calls })),
    )
}

/** The bytes are the store's own, and nobody changes them. */
function toWire(entry: CallEntry | undefined): location.CallEntry | undefined {
  return entry && { ...entry, invite: bufferOf(entry.invite), plan: bufferOf(entry.plan) }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
