// SPDX-License-Identifier: MIT
// Members of the cluster and their leases.

export interface Edge {
  /** "<name>.<incarnation>". */
  id: string
  name: string
  /** Base 36, larger after each start. */
  incarnation: string
  internalAddress: string
  internalPort: number
  listeners: string[]
  draining: boolean
  version: string
  /** Ids and fingerprints of its key ring; undefined where it does not say. */
  keyRing?: string | undefined
}

export interface EdgeList {
  /** Grows when an edge joins, leaves, changes, becomes unreachable or is replaced; not when a lease is renewed. */
  revision: bigint
  /** Edges whose lease holds. */
  edges: Edge[]
  /** Lease over while the store was up, or revoked: unreachable, not dead; gone after `edgeKeepMs`. */
  unreachable: { edge: Edge; forMs: number }[]
  /** Ids of edges that are gone for good, until their bindings are removed: a newer incarnation leased, or they were away for `edgeKeepMs`. */
  gone: string[]
}

/** What a location node says of itself: who has a stream open to it. */
export interface NodeStreams {
  /** Of this start of the node. */
  node: string
  streams: readonly NodeStream[]
}

export interface NodeStream {
  /** Id or name of an edge. */
  peer: string
  /** Larger for a stream of this peer that was opened later. */
  opened: number
}

export interface EdgeRemoval {
  removed: number
  more: boolean
  /** Somebody watches one of them. */
  watched: boolean
}

export interface RevokeOutcome {
  /** The edge was a member, and is unreachable from now. */
  revoked: boolean
  list: EdgeList
}

export interface LeaseOutcome {
  /** False: a newer incarnation of this name is a member, and the asker is to stop; or its bindings are being removed this very moment. */
  accepted: boolean
  list: EdgeList
}
