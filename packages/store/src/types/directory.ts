// SPDX-License-Identifier: MIT
// The directory of calls in set-up.

import type { Flow } from './bindings.ts'

export interface Branch {
  id: string
  uri: string
  nextHop: Flow | undefined
  provisionalStatus: number
  finalStatus: number
}

/** A call in set-up, as the directory is told. The bytes are kept as given: the caller gives them away. */
export interface NewCall {
  transactionKey: string
  owner: string
  invite: Uint8Array
  upstream: Flow | undefined
  plan: Uint8Array
  step: number
  branches: readonly Branch[]
  callRef: string
  /** The entry ends this long after its last update. */
  leaseMs: number
}

export interface CallEntry {
  transactionKey: string
  owner: string
  epoch: number
  invite: Uint8Array
  upstream: Flow | undefined
  plan: Uint8Array
  step: number
  branches: Branch[]
  callRef: string
  /** 0 until endCall. */
  finalStatus: number
}

export interface BeginCallOutcome {
  /** The asker owns the entry, unended, from now or by an earlier try of this same begin (`repeated`). */
  created: boolean
  repeated: boolean
  owner: string
  epoch: number
}

export interface CallUpdate {
  transactionKey: string
  owner: string
  epoch: number
  step: number
  /** Added or changed by id; none renews the lease. */
  branches: readonly Branch[]
}

export interface CallEnd {
  transactionKey: string
  owner: string
  epoch: number
  finalStatus: number
  keepMs: number
}

export interface CallAdoption {
  transactionKey: string
  /** Owner and epoch as the adopter knows them. */
  owner: string
  epoch: number
  newOwner: string
  leaseMs: number
}

export interface AdoptOutcome {
  adopted: boolean
  /** The entry after the attempt; undefined where there is none. */
  entry: CallEntry | undefined
}
