// SPDX-License-Identifier: MIT
//
// Ends calls: one function for all who want a call to end (money, an administrator, a maximum duration), and the handler of the
// unary method. What is wanted is written into the call's record first, as work that is due; whoever dies after that, another node
// goes on with it (call-work.ts). [STATE.md, Cut-off and liveness]
import { done, type policy, type Result } from '@tandem/rpc'
import { type CallState, type Stored, shardOfReference } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'

/** Values of Reason (RFC 3326) of the ends that this service causes itself. */
export const HANG_UP_REASONS = {
  credit: 'SIP;cause=402;text="Credit used up"',
  maxDuration: 'SIP;cause=408;text="Maximum duration"',
  administrator: 'SIP;cause=480;text="Ended by an administrator"',
  silent: 'SIP;cause=408;text="No sign of life"',
  halfGone: 'SIP;cause=481;text="The other party is gone"',
  gone: 'SIP;cause=481;text="Both parties are gone"',
} as const

/** Longest value of Reason that is taken. */
const MAX_REASON_CHARS = 200
const LOWEST_FAILURE = 400
const HIGHEST_FAILURE = 699
/** Where the reason has none that a caller understands. */
const DEFAULT_STATUS = 480

/** What a caller gets whose call is in set-up. */
export function statusOf(reason: string): number {
  const cause = Number(/^\s*SIP\s*;(?:.*;)?\s*cause=(\d{3})/i.exec(reason)?.[1] ?? 0)
  return cause >= LOWEST_FAILURE && cause <= HIGHEST_FAILURE ? cause : DEFAULT_STATUS
}

/** Whether it can stand in a header: printable, of a bearable length, a protocol first. [RFC3326-2] */
export function isReason(text: string): boolean {
  return text.length <= MAX_REASON_CHARS && /^[!#$%&'*+.^_`|~\w-]+(\s*;[\x20-\x7e\u00a0-\uffff]*)?$/.test(text)
}

/**
 * Ends the call at `ref`, answered or in set-up, by whatever edge lives, in `inMs` from now (0: at once). Idempotent; of two wishes with
 * different reasons the earlier time stays, of two with the same reason the later wish; what an edge has been told is not taken back.
 *
 * @param reason value of a Reason header
 * @returns the state that the call had; '' where it is not on record
 */
export async function requestHangUp(
  context: PolicyContext,
  ref: string,
  reason: string,
  inMs = 0,
): Promise<Stored<CallState | ''>> {
  const result = await context.store.requestHangUp(ref, { reason, inMs })
  if (!context.health.see(result) || result.value === '' || result.value === 'finished') return result
  context.counts.hangUpsRequested++
  const { warnBeforeMs } = context.settings
  context.work.schedule(ref, inMs)
  if (warnBeforeMs > 0 && inMs > 0) context.work.schedule(ref, inMs - warnBeforeMs)
  return result
}

/** The unary method: `tandem hangup`. */
export async function handleHangUp(
  context: PolicyContext,
  { callRef, reason }: policy.RequestHangUpRequest,
): Promise<Result<policy.RequestHangUpResponse>> {
  if (shardOfReference(callRef) < 0) return refusal('bad_reference')
  if (reason !== '' && !isReason(reason)) return refusal('bad_reason')
  const result = await requestHangUp(context, callRef, reason || HANG_UP_REASONS.administrator)
  if (result.state !== 'stored') return context.health.toResult(result)
  return done({ state: result.value, edgeCount: context.pushes.peers().length })
}
