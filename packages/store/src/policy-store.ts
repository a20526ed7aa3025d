// SPDX-License-Identifier: MIT
// What the policy service keeps: references with frozen decisions, nonce counts, calls on record, their due work and the
// feed of finished records. Accounts, holds and declarative resources come later, as stores of their own beside this one.

import type { Eventual } from './result.ts'
import type {
  AnsweredReport,
  DueCall,
  EndedReport,
  FailedReport,
  LiveCall,
  LiveCalls,
  Minted,
  MintProposal,
  RecordItem,
  RecordLag,
  ReportOutcome,
} from './types.ts'

export interface PolicyStore {
  /** Freezes reference and decision under the server-transaction key for keepMs; a repeat gets those of the first. */
  mint(transactionKey: string, proposal: MintProposal, keepMs: number): Eventual<Minted>
  /** The transaction is over: forget its key after keepMs (32,000). False: nothing was minted under it. */
  releaseMint(transactionKey: string, keepMs: number): Eventual<boolean>
  /** A count is fresh once, and again for the transaction that used it first: a retransmission is no replay. */
  useNonce(nonceId: string, nc: number, transactionKey: string, ttlMs: number): Eventual<'fresh' | 'replay'>

  answered(ref: string, report: AnsweredReport): Eventual<ReportOutcome>
  ended(ref: string, report: EndedReport): Eventual<ReportOutcome>
  failed(ref: string, report: FailedReport): Eventual<ReportOutcome>

  /** Calls of a shard past their deadline, claimed for leaseMs. Ask more often than every 2 × leaseMs: after a longer
   *  silence the store was away, and due work waits one lease so that reports come first. */
  claimDue(shard: number, leaseMs: number, limit: number): Eventual<DueCall[]>
  /** Ends a call that is still past its deadline: `partial` or `recovered`. */
  settleDue(ref: string): Eventual<{ finished: boolean }>

  listLive(limit: number): Eventual<LiveCalls>
  readLive(ref: string): Eventual<LiveCall | undefined>

  /** A sink's way through the records. Opening it again (a restart) delivers what was not acknowledged. */
  openRecords(group: string, consumer: string): RecordReader
  recordLag(group: string): Eventual<RecordLag>
  /** The sink is no more: its group holds no record back. */
  dropGroup(group: string): Eventual<void>
}

export interface RecordReader {
  /** From the group's first read on, records wait for it. Items not yet given out by this reader: unacknowledged ones of earlier readers first. Empty: none now. */
  read(limit: number): Eventual<RecordItem[]>
  /** Records acknowledged by every group are removed. Repeats are harmless. */
  acknowledge(ids: readonly string[]): Eventual<void>
}
