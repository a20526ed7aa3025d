// SPDX-License-Identifier: MIT
//
// A SUBSCRIBE that policy has admitted: creates, refreshes or ends a subscription, or fetches the state, and says the NOTIFY
// that the edge sends at once, with full state (RFC 6665 §4.2.1, RFC 3680 §4.3). The same SUBSCRIBE again, through whichever
// edge, is known by its CSeq and gets the same NOTIFY.
import { done, type location, type Refused, type Result } from '@tandem/rpc'
import { type Watch, whenStored } from '@tandem/store'
import { fromStore, refuse } from '../deps.ts'
import { refusal } from '../errors.ts'
import { type Changed, changeWatch } from './change-watch.ts'
import { forgetGone } from './contacts.ts'
import type { WatchDeps } from './deps.ts'
import { allocate, notificationOf } from './notification.ts'
import { nextDueInMs, startEnding } from './schedule.ts'
import type { Subscription, WatchState } from './state.ts'

type SubscribeResult = Result<location.SubscribeResponse>
type Outcome = location.Notification | Refused | undefined

export function createSubscribe(deps: WatchDeps) {
  return (request: location.SubscribeRequest): SubscribeResult | Promise<SubscribeResult> => {
    deps.counts.subscribes++
    if (request.aor === '' || request.callId === '' || request.localTag === '' || request.remoteTag === '')
      return refuse(deps, refusal('bad_request', 'a subscribe needs aor and dialog'))
    const changed = changeWatch(deps, request.aor, (state, watch) => subscribe(deps, request, state, watch))
    return whenStored(changed, (result) =>
      fromStore(deps, result, (outcome) =>
        outcome !== undefined && 'outcome' in outcome ? refuse(deps, outcome) : done({ notification: outcome }),
      ),
    )
  }
}

function subscribe(
  deps: WatchDeps,
  request: location.SubscribeRequest,
  state: WatchState,
  watch: Watch,
): Changed<Outcome> {
  const known = state.subscriptions.find((subscription) => isSameDialog(subscription, request))
  if (known === undefined) {
    if (!request.initial) return refused(refusal('subscription_unknown')) // [RFC6665-4.1.2.2]
    if (request.expiresS === 0) return { value: fetch(request, state, watch), dueInMs: undefined }
    return create(deps, request, state, watch)
  }
  if (known.remoteCseq > request.remoteCseq) return refused(refusal('subscribe_out_of_order')) // [RFC3261-12.2.2]
  if (known.remoteCseq === request.remoteCseq) return repeated(request, state, watch, known)
  return refresh(deps, request, state, watch, known)
}

function refused(value: Refused): Changed<Outcome> {
  return { value, dueInMs: undefined }
}

function create(
  deps: WatchDeps,
  request: location.SubscribeRequest,
  state: WatchState,
  watch: Watch,
): Changed<Outcome> {
  if (state.subscriptions.length >= deps.watchBounds.maxSubscriptions) return refused(refusal('too_many_subscriptions'))
  const subscription = subscriptionOf(request, state, watch)
  state.subscriptions.push(subscription)
  return notifyAtOnce(deps, request, state, watch, subscription)
}

function refresh(
  deps: WatchDeps,
  request: location.SubscribeRequest,
  state: WatchState,
  watch: Watch,
  known: Subscription,
): Changed<Outcome> {
  known.remoteCseq = request.remoteCseq
  known.remoteTarget = request.remoteTarget // [RFC3261-12.2.2] a target refresh
  known.flow = request.flow
  known.edgeId = request.edgeId
  known.untilMs = watch.nowMs + request.expiresS * 1000
  if (request.expiresS === 0) startEnding(known)
  return notifyAtOnce(deps, request, state, watch, known)
}

/** [RFC6665-4.2.1.2] A NOTIFY follows each 2xx; it says everything, for a watcher that missed something asks like this. */
function notifyAtOnce(
  deps: WatchDeps,
  request: location.SubscribeRequest,
  state: WatchState,
  watch: Watch,
  subscription: Subscription,
): Changed<Outcome> {
  subscription.isFullDue = true
  subscription.failures = 0
  subscription.retryMs = 0
  const value = allocate(request.aor, state, subscription, watch.nowMs, request.edgeId)
  forgetGone(state)
  return { value, dueInMs: nextDueInMs(state, watch.nowMs, deps.watchBounds.notifyIntervalMs) }
}

/** The NOTIFY that it got then, if that is still on its way. */
function repeated(
  request: location.SubscribeRequest,
  state: WatchState,
  watch: Watch,
  known: Subscription,
): Changed<Outcome> {
  const isOnItsWay = known.pending?.isFull === true
  const value = isOnItsWay ? notificationOf(request.aor, state, known, watch.nowMs, true) : undefined
  return { value, dueInMs: undefined }
}

/** [RFC6665-4.4.3] Asked once: nothing is kept. */
function fetch(request: location.SubscribeRequest, state: WatchState, watch: Watch): location.Notification {
  const subscription = subscriptionOf(request, state, watch)
  startEnding(subscription)
  return allocate(request.aor, state, subscription, watch.nowMs, request.edgeId)
}

/** What was gone before it began is none of its news. */
function subscriptionOf(request: location.SubscribeRequest, state: WatchState, { nowMs }: Watch): Subscription {
  const { callId, localTag, remoteTag, eventId, remoteCseq, remoteTarget, localUri, remoteUri, contact } = request
  const dialog = { callId, localTag, remoteTag, eventId, remoteCseq, remoteTarget, localUri, remoteUri, contact }
  return {
    ...dialog,
    routes: request.routes,
    flow: request.flow,
    edgeId: request.edgeId,
    untilMs: nowMs + request.expiresS * 1000,
    cseq: 0,
    version: -1,
    seen: state.change,
    isFullDue: true,
    sentMs: 0,
    pending: undefined,
    failures: 0,
    retryMs: 0,
    ending: '',
  }
}

type Dialog = Pick<Subscription, 'callId' | 'localTag' | 'remoteTag' | 'eventId'>

/** [RFC6665-4.5.2] Dialog and Event id. */
export function isSameDialog(a: Dialog, b: Dialog): boolean {
  return a.callId === b.callId && a.localTag === b.localTag && a.remoteTag === b.remoteTag && a.eventId === b.eventId
}
