// SPDX-License-Identifier: MIT
//
// The unary methods over accounts: what one has, and adding to it.
import { done, type policy, type Result } from '@tandem/rpc'
import type { AccountState, LedgerEntry } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'

const MAX_LEDGER = 1_000
/** 2^53 - 1. */
const MAX_AMOUNT = 9_007_199_254_740_991n
const KEY = /^[\x21-\x7e]{1,128}$/

const toEntry = ({ id, atMs, key, cause, amount, balance }: LedgerEntry): policy.LedgerEntry => ({
  id,
  unixMs: BigInt(atMs),
  key,
  cause,
  amount,
  balance,
})

export async function getAccount(
  context: PolicyContext,
  { account, ledger }: policy.GetAccountRequest,
): Promise<Result<policy.GetAccountResponse>> {
  const entry = context.state.index.accounts.get(account)
  if (entry === undefined) return refusal('unknown_account')
  const state = await context.accounts.read(account, Math.min(ledger, MAX_LEDGER))
  if (!context.health.see(state)) return context.health.toResult(state)
  const audit = await context.accounts.audit(account)
  if (!context.health.see(audit)) return context.health.toResult(audit)
  const { holds, spentHour, spentDay } = state.value
  // Balance and sums are of one look: between two, a call may have been charged.
  const { balance, held, ledgerSum, holdsSum, entries, foldedEntries, foldedSum, foldedTo, copiedTo } = audit.value
  return done({
    account,
    currency: state.value.currency || entry.currency,
    balance,
    held,
    holds,
    spentHour,
    spentDay,
    creditLimit: entry.creditLimit,
    ledger: state.value.ledger.map(toEntry),
    ledgerSum,
    holdsSum,
    entries,
    foldedEntries: BigInt(foldedEntries),
    foldedSum,
    foldedTo,
    copiedTo,
    ...blockOf(state.value),
  })
}

/** One that has passed is none. */
function blockOf({ blockedUntilMs, blockedBy, nowMs }: AccountState) {
  const isBlocked = blockedUntilMs > nowMs
  return { blockedUntilUnixMs: BigInt(isBlocked ? blockedUntilMs : 0), blockedBy: isBlocked ? blockedBy : '' }
}

/** Lifts what a rule against fraud has put on it; `blocked` of the resource stays. */
export async function unblockAccount(
  context: PolicyContext,
  { account }: policy.UnblockAccountRequest,
): Promise<Result<policy.UnblockAccountResponse>> {
  if (!context.state.index.accounts.has(account)) return refusal('unknown_account')
  const result = await context.accounts.unblock(account)
  if (!context.health.see(result)) return context.health.toResult(result)
  context.logger.info({ account, wasBlocked: result.value }, 'the block of an account was lifted')
  return done({ wasBlocked: result.value })
}

export async function topUp(
  context: PolicyContext,
  { account, amount, key }: policy.TopUpRequest,
): Promise<Result<policy.TopUpResponse>> {
  const entry = context.state.index.accounts.get(account)
  if (entry === undefined) return refusal('unknown_account')
  if (amount <= 0n || amount > MAX_AMOUNT || !KEY.test(key)) return refusal('bad_top_up')
  const { currency } = entry
  const result = await context.accounts.topUp({ account, key, amount, currency, cause: 'topup' })
  if (!context.health.see(result)) return context.health.toResult(result)
  const { result: how, balance } = result.value
  if (how === 'conflict') return refusal('top_up_conflict')
  if (how === 'currency') return refusal('top_up_currency')
  if (how === 'overflow') return refusal('bad_top_up')
  context.counts.topUps++
  return done({ balance, repeatedBefore: how === 'repeated', currency })
}
