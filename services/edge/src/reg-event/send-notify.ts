// SPDX-License-Identifier: MIT
//
// A NOTIFY on its way: by the Route set of its dialog, else down the flow that the SUBSCRIBE came by, else to the watcher's
// Contact, with the further endpoints of a host where one fails (RFC 3263 §4.3). Its outcome goes back to location.
// A report that location does not take is tried again a few times; without any, location sends another NOTIFY.

import type { location } from '@tandem/rpc'
import { METHOD, SipMessage, scan } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { StreamPeer } from '../listeners/peers.ts'
import { OwnRequest, ownBranch } from '../own/own-request.ts'
import { encodeNotify, isStrictRoute, routeUri } from './notify-request.ts'
import { retryAfterOf } from './subscribe-request.ts'

const MAX_REPORTS = 3
/** Endpoints that one NOTIFY is tried at. */
const MAX_ATTEMPTS = 4
const ANY_VIA = 'Via: SIP/2.0/UDP invalid;branch=z9hG4bK\r\n'
/** What Via and the Route between edges add to the first size. */
const ADDED_BYTES = 200

/** Sends it, and tells location how it ended. */
export function sendNotify(core: EdgeCore, notification: location.Notification): void {
  core.counts.notifies += 1
  const draft = encodeNotify(notification, ANY_VIA, '')
  const msg = new SipMessage()
  if (scan(msg, draft, 0, draft.length) !== 0) return report(core, notification, 500, 0)
  const onHop = (hop: NextHop | undefined): void => {
    if (hop === undefined) return report(core, notification, 430, 0)
    attempt(core, notification, msg, core.hops.forSize(hop, draft.length + ADDED_BYTES), 0)
  }
  const first = notification.routes[0]
  if (first !== undefined) core.hops.toRoute(routeUri(first), isStrictRoute(first), onHop)
  else core.hops.toBinding(bindingOf(notification), msg, onHop)
}

function attempt(
  core: EdgeCore,
  notification: location.Notification,
  draft: SipMessage,
  hop: NextHop,
  count: number,
): void {
  const branch = ownBranch(core.ring, draft, count)
  const { peer } = hop
  const bytes = encodeNotify(notification, peer.facing.via(branch), hop.route)
  const request = new OwnRequest((status, response) => {
    const next = status === 503 || status === 408 ? hop.alternatives[0] : undefined
    if (next !== undefined && count + 1 < MAX_ATTEMPTS) return attempt(core, notification, draft, next, count + 1)
    report(core, notification, status, response === undefined ? 0 : retryAfterOf(response))
  })
  const client = core.layer.createClient(branch, METHOD.NOTIFY, bytes, 0, bytes.length, peer, request)
  if (client === undefined) return request.end(503)
  if (peer instanceof StreamPeer) peer.clients.add(client)
}

/** The watcher as a contact: behind a flow or a NAT it is reached as a phone is. */
function bindingOf({ remoteTarget, flow }: location.Notification): location.Binding {
  return {
    uri: remoteTarget,
    expiresS: 0,
    qMilli: 0,
    callId: '',
    cseq: 0,
    instanceId: '',
    regId: 0,
    flow,
    path: [],
    params: '',
    userAgent: '',
  }
}

function report(
  core: EdgeCore,
  notification: location.Notification,
  status: number,
  retryAfterS: number,
  count = 1,
): void {
  if (count === 1 && (status < 200 || status > 299)) core.counts.notifiesFailed += 1
  const { aor, callId, localTag, remoteTag, eventId, cseq } = notification
  const item = { aor, callId, localTag, remoteTag, eventId, cseq, status, retryAfterS }
  core.location.call('notifyDone', item, core.config.rpc.timeoutMs, (result) => {
    if (result.outcome === 'unknown' && count < MAX_REPORTS) report(core, notification, status, retryAfterS, count + 1)
  })
}

/** Sends what location pushes. */
export function sendPushedNotifies(core: EdgeCore): void {
  core.location.onPush((push) => {
    if (push.event?.$case === 'notify') sendNotify(core, push.event.value)
  })
}
