// SPDX-License-Identifier: MIT
//
// The unary method that makes a lost ledger anew from its copy. The store leaves out what it has, so a repeat changes nothing.
import { done, type policy, type Result } from '@tandem/rpc'
import type { RestoreOutcome, RestoreRequest } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { type PolicyErrorCode, refusal } from '../errors.ts'

const MAX_ENTRIES = 500
const STREAM_ID = /^[1-9]\d{0,14}-\d{1,15}$/
const CAUSES = new Set(['call', 'lapsed', 'correction', 'topup', 'folded'])
const KEY = /^[\x21-\x7e]{1,256}$/

const REFUSALS: Readonly<Record<Exclude<RestoreOutcome['result'], 'restored'>, PolicyErrorCode>> = {
  notEmpty: 'ledger_not_empty',
  currency: 'top_up_currency',
  overflow: 'bad_restore',
}

const isEntry = ({ id, key, cause }: policy.LedgerEntry): boolean =>
  STREAM_ID.test(id) && KEY.test(key) && CAUSES.has(cause)

function requestOf(currency: string, request: policy.RestoreLedgerRequest): RestoreRequest | undefined {
  const { account, checkpoint, entries, keys } = request
  if (entries.length > MAX_ENTRIES || keys.length > MAX_ENTRIES) return undefined
  if (!entries.every(isEntry) || !keys.every(({ key }) => KEY.test(key))) return undefined
  if (checkpoint !== undefined && !STREAM_ID.test(checkpoint.to)) return undefined
  const { to, amount, count } = checkpoint ?? {}
  return {
    account,
    currency,
    checkpoint: to === undefined ? undefined : { to, amount: amount ?? 0n, count: Number(count) },
    entries,
    keys,
  }
}

export async function restoreLedger(
  context: PolicyContext,
  request: policy.RestoreLedgerRequest,
): Promise<Result<policy.RestoreLedgerResponse>> {
  const { state, accounts, health, logger } = context
  const entry = state.index.accounts.get(request.account)
  if (entry === undefined) return refusal('unknown_account')
  const wanted = requestOf(entry.currency, request)
  if (wanted === undefined) return refusal('bad_restore')
  const restored = await accounts.restore(wanted)
  if (!health.see(restored)) return health.toResult(restored)
  const { result, added, balance } = restored.value
  if (result !== 'restored') return refusal(REFUSALS[result])
  if (added > 0 || wanted.checkpoint !== undefined)
    logger.warn(
      { account: request.account, added, balanceMicros: String(balance) },
      'a ledger was restored from its copy',
    )
  return done({ added, balance })
}
