// SPDX-License-Identifier: MIT
// A store as a process holds it: both interfaces, its state for readiness, integers for metrics; settings and their defaults.

import type { AccountStore } from './account-store.ts'
import type { BanStore } from './ban-store.ts'
import type { FraudEventStore } from './fraud-event-store.ts'
import type { FraudStore } from './fraud-store.ts'
import type { GroupStore } from './group-store.ts'
import type { LocationStore } from './location-store.ts'
import type { PolicyStore } from './policy-store.ts'
import type { ResourceStore } from './resource-store.ts'
import type { TrunkStore } from './trunk-store.ts'

/** `unusable`: up, but lacking what a setting asks for; needs a person. */
export type StoreState = 'connecting' | 'ready' | 'away' | 'unusable' | 'closed'

export interface StoreStatus {
  state: StoreState
  /** For a person; carries no secret. */
  detail: string
}

/** @param script its name, of a fixed set */
export type OnScript = (script: string, ms: number) => void

export interface Store {
  readonly location: LocationStore
  readonly policy: PolicyStore
  readonly accounts: AccountStore
  readonly fraud: FraudStore
  readonly fraudEvents: FraudEventStore
  readonly bans: BanStore
  readonly resources: ResourceStore
  readonly trunks: TrunkStore
  readonly groups: GroupStore
  readonly status: StoreStatus
  /** Called on each change of state. Returns its own end. */
  onStatus(listener: (status: StoreStatus) => void): () => void
  /** Name to integer; fills end in "Count", the others only grow. */
  counts(): Record<string, number>
  /** One listener: told how long each script took, from its call to its reply, tries included. A store without scripts has none. */
  onScript?(listener: OnScript): void
  /** Releases what is past its time; the memory store also does so as it works. Call it about once a second. */
  tick(): void
  close(): Promise<void>
}

export interface StoreSettings {
  /** An end without its answer waits this long for it before it makes a partial record. */
  partialGraceMs: number
  /** An answered call that is this old is recovered: ended by the store. */
  maxCallMs: number
  /** A finished call is remembered at least this long, so that late reports change nothing. */
  finishedKeepMs: number
  /** A removed binding's Call-ID and CSeq are remembered this long, against late retransmissions. */
  tombstoneMs: number
  /** Change feed entries kept per shard. */
  changesMaxLen: number
  /** Finished records kept per shard for sinks that are behind; beyond it the oldest are dropped and counted. */
  recordsMaxLen: number
  /** Fraud events kept; beyond it the oldest go. */
  fraudEventsMaxLen: number
  /** A record that another consumer of the group leaves unacknowledged this long is given to this one. */
  redeliverMs: number
  /** An edge whose lease is over is gone after this, and its bindings with it. */
  edgeKeepMs: number
  /** Before the bindings of an edge that is gone are removed: longer than location nodes take to know, and writes to end. */
  edgeSettleMs: number
  /** A location node that said nothing this long holds no streams. */
  nodeSilentMs: number
  /** Membership that nobody touched this long: the store was away, leases stood still. */
  edgeFreezeMs: number
  /** Ledger entries kept per account; an eighth above it the oldest are folded into their sum. */
  ledgerMaxLen: number
  /** A settlement that was looked at a second time is remembered this long, against late renewals. */
  settledKeepMs: number
  /** One that was not, this long. */
  settlingKeepMs: number
  /** The key of a top-up is remembered this long. */
  topUpKeepMs: number
}

export const DEFAULT_SETTINGS: StoreSettings = {
  partialGraceMs: 5_000,
  maxCallMs: 12 * 3_600_000,
  finishedKeepMs: 64_000,
  tombstoneMs: 32_000,
  changesMaxLen: 1_024,
  recordsMaxLen: 8_192,
  fraudEventsMaxLen: 20_000,
  redeliverMs: 30_000,
  edgeKeepMs: 60_000,
  edgeSettleMs: 3_000,
  nodeSilentMs: 3_500,
  edgeFreezeMs: 2_500,
  ledgerMaxLen: 10_000,
  settledKeepMs: 15 * 60_000,
  settlingKeepMs: 24 * 3_600_000,
  topUpKeepMs: 90 * 24 * 3_600_000,
}
