// SPDX-License-Identifier: MIT
//
// The refusal of a call by its account: status, Reason and Warning as the account has them.
import type { AccountEntry } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { POLICY_ERRORS, type PolicyErrorCode } from '../errors.ts'

type Kind = keyof AccountEntry['refusals']

const KINDS: Readonly<Partial<Record<PolicyErrorCode, Kind>>> = {
  credit_exhausted: 'credit',
  spend_cap: 'credit',
  account_blocked: 'blocked',
  too_many_calls: 'limit',
  call_rate: 'limit',
  no_rate: 'noRate',
}

/** Where the account has no text of its own. */
const REASONS: Readonly<Record<Kind, string>> = {
  credit: 'Credit used up',
  limit: 'Too many calls',
  blocked: 'Account blocked',
  noRate: 'No price for this destination',
}

export function refuseCall(
  { counts }: PolicyContext,
  response: policy.DecideResponse,
  { code, account }: { readonly code: PolicyErrorCode; readonly account: AccountEntry },
): policy.DecideResponse {
  counts.holdsRefused++
  const kind = KINDS[code]
  const own = kind === undefined ? {} : account.refusals[kind]
  const value: policy.Reject = {
    status: own.status ?? POLICY_ERRORS[code].sipStatus,
    reason: '',
    retryAfterS: 0,
    code,
    reasonText: own.reason ?? (kind === undefined ? undefined : REASONS[kind]),
    warningText: own.warning,
  }
  return { ...response, verdict: { $case: 'reject', value } }
}
