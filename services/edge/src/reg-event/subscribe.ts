// SPDX-License-Identifier: MIT
//
// SUBSCRIBE to the registrations of an address-of-record, for which the cluster itself is the notifier (RFC 3680, RFC 6665
// §4.2): once policy has admitted it, location keeps the subscription and says the NOTIFY that follows the 200 at once.
// A refresh or an end comes inside the dialog, to any edge, and asks policy as the first did.
// Races: the 200 leaves before its NOTIFY; on UDP they may arrive in any order, which watchers know [RFC6665-4.1.2.4].

import type { location, policy, Result } from '@tandem/rpc'
import { type ContextUser, type ProxyContext, type SipMessage, tagOf, URI_SCHEME } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { describeRequest, fromTag, toTag } from '../initial/describe.ts'
import { type EdgePeer, flowOf } from '../listeners/peers.ts'
import { contactHost } from '../nat/contact-host.ts'
import { bindingFlow } from '../nat/nat-flow.ts'
import { refuseAs, retryAfter } from '../own/replies.ts'
import { dialogContact } from './dialog-contact.ts'
import { sendNotify } from './send-notify.ts'
import { ALLOW_EVENTS, readSubscribe, type SubscribeTerms } from './subscribe-request.ts'

/** Answers a SUBSCRIBE that policy has admitted, in or outside of a dialog. */
export function watchRegistrations(
  core: EdgeCore,
  context: ProxyContext,
  peer: EdgePeer,
  verdict: policy.WatchRegistrations,
): void {
  const request = context.request
  if (request === undefined) return
  const terms = readSubscribe(request, verdict)
  if ('status' in terms) return refuse(core, context, terms.status, terms.reason, terms.headers)
  const item = subscribeItem(core, context, request, peer, verdict.aor, terms)
  core.location.call('subscribe', item, core.config.rpc.timeoutMs, (result) => answer(core, context, item, result))
}

function subscribeItem(
  core: EdgeCore,
  context: ProxyContext,
  request: SipMessage,
  peer: EdgePeer,
  aor: string,
  terms: SubscribeTerms,
): location.SubscribeRequest {
  const initial = request.toTagStart < 0
  return {
    ...terms,
    aor,
    callId: request.text(request.callIdStart, request.callIdEnd),
    localTag: initial ? tagOf(context.server.key) : toTag(request),
    remoteTag: fromTag(request),
    remoteCseq: request.cseq,
    initial,
    localUri: request.text(request.toUriStart, request.toUriEnd),
    remoteUri: request.text(request.fromUriStart, request.fromUriEnd),
    contact: dialogContact(aor, peer.facing, isSecureDialog(request, terms)),
    flow: bindingFlow(core, request, peer, contactHost(request) ?? '', flowOf(peer, core.edgeId)),
    edgeId: core.edgeId,
  }
}

/** [RFC3261-12.1.1] Our Contact is sips where the way to us is. */
function isSecureDialog(request: SipMessage, { routes }: SubscribeTerms): boolean {
  return request.uriScheme === URI_SCHEME.SIPS || /^[^<]*<sips:/i.test(routes[0] ?? '')
}

function answer(
  core: EdgeCore,
  context: ProxyContext,
  item: location.SubscribeRequest,
  result: Result<location.SubscribeResponse>,
): void {
  if (result.outcome === 'unknown') return refuse(core, context, 503, '', retryAfter(5))
  if (result.outcome === 'refused') {
    const { sipStatus, retryAfterS } = result.refusal
    return refuse(core, context, sipStatus || 500, '', retryAfterS > 0 ? retryAfter(retryAfterS) : '')
  }
  core.counts.subscriptions += 1
  const recordRoute = item.routes.map((value) => `Record-Route: ${value}\r\n`).join('') // [RFC3261-12.1.1]
  const headers = `${recordRoute}Contact: <${item.contact}>\r\nExpires: ${item.expiresS}\r\n${ALLOW_EVENTS}`
  core.proxy.respond(context, 200, '', headers)
  if (result.value.notification !== undefined) sendNotify(core, result.value.notification) // [RFC6665-4.2.1.2]
}

function refuse(core: EdgeCore, context: ProxyContext, status: number, reason: string, headers: string): void {
  core.counts.subscriptionsFailed += 1
  core.proxy.respond(context, status, reason, headers)
}

/** An in-dialog SUBSCRIBE to our Contact: is it still allowed, and is its dialog known? */
export function receiveResubscribe(core: EdgeCore, msg: SipMessage, key: string, peer: EdgePeer, aor: string): void {
  const context = core.proxy.open(msg, key, peer, NOTHING_MORE)
  if (context === undefined) return refuseAs(core, 'refusedOverload', msg, peer, 503, retryAfter(1))
  const request = { ...describeRequest(msg, key, peer, core.edgeId), requestUri: aor, event: 'reg' }
  const message = context.request as SipMessage
  const scope = core.decisions.scopeOf(message)
  core.decisions.ask(scope, request, (result) =>
    onDecided(core, context, peer, core.decisions.settle(scope, request, message, peer, result)),
  )
}

function onDecided(core: EdgeCore, context: ProxyContext, peer: EdgePeer, result: Result<policy.DecideResponse>): void {
  if (result.outcome === 'unknown') return refuse(core, context, 503, '', retryAfter(2))
  if (result.outcome === 'refused') {
    const { sipStatus, retryAfterS } = result.refusal
    return refuse(core, context, sipStatus, '', retryAfterS > 0 ? retryAfter(retryAfterS) : '')
  }
  const { verdict } = result.value
  switch (verdict?.$case) {
    case 'watchRegistrations':
      return watchRegistrations(core, context, peer, verdict.value)
    case 'challenge':
      core.counts.challenges += 1
      return core.proxy.respond(context, verdict.value.status, '', challengeLines(verdict.value))
    case 'reject':
      return refuse(core, context, verdict.value.status, verdict.value.reason, '')
    default:
      return refuse(core, context, 403, '', '')
  }
}

function challengeLines({ status, values }: policy.Challenge): string {
  const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
  return values.map((value) => `${name}: ${value}\r\n`).join('')
}

/** The context of a request that is answered here and never forked. */
const NOTHING_MORE: ContextUser = {
  onProvisional: () => undefined,
  holdSuccess: () => false,
  failOver: () => false,
  recurse: () => undefined,
  forkMore: () => false,
  onFinal: () => undefined,
  onAck: () => undefined,
  onEnd: () => undefined,
}
