// SPDX-License-Identifier: MIT
//
// What all handlers of the service share.
import type { DigestAlgorithm } from '@tandem/resources'
import type { PushHub, policy } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import type { LiveKeyRing } from '@tandem/sip'
import type { AccountStore, BanStore, GroupStore, PolicyStore, TrunkStore } from '@tandem/store'
import type { BanFeed } from './bans/ban-feed.ts'
import type { Bans } from './bans/bans.ts'
import type { CallWorker } from './calls/call-work.ts'
import type { EdgeQuestions } from './capture/ask-edges.ts'
import type { AccountMarks } from './charging/account-marks.ts'
import type { Money, PolicyCounts } from './counts.ts'
import type { NonceMaker } from './digest/nonce.ts'
import type { OneTimeNonces } from './digest/one-time.ts'
import type { FraudDesk } from './fraud/fraud-desk.ts'
import type { FraudFeed } from './fraud-feed/fraud-feed.ts'
import type { IssuerKeys } from './jwt/issuer-keys.ts'
import type { LedgerCopy } from './ledger/ledger-copy.ts'
import type { LiveSettings, PolicyTuning } from './options.ts'
import type { PolicyState } from './state.ts'
import type { StoreHealth } from './store-health.ts'
import type { TrunkDesk } from './trunks/trunk-desk.ts'

export interface PolicyContext {
  readonly store: PolicyStore
  readonly accounts: AccountStore
  readonly marks: AccountMarks
  /** Rules against fraud: their counters, and whom they tell. */
  readonly fraud: FraudDesk
  /** The way of their events; undefined where nobody keeps any. */
  readonly fraudFeed: FraudFeed | undefined
  /** Of what the ledgers take; undefined where nobody copies them. */
  readonly ledgerCopy: LedgerCopy | undefined
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Wall clock: for prices that depend on the time, and nonces; it dates no event. */
  readonly now: () => number
  readonly settings: LiveSettings
  readonly tuning: PolicyTuning
  readonly counts: PolicyCounts
  /** What calls were charged. */
  readonly charged: Money
  readonly health: StoreHealth
  readonly nonces: NonceMaker
  /** Used ones of this node's own. */
  readonly oneTime: OneTimeNonces
  readonly bans: Bans
  readonly banFeed: BanFeed
  readonly banStore: BanStore
  /** Of what this node counts while that one is away. */
  readonly localBans: BanStore
  readonly challengeOrder: readonly DigestAlgorithm[]
  /** Public keys of those who issue tokens. */
  readonly issuers: IssuerKeys
  /** Opens temporary GRUUs. */
  readonly gruuKeys: LiveKeyRing
  /** To the edges that have a stream here. */
  readonly pushes: PushHub<policy.Push>
  /** What people ask edges about messages. */
  readonly edgeQuestions: EdgeQuestions
  readonly trunkStore: TrunkStore
  readonly groups: GroupStore
  /** How trunks stand, and what is due at them. */
  readonly trunks: TrunkDesk
  /** What is due at calls and needs an edge. */
  readonly work: CallWorker
  /** Of the trace that the request at hand belongs to; undefined for none. */
  readonly traceId?: string
  /** Replaced when the resources change. */
  state: PolicyState
}
