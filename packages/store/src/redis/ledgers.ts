// SPDX-License-Identifier: MIT
// The copy of ledgers in Redis: arguments and replies of its scripts.

import { isAccountName, isAmount, LEDGER_SHARDS } from '../account-rules.ts'
import type {
  CopiedBatch,
  DueAccount,
  LedgerBatch,
  LedgerStore,
  RestoreOutcome,
  RestoreRequest,
} from '../account-store.ts'
import type { Stored } from '../result.ts'
import { shardOf } from '../shard.ts'
import { amountOf, INVALID, readEntries, runOnAccount } from './account-run.ts'
import type { Reply } from './batcher.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { CLAIM_LEDGERS, COPIED, LOOKED_AT_LEDGER, MARK_LEDGER, READ_UNCOPIED, RESTORE } from './scripts/ledger.ts'
import { tagOf } from './slot.ts'

export class RedisLedgers implements LedgerStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  markLedger(account: string): Promise<Stored<void>> {
    if (!isAccountName(account)) return Promise.resolve(INVALID)
    const { tag, marks } = keysOf(account)
    return this.#runner.run(MARK_LEDGER, tag, [marks], [account], () => undefined)
  }

  claimLedgers(shard: number, leaseMs: number, limit: number): Promise<Stored<DueAccount[]>> {
    const tag = tagOf('h', shard)
    return this.#runner.run(CLAIM_LEDGERS, tag, [`{${tag}}:copy`], [leaseMs, limit], (reply) => {
      const flat = listOf(reply)
      const claimed: DueAccount[] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        claimed.push({ account: textOf(flat[i]), mark: numberOf(flat[i + 1]) })
      }
      return claimed
    })
  }

  lookedAtLedger(account: string, mark: number): Promise<Stored<void>> {
    const { tag, marks } = keysOf(account)
    return this.#runner.run(LOOKED_AT_LEDGER, tag, [marks], [account, mark], () => undefined)
  }

  readUncopied(account: string, limit: number): Promise<Stored<LedgerBatch>> {
    return runOnAccount(this.#runner, READ_UNCOPIED, account, [limit], (reply) => readBatch(account, listOf(reply)))
  }

  copied({ account, from, to, folded, count, keepEntries, keepMs }: CopiedBatch): Promise<Stored<boolean>> {
    const args = [from, to, folded, count, keepEntries, keepMs]
    return runOnAccount(this.#runner, COPIED, account, args, (reply) => numberOf(reply) === 1)
  }

  restore({ account, currency, checkpoint, entries, keys }: RestoreRequest): Promise<Stored<RestoreOutcome>> {
    const { to = '', amount = 0n, count = 0 } = checkpoint ?? {}
    if (![amount, ...entries.map((entry) => entry.amount)].every(isAmount)) return Promise.resolve(INVALID)
    const { topUpKeepMs } = this.#runner.settings
    const args = [currency, topUpKeepMs, to, String(amount), count, entries.length]
    for (const entry of entries) args.push(entry.id, entry.key, entry.cause, String(entry.amount))
    for (const known of keys) args.push(known.key, String(known.amount))
    return runOnAccount(this.#runner, RESTORE, account, args, (reply) => {
      const [result, added, balance] = listOf(reply)
      const how = textOf(result) as RestoreOutcome['result']
      return { result: how, added: numberOf(added), balance: amountOf(balance) }
    })
  }
}

function keysOf(account: string): { tag: string; marks: string } {
  const tag = tagOf('h', shardOf(account) % LEDGER_SHARDS)
  return { tag, marks: `{${tag}}:copy` }
}

function readBatch(account: string, reply: Reply[]): LedgerBatch {
  const [currency, at, foldedId, amount, count, balance, ...flat] = reply
  const id = textOf(foldedId)
  const from = textOf(at)
  const entries = readEntries(flat)
  const folded =
    id === '' ? undefined : { id, amount: amountOf(amount), count: numberOf(count), balance: amountOf(balance) }
  const to = entries.at(-1)?.id ?? folded?.id ?? from
  return { account, currency: textOf(currency), from, to, folded, entries }
}
