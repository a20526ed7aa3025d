// SPDX-License-Identifier: MIT
// What the location service keeps: bindings with their change feed, the directory of calls in set-up, edge membership.
// Every method ends as stored, notStored or unknown and is idempotent by its keys. Store time is the only clock.

import type { ChangeFollower, Following } from './change-follower.ts'
import type { Eventual } from './result.ts'
import type {
  AdoptOutcome,
  BeginCallOutcome,
  Bindings,
  BindingUpdate,
  CallAdoption,
  CallEnd,
  CallEntry,
  CallUpdate,
  ChangePage,
  DueWatches,
  Edge,
  EdgeList,
  EdgeRemoval,
  LeaseOutcome,
  NewCall,
  NodeStream,
  NodeStreams,
  RegisterOutcome,
  RevokeOutcome,
  Watch,
  WatchWrite,
} from './types.ts'

export interface LocationStore {
  /** [RFC3261-10.3] steps 6 and 7, all or nothing. The same update again changes nothing and answers `ok`. */
  register(update: BindingUpdate): Eventual<RegisterOutcome>
  /** Bindings that live by store time. The version never goes back, though everything expire. */
  locate(aor: string): Eventual<Bindings>
  /** An administrator's removal, whatever the Call-ID: of the bindings with these keys, of all where there are none. */
  removeBindings(aor: string, uriKeys?: readonly string[]): Eventual<{ removed: number }>
  /** Addresses-of-record of a shard, those that lost their bindings a moment ago too. */
  listAors(shard: number): Eventual<string[]>
  /** Addresses-of-record of a shard that have a binding, in a domain (after the "@"), '' for every domain. */
  countAors(shard: number, domain: string): Eventual<number>
  /** Removes up to `limit` expired bindings of a shard (0 to SHARDS - 1) and tells the feed. */
  expire(shard: number, limit: number): Eventual<{ expired: number; more: boolean }>
  /** Removes up to `limit` of a shard's bindings behind connections of an edge that is gone, found by an index, and tells the feed. */
  removeEdgeBindings(shard: number, edgeId: string, limit: number): Eventual<EdgeRemoval>
  /** Changes of a shard after a cursor. No cursor: none, and the cursor of now. */
  readChanges(shard: number, after: string | undefined, limit: number): Eventual<ChangePage>

  /** Tells of the changes of all shards as they are made, until stopped. The store's cost is one reader, not one a shard. */
  followChanges(follower: ChangeFollower): Following

  /** Bindings and the watch of an AoR in one step. */
  readWatch(aor: string): Eventual<Watch>
  /** Compare-and-set on the revision; not written: read again. */
  writeWatch(write: WatchWrite): Eventual<{ written: boolean }>
  /** Watches of a shard that are due, nearest first; each is due again after `leaseMs` unless written before. */
  claimWatches(shard: number, leaseMs: number, limit: number): Eventual<DueWatches>

  /** Create if absent. */
  beginCall(call: NewCall): Eventual<BeginCallOutcome>
  /** Compare-and-set on (owner, epoch); not held: the asker owns the entry no more, or its lease ended. */
  updateCall(update: CallUpdate): Eventual<{ held: boolean }>
  endCall(end: CallEnd): Eventual<{ held: boolean }>
  /** Compare-and-set on (owner, epoch) that gives the entry to another edge with the next epoch. */
  adoptCall(adoption: CallAdoption): Eventual<AdoptOutcome>
  readCall(transactionKey: string): Eventual<CallEntry | undefined>
  /** Entries of an edge that have not ended, nearest deadline first. */
  listOwned(owner: string, limit: number): Eventual<{ transactionKey: string; deadlineInMs: number }[]>

  /** Joins or renews. Leases do not run while nobody reaches the store. */
  leaseEdge(edge: Edge, leaseMs: number): Eventual<LeaseOutcome>
  leaveEdge(edgeId: string): Eventual<EdgeList>
  listEdges(): Eventual<EdgeList>
  /** A location node says which streams it holds: all of them, again within `nodeSilentMs`. None: it is forgotten. */
  holdStreams(streams: NodeStreams): Eventual<EdgeList>
  /** A stream closed. Ends the lease of its edge, unless this node (by a stream opened later) or another holds one of it. */
  revokeEdge(node: string, stream: NodeStream): Eventual<RevokeOutcome>
  /**
   * An edge that is gone, whose bindings the asker alone is to remove within `leaseMs`: `edgeSettleMs` after it went, when all nodes know it, and
   * once more `edgeKeepMs` after, for what came late. Undefined: there is none. Asked again with its id: the claim is renewed, or lost.
   */
  claimGone(node: string, leaseMs: number, edgeId?: string): Eventual<string | undefined>
  /** Its bindings are removed from all shards. */
  settleGone(node: string, edgeId: string): Eventual<EdgeList>
}
