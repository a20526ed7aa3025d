// SPDX-License-Identifier: MIT
//
// One NOTIFY out of the state: gives it CSeq and version, and says which contacts it tells of (RFC 3680 §4.7.2, §5.1).
import type { location } from '@tandem/rpc'
import { registrationId } from './contacts.ts'
import type { KnownContact, Subscription, WatchState } from './state.ts'

/** 32-bit signed, as a version must be representable [RFC3680-5.1]; CSeq is bounded the same [RFC3261-8.1.1.5]. */
const MAX_NUMBER = 0x7fffffff

/** Takes the next CSeq and version, and notes the NOTIFY as on its way through this edge. */
export function allocate(
  aor: string,
  state: WatchState,
  subscription: Subscription,
  nowMs: number,
  edgeId: string,
): location.Notification {
  const full = subscription.isFullDue || subscription.version < 0
  subscription.cseq = Math.min(subscription.cseq + 1, MAX_NUMBER)
  subscription.version = Math.min(subscription.version + 1, MAX_NUMBER)
  subscription.pending = {
    cseq: subscription.cseq,
    change: state.change,
    edgeId,
    sinceMs: nowMs,
    isFull: full,
    isFinal: subscription.ending !== '',
  }
  subscription.sentMs = nowMs
  return notificationOf(aor, state, subscription, nowMs, full)
}

/** The NOTIFY with the numbers that the subscription has now. */
export function notificationOf(
  aor: string,
  state: WatchState,
  subscription: Subscription,
  nowMs: number,
  full: boolean,
): location.Notification {
  const { callId, localTag, remoteTag, eventId, cseq, remoteTarget, localUri, remoteUri, contact, flow, version } =
    subscription
  const shown = state.contacts.filter((known) => (full && known.isActive) || known.change > subscription.seen)
  return {
    aor,
    callId,
    localTag,
    remoteTag,
    eventId,
    cseq,
    remoteTarget,
    routes: [...subscription.routes],
    localUri,
    remoteUri,
    contact,
    flow,
    expiresS: subscription.ending === '' ? secondsUntil(subscription.untilMs, nowMs) : 0,
    reason: subscription.ending,
    version,
    full,
    registrationId: registrationId(aor),
    registrationState: registrationState(state, shown),
    contacts: shown.map((known) => toWire(known, nowMs)),
  }
}

/** [RFC3680-4.7.1] `terminated` only with the contacts whose end made it so; after that it is `init` again. */
function registrationState(state: WatchState, shown: readonly KnownContact[]): string {
  if (state.contacts.some((known) => known.isActive)) return 'active'
  return shown.length > 0 ? 'terminated' : 'init'
}

function toWire(known: KnownContact, nowMs: number): location.WatchedContact {
  const { id, uri, isActive, event, qMilli, callId, cseq, params, instanceId, sinceMs, untilMs } = known
  return {
    id,
    uri,
    active: isActive,
    event,
    durationS: sinceMs === 0 ? undefined : Math.max(0, Math.floor((nowMs - sinceMs) / 1000)),
    expiresS: isActive && untilMs !== 0 ? secondsUntil(untilMs, nowMs) : undefined,
    qMilli,
    callId,
    cseq,
    displayName: '',
    params,
    instanceId,
  }
}

function secondsUntil(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000))
}
