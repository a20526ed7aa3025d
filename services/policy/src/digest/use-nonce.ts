// SPDX-License-Identifier: MIT
//
// The nonce count, checked in the store so that a digest used at one edge is used up at all of them. It is bound to the request: its server
// transaction, its dialog identifiers, and for REGISTER where it comes from. The same request through another edge is a retransmission, no
// replay; one that somebody else repeats under the same branch with another Contact is one. [RFC7616-3.4.5] [STATE.md]
// For others than REGISTER the source is left out: an INVITE may come again through another edge by a way that hides its address, and must
// not be challenged while it rings.
// A one-time nonce is judged by the node that made it, without the store.
import type { policy } from '@tandem/rpc'
import { type Eventual, whenStored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import type { Failure } from '../store-health.ts'
import type { NonceToUse } from './authenticate.ts'

export type NonceUse = 'fresh' | 'replay' | Failure

/** How long a count is remembered: as long as its nonce can be fresh on any node. */
export const nonceMemoryMs = (lifetimeMs: number, clockSkewMs: number): number => lifetimeMs + 2 * clockSkewMs

function requestKey({ transactionKey, callId, fromTag, cseq, method, source }: policy.DecideRequest): string {
  const from = method === 'REGISTER' ? (source?.address ?? '') : ''
  return `${transactionKey}|${callId}|${fromTag}|${cseq}|${from}`
}

/** @param by user and source as failures are counted of them */
export function useNonce(
  context: PolicyContext,
  { nonceId, nonceCount, isOneTime }: NonceToUse,
  request: policy.DecideRequest,
  by: { readonly user: string; readonly source: string },
): NonceUse | Promise<NonceUse> {
  const transactionKey = requestKey(request)
  if (isOneTime) return context.oneTime.use(nonceId, nonceCount, transactionKey, context.now())
  if (nonceCount === 0) return 'fresh'
  const { settings, tuning } = context
  const ttlMs = nonceMemoryMs(settings.nonceLifetimeMs, tuning.clockSkewMs)
  const used: Eventual<'fresh' | 'replay'> = context.store.useNonce({
    nonceId,
    count: nonceCount,
    transactionKey,
    ttlMs,
    ...by,
  })
  return whenStored(used, (result): NonceUse => (context.health.see(result) ? result.value : result))
}
