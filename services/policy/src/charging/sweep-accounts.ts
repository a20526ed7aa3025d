// SPDX-License-Identifier: MIT
//
// Ends holds that no call on record leads to any more: the lease of an answered one lapsed, so what was granted is taken; that of an
// unanswered one lapsed, so it is released. After the store was away this waits three times as long as renewals
// do, which therefore come first. [STATE.md, Durability and failover]
import type { DueAccount } from '@tandem/store'
import type { PolicyContext } from '../context.ts'

/** Holds of an account in one look. */
const SWEEP_LIMIT = 256
const LEASES = 3
/** At an account that has holds, while one mark stands. */
const LOOKS = 4

async function sweepAccount(context: PolicyContext, { account, mark }: DueAccount): Promise<void> {
  const { accounts, health, counts } = context
  const swept = await accounts.sweep(account, SWEEP_LIMIT)
  if (!health.see(swept)) return
  const { settled, released, left } = swept.value
  counts.holdsLapsed += settled
  counts.holdsReleased += released
  health.see(await accounts.looked(account, mark, left > 0 ? context.marks.markMs / LOOKS : 0))
}

export async function sweepAccounts(context: PolicyContext, shard: number): Promise<void> {
  const { accounts, tuning, health } = context
  const due = await accounts.claimAccounts(shard, LEASES * tuning.dueLeaseMs, tuning.dueLimit)
  if (!health.see(due)) return
  for (const account of due.value) await sweepAccount(context, account)
}
