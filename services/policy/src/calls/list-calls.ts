// SPDX-License-Identifier: MIT
//
// The calls that are on record and have not ended, newest first.
import { done, type policy, type Result } from '@tandem/rpc'
import { type LiveCall, whenStored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'

const MAX_CALLS = 10_000
const DEFAULT_CALLS = 1_000

const toLiveCall = ({ call, ...about }: LiveCall): policy.LiveCall => ({
  ...about,
  call: { ...call, attempts: [...call.attempts] },
})

/** `limit` 0 means 1,000; at most 10,000 are given. */
export function listCalls(
  context: PolicyContext,
  { limit }: policy.ListCallsRequest,
): Result<policy.ListCallsResponse> | Promise<Result<policy.ListCallsResponse>> {
  const wanted = Math.min(limit || DEFAULT_CALLS, MAX_CALLS)
  return whenStored(context.store.listLive(wanted), (result): Result<policy.ListCallsResponse> => {
    if (!context.health.see(result)) return context.health.toResult(result)
    return done({ calls: result.value.calls.map(toLiveCall), truncated: result.value.truncated })
  })
}
