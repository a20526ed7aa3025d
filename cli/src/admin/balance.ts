// SPDX-License-Identifier: MIT
//
// `tandem balance ACCOUNT [--ledger]`: what an account has, what is reserved, and its newest movements.
// `tandem unblock ACCOUNT`: lifts the block that a rule against fraud has put on it.
// `tandem topup ACCOUNT AMOUNT --key K`: adds to it, once by key. Amounts are decimal units of the account's currency.
import { formatAmount, parseAmount } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['account', 'currency', 'balance', 'held', 'calls', 'limit', 'hour', 'day']
const LEDGER_COLUMNS = ['time', 'cause', 'amount', 'balance', 'key']

function rowOf(state: policy.GetAccountResponse) {
  const { account, currency, balance, held, holds, spentHour, spentDay, creditLimit, blockedUntilUnixMs } = state
  return {
    account,
    currency,
    balance: formatAmount(balance),
    held: formatAmount(held),
    calls: holds,
    limit: creditLimit === undefined ? 'none' : formatAmount(-creditLimit),
    hour: formatAmount(spentHour),
    day: formatAmount(spentDay),
    ...(blockedUntilUnixMs > 0n && { blocked: new Date(Number(blockedUntilUnixMs)).toISOString() }),
  }
}

const entryRow = ({ unixMs, cause, amount, balance, key }: policy.LedgerEntry) => ({
  time: new Date(Number(unixMs)).toISOString(),
  cause,
  amount: formatAmount(amount),
  balance: formatAmount(balance),
  key,
})

/** What stands before the oldest entry: it is in the balance too. */
function checkpointRow({ foldedTo, foldedEntries, foldedSum }: policy.GetAccountResponse) {
  return {
    time: new Date(Number(foldedTo.slice(0, foldedTo.indexOf('-')))).toISOString(),
    cause: 'checkpoint',
    amount: formatAmount(foldedSum),
    balance: formatAmount(foldedSum),
    key: `${foldedEntries} older entries`,
  }
}

/** The checkpoint is shown where the list reaches it. */
function ledgerRows(state: policy.GetAccountResponse) {
  const rows = state.ledger.map(entryRow)
  return state.foldedEntries > 0n && rows.length >= state.entries ? [...rows, checkpointRow(state)] : rows
}

export interface BalanceFlags {
  readonly ledger: boolean
  readonly limit: number
}

export async function balance(
  config: Config,
  account: string,
  { ledger, limit }: BalanceFlags,
  format: Format,
): Promise<string> {
  const state = await callPolicy(config, 'getAccount', { account, ledger: ledger ? limit : 0 })
  const columns = state.blockedUntilUnixMs > 0n ? [...COLUMNS, 'blocked'] : COLUMNS
  const text = render(format, state, columns, [rowOf(state)])
  if (!ledger || format !== 'table') return text
  return `${text}\n\n${render(format, state, LEDGER_COLUMNS, ledgerRows(state))}`
}

export async function unblock(config: Config, account: string, format: Format): Promise<string> {
  const { wasBlocked } = await callPolicy(config, 'unblockAccount', { account })
  const row = { account, blocked: wasBlocked ? 'lifted' : 'was not blocked for a time' }
  return render(format, { account, wasBlocked }, Object.keys(row), [row])
}

export async function topUp(
  config: Config,
  account: string,
  text: string,
  key: string,
  format: Format,
): Promise<string> {
  const amount = parseAmount(text)
  if (amount === undefined || amount <= 0n)
    throw new CommandFailed(`${text} is no amount: expected units above zero with at most six decimals, such as 10.50.`)
  const { balance: after, repeatedBefore, currency } = await callPolicy(config, 'topUp', { account, amount, key })
  const row = {
    account,
    currency,
    amount: formatAmount(amount),
    balance: formatAmount(after),
    repeated: String(repeatedBefore),
  }
  return render(format, row, Object.keys(row), [row])
}
