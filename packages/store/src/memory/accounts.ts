// SPDX-License-Identifier: MIT
// Accounts in memory, and the marks of those that due work looks at.

import { isAccountName, isAmount, LEDGER_SHARDS } from '../account-rules.ts'
import type {
  AccountAudit,
  AccountState,
  AccountStore,
  CopiedBatch,
  DueAccount,
  HoldOutcome,
  HoldRequest,
  LedgerBatch,
  RestoreOutcome,
  RestoreRequest,
  SettleOutcome,
  SettleRequest,
  SweepOutcome,
  TopUp,
  TopUpOutcome,
  VerifyRequest,
} from '../account-store.ts'
import { areCounters } from '../fraud-rules.ts'
import { notStored, type Stored, stored } from '../result.ts'
import { SHARDS, shardOf } from '../shard.ts'
import { Account } from './account.ts'
import { full, type MemoryContext } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import type { MemoryFraud } from './fraud.ts'

/** deadlineMs is when to look; a claim moves it. */
interface Mark extends Timed {
  readonly account: string
  /** Until when it is marked. */
  keepMs: number
}

interface Shard {
  readonly due: Deadlines<Mark>
  claimedMs: number
  holdUntilMs: number
}

const INVALID = notStored('invalid', 'an account without a proper name, or an amount out of bounds')

export class MemoryAccounts implements AccountStore {
  readonly #context: MemoryContext
  readonly #accounts = new Map<string, Account>()
  readonly #marks = new Map<string, Mark>()
  readonly #shards: Shard[]
  /** Accounts whose ledger is to be copied, by when to look. */
  readonly #ledgerMarks = new Map<string, number>()

  readonly #fraud: MemoryFraud

  /** @param fraud counters of rules against fraud */
  constructor(context: MemoryContext, fraud: MemoryFraud) {
    this.#context = context
    this.#fraud = fraud
    this.#shards = Array.from({ length: SHARDS }, () => ({
      due: new Deadlines<Mark>(),
      claimedMs: Number.NEGATIVE_INFINITY,
      holdUntilMs: 0,
    }))
  }

  hold(request: HoldRequest): Stored<HoldOutcome> {
    if (!isAccountName(request.account) || !isAmount(request.amount) || request.amount < 0n) return INVALID
    if (request.fraud === undefined || request.fraud.length === 0) {
      return this.#at(request.account, (account) => account.hold(request, this.#now()))
    }
    if (!areCounters(request.fraud)) return INVALID
    const counters = this.#fraud.ofAccount(request.account)
    if (counters === undefined) return full('subjects of fraud rules', this.#context.limits.maxFraudSlots)
    const held = this.#at(request.account, (account) => account.hold(request, this.#now(), counters))
    this.#fraud.keepAccount(request.account)
    return held
  }

  block(account: string, forMs: number, by: string): Stored<number> {
    return this.#at(account, (one) => one.block(forMs, by, this.#now()))
  }

  unblock(account: string): Stored<boolean> {
    return this.#at(account, (one) => one.unblock(this.#now()))
  }

  settle({ account, ref, price }: SettleRequest): Stored<SettleOutcome> {
    if (!isAccountName(account) || !isAmount(price) || price < 0n) return INVALID
    return this.#at(account, (one) => one.settle(ref, price, this.#now()))
  }

  verify({ account, ref, applied, entry }: VerifyRequest): Stored<boolean> {
    if (!isAccountName(account) || !isAmount(applied) || applied < 0n) return INVALID
    return this.#at(account, (one) => one.verify(ref, applied, entry, this.#now()))
  }

  topUp(request: TopUp): Stored<TopUpOutcome> {
    if (!isAccountName(request.account) || !isAmount(request.amount) || request.key === '') return INVALID
    return this.#at(request.account, (account) => account.topUp(request, this.#now()))
  }

  read(account: string, ledger: number): Stored<AccountState> {
    return this.#at(account, (one) => one.read(account, ledger, this.#now()))
  }

  audit(account: string): Stored<AccountAudit> {
    return this.#at(account, (one) => one.audit())
  }

  mark(account: string, dueInMs: number): Stored<void> {
    if (!isAccountName(account)) return INVALID
    const deadlineMs = this.#now() + dueInMs
    const known = this.#marks.get(account)
    if (known === undefined && this.#marks.size >= this.#context.limits.maxAccounts) {
      return full('marked accounts', this.#context.limits.maxAccounts)
    }
    const mark = known ?? { account, deadlineMs, keepMs: 0, heapIndex: -1 }
    mark.keepMs = Math.max(mark.keepMs, deadlineMs)
    if (known !== undefined) return stored(undefined)
    this.#marks.set(account, mark)
    this.#shardOf(account).due.set(mark)
    return stored(undefined)
  }

  claimAccounts(shard: number, leaseMs: number, limit: number): Stored<DueAccount[]> {
    const now = this.#now()
    const at = this.#shards[shard & (SHARDS - 1)] as Shard
    if (now - at.claimedMs > 2 * leaseMs) at.holdUntilMs = now + leaseMs
    at.claimedMs = now
    const claimed: DueAccount[] = []
    while (now >= at.holdUntilMs && claimed.length < limit) {
      const mark = at.due.peek()
      if (mark === undefined || mark.deadlineMs > now) break
      mark.deadlineMs = now + leaseMs
      at.due.set(mark)
      claimed.push({ account: mark.account, mark: mark.deadlineMs })
    }
    return stored(claimed)
  }

  sweep(account: string, limit: number): Stored<SweepOutcome> {
    return this.#at(account, (one) => one.sweep(limit, this.#now()))
  }

  looked(account: string, at: number, againInMs: number): Stored<void> {
    const mark = this.#marks.get(account)
    if (mark?.deadlineMs !== at) return stored(undefined)
    const now = this.#now()
    const nextMs = againInMs > 0 ? now + againInMs : mark.keepMs
    if (nextMs > now) {
      mark.deadlineMs = nextMs
      this.#shardOf(account).due.set(mark)
    } else {
      this.#shardOf(account).due.remove(mark)
      this.#marks.delete(account)
    }
    return stored(undefined)
  }

  markLedger(account: string): Stored<void> {
    if (!isAccountName(account)) return INVALID
    if (this.#ledgerMarks.size >= this.#context.limits.maxAccounts) {
      return full('marked ledgers', this.#context.limits.maxAccounts)
    }
    if (!this.#ledgerMarks.has(account)) this.#ledgerMarks.set(account, this.#now())
    return stored(undefined)
  }

  claimLedgers(shard: number, leaseMs: number, limit: number): Stored<DueAccount[]> {
    const now = this.#now()
    const claimed: DueAccount[] = []
    for (const [account, dueMs] of this.#ledgerMarks) {
      if (claimed.length >= limit) break
      if (dueMs > now || shardOf(account) % LEDGER_SHARDS !== shard) continue
      this.#ledgerMarks.set(account, now + leaseMs)
      claimed.push({ account, mark: now + leaseMs })
    }
    return stored(claimed)
  }

  lookedAtLedger(account: string, mark: number): Stored<void> {
    if (this.#ledgerMarks.get(account) === mark) this.#ledgerMarks.delete(account)
    return stored(undefined)
  }

  readUncopied(account: string, limit: number): Stored<LedgerBatch> {
    return this.#at(account, (one) => one.uncopied(account, limit))
  }

  copied(batch: CopiedBatch): Stored<boolean> {
    return this.#at(batch.account, (one) => one.copied(batch, this.#now()))
  }

  restore(request: RestoreRequest): Stored<RestoreOutcome> {
    const amounts = [request.checkpoint?.amount ?? 0n, ...request.entries.map(({ amount }) => amount)]
    if (!amounts.every(isAmount)) return INVALID
    return this.#at(request.account, (one) => one.restore(request, this.#now()))
  }

  counts(): Record<string, number> {
    let holdCount = 0
    for (const account of this.#accounts.values()) holdCount += account.holdCount
    return { accountCount: this.#accounts.size, holdCount }
  }

  #now(): number {
    return Math.floor(this.#context.now())
  }

  #shardOf(account: string): Shard {
    return this.#shards[shardOf(account)] as Shard
  }

  #at<T>(name: string, act: (account: Account) => T): Stored<T> {
    if (!isAccountName(name)) return INVALID
    const known = this.#accounts.get(name)
    if (known !== undefined) return stored(act(known))
    if (this.#accounts.size >= this.#context.limits.maxAccounts) {
      return full('accounts', this.#context.limits.maxAccounts)
    }
    const account = new Account(this.#context.settings)
    this.#accounts.set(name, account)
    return stored(act(account))
  }
}
