// SPDX-License-Identifier: MIT
//
// What edges say of commands that some node of policy, perhaps another one, has pushed. It is written into the call's record, where
// the node that waits looks. Idempotent; for a call that has ended it changes nothing.
import { policy } from '@tandem/rpc'
import type { ProbeFinding } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { REFUSED_MS } from './call-work.ts'
import { HANG_UP_REASONS, requestHangUp } from './hang-up.ts'

const { TAKEN, ELSEWHERE, REFUSED, ALIVE, SILENT, HALF_GONE, GONE } = policy.Acknowledged_Outcome

const FINDINGS: ReadonlyMap<number, ProbeFinding> = new Map([
  [ALIVE, 'alive'],
  [HALF_GONE, 'alive'],
  [SILENT, 'silent'],
  [GONE, 'gone'],
])

export async function acknowledge(context: PolicyContext, ref: string, told: policy.Acknowledged): Promise<void> {
  const { outcome } = told
  if (outcome === TAKEN) return context.work.taken(ref)
  if (outcome === ELSEWHERE) return context.work.passedOver(ref, 0)
  if (outcome === REFUSED) {
    context.counts.hangUpsRefused++
    return context.work.passedOver(ref, REFUSED_MS)
  }
  const found = FINDINGS.get(outcome)
  if (found !== undefined) await noteFinding(context, ref, found, outcome)
}

async function noteFinding(context: PolicyContext, ref: string, found: ProbeFinding, outcome: number): Promise<void> {
  const reason = found === 'gone' ? HANG_UP_REASONS.gone : HANG_UP_REASONS.silent
  const noted = await context.store.noteLife(ref, found, reason)
  if (context.health.see(noted) && noted.value.finished) context.counts.recovered++
  // The one who is left is told.
  if (outcome === HALF_GONE) await requestHangUp(context, ref, HANG_UP_REASONS.halfGone)
}
