// SPDX-License-Identifier: MIT
//
// The nonce count, checked in the store so that a digest used at one edge is used up at all of them. It is bound to the
// server transaction: the same request through another edge is a retransmission, no replay. [RFC7616-3.4.5] [STATE.md]
import { type Eventual, whenStored } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import type { Proven } from '../decide/proven.ts'
import type { Failure } from '../store-health.ts'

export type NonceUse = 'fresh' | 'replay' | Failure

/** How long a count is remembered: as long as its nonce can be fresh on any node. */
const memoryMs = ({ settings, tuning }: PolicyContext): number => settings.nonceLifetimeMs + 2 * tuning.clockSkewMs

export function useNonce(context: PolicyContext, proven: Proven, transactionKey: string): NonceUse | Promise<NonceUse> {
  if (proven.nonceCount === 0) return 'fresh'
  const { nonceId, nonceCount } = proven
  const used: Eventual<'fresh' | 'replay'> = context.store.useNonce(
    nonceId,
    nonceCount,
    transactionKey,
    memoryMs(context),
  )
  return whenStored(used, (result): NonceUse => (context.health.see(result) ? result.value : result))
}
