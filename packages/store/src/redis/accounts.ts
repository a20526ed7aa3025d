// SPDX-License-Identifier: MIT
// Accounts in Redis: arguments and replies of their scripts. An account is one slot, `{a:<account>}`; the marks of accounts
// that due work looks at lie in 256 shards of their own.

import { isAccountName, isAmount } from '../account-rules.ts'
import type {
  AccountAudit,
  AccountState,
  AccountStore,
  DueAccount,
  HeldOutcome,
  HoldOutcome,
  HoldRefusal,
  HoldRequest,
  SettleOutcome,
  SettleRequest,
  SweepOutcome,
  TopUp,
  TopUpOutcome,
  VerifyRequest,
} from '../account-store.ts'
import { areCounters } from '../fraud-rules.ts'
import type { FraudCheck } from '../fraud-store.ts'
import type { Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import { amountOf, INVALID, readEntries, runOnAccount } from './account-run.ts'
import type { Argument, Reply } from './batcher.ts'
import { packChecks, readBegun } from './fraud.ts'
import { RedisLedgers } from './ledgers.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import {
  AUDIT_ACCOUNT,
  BLOCK,
  CLAIM_ACCOUNTS,
  HOLD,
  HOLD_CHECKED,
  LOOKED_AT_ACCOUNT,
  MARK_ACCOUNT,
  READ_ACCOUNT,
  SETTLE,
  SWEEP,
  TOP_UP,
  UNBLOCK,
  VERIFY,
} from './scripts/accounts.ts'
import type { Script } from './scripts/script.ts'
import { tagOf } from './slot.ts'

export class RedisAccounts extends RedisLedgers implements AccountStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    super(runner)
    this.#runner = runner
  }

  hold(request: HoldRequest): Promise<Stored<HoldOutcome>> {
    const { account, ref, sequence, amount, answered, create, leaseMs, terms } = request
    if (!isAmount(amount) || amount < 0n) return Promise.resolve(INVALID)
    const { currency, creditLimit, maxCalls, callsPerSecond, spendPerHour, spendPerDay } = terms
    const bounds = [creditLimit, maxCalls, callsPerSecond, spendPerHour, spendPerDay].map((bound) =>
      String(bound ?? ''),
    )
    const args = [ref, sequence, String(amount), answered ? '1' : '0', create ? '1' : '0', leaseMs, currency, ...bounds]
    const { fraud = [] } = request
    if (fraud.length === 0) return this.#run(HOLD, account, args, readHoldOf(0))
    if (!areCounters(fraud)) return Promise.resolve(INVALID)
    return this.#run(HOLD_CHECKED, account, [...args, packChecks(fraud)], readHoldOf(fraud.length), fraud)
  }

  block(account: string, forMs: number, by: string): Promise<Stored<number>> {
    return this.#run(BLOCK, account, [forMs, by], numberOf)
  }

  unblock(account: string): Promise<Stored<boolean>> {
    return this.#run(UNBLOCK, account, [], (reply) => numberOf(reply) === 1)
  }

  settle({ account, ref, price }: SettleRequest): Promise<Stored<SettleOutcome>> {
    if (!isAmount(price) || price < 0n) return Promise.resolve(INVALID)
    return this.#run(SETTLE, account, [ref, String(price)], (reply) => {
      const [repeated, applied, entry] = listOf(reply)
      return { applied: amountOf(applied), repeated: numberOf(repeated) === 1, entry: textOf(entry) }
    })
  }

  verify({ account, ref, applied, entry }: VerifyRequest): Promise<Stored<boolean>> {
    if (!isAmount(applied) || applied < 0n) return Promise.resolve(INVALID)
    return this.#run(VERIFY, account, [ref, String(applied), entry], (reply) => numberOf(reply) === 1)
  }

  topUp({ account, key, amount, currency, cause }: TopUp): Promise<Stored<TopUpOutcome>> {
    if (!isAmount(amount) || key === '') return Promise.resolve(INVALID)
    const args = [key, String(amount), currency, cause, this.#runner.settings.topUpKeepMs]
    return this.#run(TOP_UP, account, args, (reply) => {
      const [result, balance] = listOf(reply)
      return { result: textOf(result) as TopUpOutcome['result'], balance: amountOf(balance) }
    })
  }

  read(account: string, ledger: number): Promise<Stored<AccountState>> {
    return this.#run(READ_ACCOUNT, account, [ledger], (reply) => readState(account, reply))
  }

  audit(account: string): Promise<Stored<AccountAudit>> {
    return this.#run(AUDIT_ACCOUNT, account, [], (reply) => {
      const [balance, ledgerSum, held, holdsSum, entries, folded, foldedSum, foldedTo, copiedTo] = listOf(reply)
      return {
        balance: amountOf(balance),
        ledgerSum: amountOf(ledgerSum),
        held: amountOf(held),
        holdsSum: amountOf(holdsSum),
        entries: numberOf(entries),
        foldedEntries: numberOf(folded),
        foldedSum: amountOf(foldedSum),
        foldedTo: textOf(foldedTo),
        copiedTo: textOf(copiedTo),
      }
    })
  }

  mark(account: string, dueInMs: number): Promise<Stored<void>> {
    if (!isAccountName(account)) return Promise.resolve(INVALID)
    const { tag, due, beat } = markKeys(shardOf(account))
    return this.#runner.run(MARK_ACCOUNT, tag, [due, beat], [account, dueInMs], () => undefined)
  }

  claimAccounts(shard: number, leaseMs: number, limit: number): Promise<Stored<DueAccount[]>> {
    const { tag, due, beat } = markKeys(shard)
    return this.#runner.run(CLAIM_ACCOUNTS, tag, [due, beat], [leaseMs, limit], (reply) => {
      const flat = listOf(reply)
      const claimed: DueAccount[] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        claimed.push({ account: textOf(flat[i]), mark: numberOf(flat[i + 1]) })
      }
      return claimed
    })
  }

  sweep(account: string, limit: number): Promise<Stored<SweepOutcome>> {
    return this.#run(SWEEP, account, [limit], (reply) => {
      const [settled, released, left] = listOf(reply)
      return { settled: numberOf(settled), released: numberOf(released), left: numberOf(left) }
    })
  }

  looked(account: string, mark: number, againInMs: number): Promise<Stored<void>> {
    const { tag, due, beat } = markKeys(shardOf(account))
    return this.#runner.run(LOOKED_AT_ACCOUNT, tag, [due, beat], [account, mark, againInMs], () => undefined)
  }

  #run<T>(
    script: Script,
    account: string,
    args: readonly Argument[],
    read: (reply: Reply) => T,
    fraud: readonly FraudCheck[] = [],
  ): Promise<Stored<T>> {
    return runOnAccount(this.#runner, script, account, args, read, fraud)
  }
}

function markKeys(shard: number): { tag: string; due: string; beat: string } {
  const tag = tagOf('h', shard)
  return { tag, due: `{${tag}}:due`, beat: `{${tag}}:beat` }
}

/** @param checks how many of rules against fraud */
const readHoldOf =
  (checks: number) =>
  (reply: Reply): HoldOutcome =>
    readHold(reply, checks)

function readHold(reply: Reply, checks: number): HoldOutcome {
  const [how, available, sequence, amount, nowMs, found, undo] = listOf(reply)
  const result = textOf(how)
  const at: Omit<HeldOutcome, 'result'> = {
    sequence: numberOf(sequence),
    amount: amountOf(amount),
    nowMs: numberOf(nowMs),
    ...(Array.isArray(found) && { fraud: readBegun(result === 'fraud', numberOf(nowMs), found, undo ?? [], checks) }),
  }
  if (result === 'held' || result === 'repeated') return { result, ...at }
  return { result: 'refused', why: result as HoldRefusal, available: amountOf(available), ...at }
}

function readState(account: string, reply: Reply): AccountState {
  const [currency, balance, held, holds, calls, spentHour, spentDay, blocked, by, nowMs, ...flat] = listOf(reply)
  return {
    account,
    currency: textOf(currency),
    balance: amountOf(balance),
    held: amountOf(held),
    holds: numberOf(holds),
    calls: numberOf(calls),
    spentHour: amountOf(spentHour),
    spentDay: amountOf(spentDay),
    blockedUntilMs: numberOf(blocked),
    blockedBy: textOf(by),
    nowMs: numberOf(nowMs),
    ledger: readEntries(flat),
  }
}
