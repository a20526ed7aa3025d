// SPDX-License-Identifier: MIT
// What the tables of accounts and of their ledgers share: the keys of an account's slot, `{a:<account>}`, and reading of replies.

import { isAccountName } from '../account-rules.ts'
import type { LedgerEntry } from '../account-store.ts'
import type { FraudCheck } from '../fraud-store.ts'
import { notStored, type Stored } from '../result.ts'
import type { Argument, Reply } from './batcher.ts'
import { fraudKeys } from './fraud.ts'
import { fieldsOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import type { Script } from './scripts/script.ts'

const PARTS = ['acc', 'holds', 'exp', 'done', 'dexp', 'spend', 'keys', 'kexp', 'ledger']
export const INVALID = notStored('invalid', 'an account without a proper name, or an amount out of bounds')

/** @param fraud counters of rules against fraud, whose keys are the account's too */
export function runOnAccount<T>(
  runner: Runner,
  script: Script,
  account: string,
  args: readonly Argument[],
  read: (reply: Reply) => T,
  fraud: readonly FraudCheck[] = [],
): Promise<Stored<T>> {
  if (!isAccountName(account)) return Promise.resolve(INVALID)
  const tag = `a:${account}`
  const keys = PARTS.map((part) => `{${tag}}:${part}`)
  if (fraud.length > 0) keys.push(...fraudKeys(tag, fraud))
  const { ledgerMaxLen, settledKeepMs, settlingKeepMs } = runner.settings
  return runner.run(script, tag, keys, [ledgerMaxLen, settledKeepMs, settlingKeepMs, ...args], read)
}

export const amountOf = (reply: Reply | undefined): bigint => BigInt(textOf(reply))

export function readEntry(id: string, reply: Reply | undefined): LedgerEntry {
  const fields = fieldsOf(reply)
  const text = (name: string) => fields.get(name)?.toString() ?? ''
  const atMs = Number(id.slice(0, id.indexOf('-')))
  return { id, atMs, key: text('k'), cause: text('c'), amount: BigInt(text('a')), balance: BigInt(text('b')) }
}

/** Id and fields each. */
export function readEntries(flat: readonly Reply[]): LedgerEntry[] {
  const entries: LedgerEntry[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) entries.push(readEntry(textOf(flat[i]), flat[i + 1]))
  return entries
}
