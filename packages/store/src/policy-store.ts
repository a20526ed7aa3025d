// SPDX-License-Identifier: MIT
// What the policy service keeps: references with frozen decisions, nonce counts, calls on record, their due work and the
// feed of finished records. Accounts, holds and declarative resources come later, as stores of their own beside this one.

import type { Billing } from './charges.ts'
import type { Eventual } from './result.ts'
import type {
  AnsweredReport,
  CallState,
  CallWork,
  DueCall,
  EndedReport,
  FailedReport,
  HangUpWish,
  LiveCall,
  LiveCalls,
  Minted,
  MintProposal,
  ProbeFinding,
  RecordItem,
  RecordLag,
  ReportOutcome,
  UpdatedReport,
} from './types.ts'

/** A count that somebody used who had the right password. */
export interface NonceUse {
  readonly nonceId: string
  /** 1 to 2^32 - 1. */
  readonly count: number
  /** Names the request: of two that are equal, one is a retransmission. */
  readonly transactionKey: string
  readonly ttlMs: number
  readonly user: string
  /** His failures from there (ban-store.ts) are forgotten. */
  readonly source: string
}

export interface PolicyStore {
  /** Freezes reference and decision under the server-transaction key for keepMs; a repeat gets those of the first. */
  mint(transactionKey: string, proposal: MintProposal, keepMs: number): Eventual<Minted>
  /** The transaction is over: forget its key after keepMs (32,000). False: nothing was minted under it. */
  releaseMint(transactionKey: string, keepMs: number): Eventual<boolean>
  /** What is frozen under this key; undefined: nothing, or it is forgotten. */
  readMint(transactionKey: string): Eventual<Minted | undefined>
  /** A count is fresh once, and again for the transaction that used it first: a retransmission is no replay. */
  useNonce(use: NonceUse): Eventual<'fresh' | 'replay'>

  answered(ref: string, report: AnsweredReport): Eventual<ReportOutcome>
  ended(ref: string, report: EndedReport): Eventual<ReportOutcome>
  failed(ref: string, report: FailedReport): Eventual<ReportOutcome>
  /** Of an answered leg that lives; ignored for others. A CSeq below the known one changes nothing but is a sign of life. */
  updated(ref: string, report: UpdatedReport): Eventual<ReportOutcome>

  /**
   * Plans a hang-up, or moves the planned one: of another reason the earlier one stays, of the same reason the later wish. One that an
   * edge has been told of is not put off. '': not on record.
   */
  requestHangUp(ref: string, wish: HangUpWish): Eventual<CallState | ''>
  /**
   * What is due at this call now, for the asker alone: a hang-up is due again after leaseMs, a probe after its interval, a warning is given once.
   * undefined: nothing.
   */
  takeWork(ref: string, leaseMs: number): Eventual<CallWork | undefined>
  /** A hang-up that has been taken is due again after inMs, not before. `isUncounted`: nobody was there to be told of it. */
  postponeHangUp(ref: string, inMs: number, isUncounted: boolean): Eventual<void>
  /**
   * What a probe has found. `silent`: nobody answered; the second time in a row ends the call as of its last sign of life.
   * `gone`: both parties deny it, which ends it so at once. `reason`: of
   * that end.
   */
  noteLife(ref: string, found: ProbeFinding, reason: string): Eventual<{ finished: boolean }>
  /** Ends a call that no edge can end any more, as of when the first was told to: `recovered`, by the system. */
  endBySystem(ref: string, reason: string): Eventual<{ finished: boolean }>

  /** A charged call is looked at again in so many milliseconds. Gives its state, '' where it is not on record. */
  planCharge(ref: string, inMs: number): Eventual<CallState | ''>
  /**
   * The account of an `ended` call has been charged: its record is made, once. It is due again in checkInMs as `settled`; undefined: it is
   * finished. False: that was done before.
   */
  settled(ref: string, billing: Billing, checkInMs: number | undefined): Eventual<boolean>
  /** A `settled` call was found in the ledger: finished. */
  checked(ref: string): Eventual<void>

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
