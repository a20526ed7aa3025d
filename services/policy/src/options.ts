// SPDX-License-Identifier: MIT
//
// What the policy service is built from and what it gives. Settings that people change come from the cluster's schema
// (service-kit); the rest are tuning values with their defaults here.
import type { LoadOptions, ResourceSet } from '@tandem/resources'
import type { PolicyHandlers, PushHub, policy, RecordFeed, ResourceHandlers, StreamHooks } from '@tandem/rpc'
import type { Logger, Metrics, PolicyConfig } from '@tandem/service-kit'
import type {
  AccountStore,
  BanStore,
  FraudEventStore,
  FraudStore,
  GroupStore,
  PolicyStore,
  ResourceStore,
  TrunkStore,
} from '@tandem/store'
import type { BanFeed } from './bans/ban-feed.ts'
import type { CallWorker } from './calls/call-work.ts'
import type { DueWork } from './calls/due-work.ts'
import type { PolicyCounts } from './counts.ts'
import type { FraudPorts } from './fraud/ports.ts'
import type { LedgerCopySettings } from './ledger/ledger-copy.ts'
import type { TrunkDesk } from './trunks/trunk-desk.ts'

/** The settings that policy reads. */
export type PolicySettings = Pick<
  PolicyConfig,
  | 'keyRing'
  | 'authentication'
  | 'accounting'
  | 'nonceLifetimeMs'
  | 'challengeOrder'
  | 'mintKeepMs'
  | 'setupDeadlineMs'
  | 'maxDurationMs'
  | 'warnBeforeMs'
  | 'warning'
  | 'livenessIntervalMs'
  | 'fraud'
  | 'localHosts'
  | 'registration'
  | 'replayWithoutStore'
  | 'bans'
  | 'trunks'
> &
  Partial<Pick<PolicyConfig, 'charging' | 'geoIpFile'>>

/** The key ring is exchanged while the process runs. */
export type LiveSettings = Omit<PolicySettings, 'keyRing'> & { keyRing: PolicySettings['keyRing'] }

export interface PolicyTuning {
  /** Retry-After of a 503 while the store is away. */
  readonly retryAfterS: number
  /** How far ahead of this node's clock a nonce may be dated. */
  readonly clockSkewMs: number
  /** Credentials of one realm that are looked at in one request. */
  readonly maxCredentials: number
  /** How often the key sets of token issuers are looked at for changes. */
  readonly keySetPollMs: number
  /** One round over all shards of due work takes this long. */
  readonly dueRoundMs: number
  /** Lease of a claimed due call; more than half a round. */
  readonly dueLeaseMs: number
  /** Due calls of a shard in one claim. */
  readonly dueLimit: number
  /** How often an idle feed looks for new records. */
  readonly feedPollMs: number
  /** Items of one read of the feed. */
  readonly feedBatch: number
  /** Talk that is held in advance, at least one increment of the rate. */
  readonly quantumMs: number
  /** A hold grows this long before the talk that it pays for is over: more than one round of due work. */
  readonly renewAheadMs: number
  /** The ledger is looked at again this long after a charge: at least 30 s. */
  readonly verifyAfterMs: number
}

export const POLICY_TUNING: PolicyTuning = {
  retryAfterS: 5,
  clockSkewMs: 60_000,
  maxCredentials: 4,
  keySetPollMs: 5_000,
  dueRoundMs: 4_000,
  dueLeaseMs: 10_000,
  dueLimit: 64,
  feedPollMs: 50,
  feedBatch: 256,
  quantumMs: 60_000,
  renewAheadMs: 15_000,
  verifyAfterMs: 35_000,
}

/** Resources in the store. */
export interface SharedResources {
  readonly store: ResourceStore
  /** As `resources` were written. */
  readonly documents: readonly unknown[]
  /** Where files and variables are that resources name. */
  readonly load: LoadOptions
  /** No other process reads this store: what only location would use is refused. */
  readonly isApart?: boolean
}

export interface PolicyServiceOptions {
  readonly store: PolicyStore
  readonly accounts: AccountStore
  /** Ledgers are copied elsewhere by the records service; absent: they are not. */
  readonly ledgerCopy?: LedgerCopySettings | undefined
  /** Counters; without them rules against fraud see only what needs none. */
  readonly fraud?: FraudStore
  /** What they need besides: each has a default that knows nothing. */
  readonly fraudPorts?: Partial<FraudPorts>
  /** Where their events are kept; without it there are none. */
  readonly fraudEvents?: FraudEventStore
  /** Absent: this node's own, in memory. */
  readonly bans?: BanStore
  /** Likewise. */
  readonly trunks?: TrunkStore
  /** Absent: hunt groups are known to this node alone. */
  readonly groups?: GroupStore
  readonly config: PolicySettings
  /** From `loadResources` of @tandem/resources: in use until the store's are. */
  readonly resources: ResourceSet
  /** Where resources are applied to and followed; absent: `resources` is all there is. */
  readonly resourceStore?: SharedResources
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly metrics?: Metrics
  readonly tuning?: Partial<PolicyTuning>
  /** Wall clock, milliseconds since 1970: dates nonces and tells which prices hold, never dates an event. Where given, call work looks at it too. */
  readonly now?: () => number
}

export interface PolicyService {
  /** For createInProcess and servePolicy. */
  readonly handlers: PolicyHandlers
  /** Commands to edges. */
  readonly pushes: PushHub<policy.Push>
  /** For the servers and callers that its streams come by. */
  readonly hooks: Pick<StreamHooks, 'onStreamOpen'>
  /** For serveRecordFeed and createInProcessRecordFeed. */
  readonly feed: RecordFeed
  /** Of fraud events, in the same way. */
  readonly fraudEvents: RecordFeed
  /** Of ledger entries, in the same way; undefined where they are not copied. */
  readonly ledgers: RecordFeed | undefined
  /** Does what is due at calls; ticks by itself once started. */
  readonly work: Pick<CallWorker, 'tick' | 'do'>
  /** How trunks stand; works by itself once started. */
  readonly trunks: TrunkDesk
  /** Reads what is new of bans; by itself once started. */
  readonly banFeed: Pick<BanFeed, 'poll'>
  /** Does what is due in one shard of calls and accounts; by itself once started. */
  readonly due: Pick<DueWork, 'shard'>
  readonly counts: Readonly<PolicyCounts>
  /** Revision of the resources in use. */
  readonly revision: string
  /** For serveResources and createInProcessResources; undefined where nobody gave a store for resources. */
  readonly resources: ResourceHandlers | undefined
  /** Why an older revision of the resources is in use than should be; '' where none is. */
  readonly trouble: string
  /** Other keys sign, verify and seal from now on; resources are sealed anew in the background. */
  useKeyRing(ring: PolicySettings['keyRing']): void
  /** Takes another checked set from the next decision on. */
  replaceResources(set: ResourceSet): void
  /** Whether the store answered last time. */
  ready(): boolean
  /** What keeps it from being ready; and what is not as it should be though it is ready. A line each. */
  missing(): readonly string[]
  /** Starts due work and feeds. Does not wait for the store. */
  start(): Promise<void>
  stop(): Promise<void>
}
