// SPDX-License-Identifier: MIT
//
// How a NOTIFY ended, as the edge that sent it tells: seen, to be tried again, or the end of its subscription
// (RFC 6665 §4.2.2, RFC 5057). A report of a NOTIFY that another has followed changes nothing but a fatal end.
import { done, type location, type Result } from '@tandem/rpc'
import { type Watch, whenStored } from '@tandem/store'
import { fromStore } from '../deps.ts'
import { type Changed, changeWatch } from './change-watch.ts'
import { forgetGone } from './contacts.ts'
import type { WatchDeps } from './deps.ts'
import { nextDueInMs } from './schedule.ts'
import type { Subscription, WatchState } from './state.ts'
import { isSameDialog } from './subscribe.ts'

type DoneResult = Result<location.NotifyDoneResponse>

/** Waits between NOTIFYs that fail: doubled from the first to the last. */
const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 300_000

/** [RFC6665-4.2.2] 408: no answer until Timer F. */
const FATAL: ReadonlySet<number> = new Set([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])

export function createNotifyDone(deps: WatchDeps) {
  return (request: location.NotifyDoneRequest): DoneResult | Promise<DoneResult> => {
    const changed = changeWatch(deps, request.aor, (state, watch) => settle(deps, request, state, watch))
    return whenStored(changed, (result) => fromStore(deps, result, () => done({})))
  }
}

function settle(
  deps: WatchDeps,
  request: location.NotifyDoneRequest,
  state: WatchState,
  watch: Watch,
): Changed<undefined> {
  const known = state.subscriptions.find((subscription) => isSameDialog(subscription, request))
  if (known === undefined || !take(deps, request, known, state, watch.nowMs)) return UNCHANGED
  forgetGone(state)
  return { value: undefined, dueInMs: nextDueInMs(state, watch.nowMs, deps.watchBounds.notifyIntervalMs) }
}

const UNCHANGED: Changed<undefined> = { value: undefined, dueInMs: undefined }

/** False where it changes nothing. */
function take(
  deps: WatchDeps,
  { status, cseq, retryAfterS }: location.NotifyDoneRequest,
  known: Subscription,
  state: WatchState,
  nowMs: number,
): boolean {
  const isCurrent = known.pending?.cseq === cseq
  if (FATAL.has(status) || (isCurrent && known.pending?.isFinal)) {
    deps.counts.subscriptionsEnded++
    state.subscriptions = state.subscriptions.filter((subscription) => subscription !== known)
    return true
  }
  if (!isCurrent || known.pending === undefined) return false
  const { change } = known.pending
  known.pending = undefined
  if (status >= 200 && status < 300) noteSeen(known, change)
  else noteFailure(deps, known, nowMs, retryAfterS)
  return true
}

function noteSeen(known: Subscription, change: number): void {
  known.seen = change
  known.isFullDue = false
  known.failures = 0
}

/** The watcher may have taken it all the same: the next one says everything. */
function noteFailure(deps: WatchDeps, known: Subscription, nowMs: number, retryAfterS: number): void {
  deps.counts.notifyFailures++
  known.isFullDue = true
  const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(known.failures, 10), LAST_RETRY_MS)
  known.failures += 1
  known.retryMs = nowMs + Math.max(waitMs, Math.min(retryAfterS * 1000, LAST_RETRY_MS))
}
