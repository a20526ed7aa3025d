// SPDX-License-Identifier: MIT
//
// Which subscriptions of a state are due, and when the state is to be looked at again.
//
// At least once: what a NOTIFY told counts as seen when its 2xx is reported. One that nobody reported in time, or whose
// edge is gone, is followed by one with full state, the next CSeq and the next version; the watcher then sees a gap in the
// versions, which full state closes. One NOTIFY of a subscription is on its way at a time, but for those that answer a
// SUBSCRIBE.
import type { location } from '@tandem/rpc'
import { forgetGone } from './contacts.ts'
import { allocate } from './notification.ts'
import type { Subscription, WatchState } from './state.ts'

/** A NOTIFY without a report: Timer F and some more. */
export const UNREPORTED_MS = 40_000
/** How often the edge of a NOTIFY on its way is looked at. */
export const EDGE_CHECK_MS = 5_000
/** When no edge could be told. */
const NO_EDGE_MS = 1_000
/** A NOTIFY that ends a subscription is tried so often. */
const MAX_FINAL_TRIES = 2

export interface Edges {
  /** The edge that is to send, '' when none can be told now. */
  pick(subscription: Subscription): string
  /** @param ageMs since it was given something to send */
  isGone(edgeId: string, ageMs: number): boolean
}

export interface Due {
  readonly edgeId: string
  readonly notification: location.Notification
}

/** Allocates every NOTIFY that is due; what is to be sent once the state is written. */
export function takeDue(
  aor: string,
  state: WatchState,
  nowMs: number,
  intervalMs: number,
  edges: Edges,
): { due: Due[]; dueInMs: number } {
  const due: Due[] = []
  let isStuck = false
  for (const subscription of state.subscriptions) {
    giveUpLost(subscription, nowMs, edges)
    if (subscription.untilMs <= nowMs && subscription.ending === '') startEnding(subscription)
    if (!isDue(state, subscription, nowMs, intervalMs)) continue
    const edgeId = edges.pick(subscription)
    if (edgeId === '') isStuck = true
    else due.push({ edgeId, notification: allocate(aor, state, subscription, nowMs, edgeId) })
  }
  state.subscriptions = state.subscriptions.filter((subscription) => !isOver(subscription))
  forgetGone(state)
  const dueInMs = nextDueInMs(state, nowMs, intervalMs)
  return { due, dueInMs: isStuck ? Math.max(dueInMs, NO_EDGE_MS) : dueInMs }
}

/** [RFC6665-4.2.1.4] The last NOTIFY says everything, and why it is the last. */
export function startEnding(subscription: Subscription): void {
  subscription.ending = 'timeout'
  subscription.isFullDue = true
  subscription.failures = 0
  subscription.retryMs = 0
}

function giveUpLost(subscription: Subscription, nowMs: number, edges: Edges): void {
  const { pending } = subscription
  if (pending === undefined) return
  const ageMs = nowMs - pending.sinceMs
  if (ageMs < UNREPORTED_MS && !edges.isGone(pending.edgeId, ageMs)) return
  subscription.pending = undefined
  subscription.isFullDue = true
  if (subscription.ending !== '') subscription.failures += 1
}

function isDue(state: WatchState, subscription: Subscription, nowMs: number, intervalMs: number): boolean {
  if (subscription.pending !== undefined || isOver(subscription)) return false
  if (subscription.ending !== '') return true
  return hasNews(state, subscription) && nowMs >= notBeforeMs(subscription, intervalMs)
}

function hasNews(state: WatchState, subscription: Subscription): boolean {
  return subscription.isFullDue || subscription.seen < state.change
}

/** [RFC3680-4.10] No faster than once an interval; what happens meanwhile goes into one. */
function notBeforeMs({ sentMs, retryMs }: Subscription, intervalMs: number): number {
  return Math.max(sentMs + intervalMs, retryMs)
}

function isOver({ ending, failures }: Subscription): boolean {
  return ending !== '' && failures >= MAX_FINAL_TRIES
}

/** The nearest of: the end of a subscription or contact, a NOTIFY that may go, a look at one on its way. */
export function nextDueInMs(state: WatchState, nowMs: number, intervalMs: number): number {
  let nearest = nowMs + UNREPORTED_MS * 100
  for (const subscription of state.subscriptions) {
    const { pending, ending, untilMs } = subscription
    if (pending !== undefined) nearest = Math.min(nearest, nowMs + EDGE_CHECK_MS, pending.sinceMs + UNREPORTED_MS)
    else if (ending !== '') nearest = nowMs
    else if (hasNews(state, subscription)) nearest = Math.min(nearest, notBeforeMs(subscription, intervalMs))
    if (ending === '') nearest = Math.min(nearest, untilMs)
  }
  for (const { isActive, untilMs } of state.contacts)
    if (isActive && untilMs !== 0) nearest = Math.min(nearest, untilMs)
  return Math.max(0, nearest - nowMs)
}

/** How long the store keeps the state at least. */
export function keepMs(state: WatchState, nowMs: number): number {
  let until = nowMs
  for (const { untilMs } of state.subscriptions) until = Math.max(until, untilMs)
  return until - nowMs + 3 * UNREPORTED_MS
}
