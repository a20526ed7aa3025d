// SPDX-License-Identifier: MIT
//
// REGISTER once policy has admitted it: the bindings go to location, and 200 goes back with all of them once they are stored
// (RFC 3261 section 10.3, steps 2 and 6 to 8). Anything but stored is an error response: never a 200 for what may be lost.
// Step 2 comes here, after the admission, because only policy knows whether the registration is for us or to be forwarded.

import type { location, policy, Result } from '@tandem/rpc'
import {
  type Contact,
  findHeader,
  HEADER,
  headerValue,
  type ProxyContext,
  parseContacts,
  quote,
  type SipMessage,
} from '@tandem/sip'
import type { EdgeCore } from './core.ts'
import { headerText } from './describe.ts'
import { type EdgePeer, flowOf } from './peers.ts'
import { askedExpiresOf, expiresHeaderOf, refusedBody } from './register-checks.ts'
import { retryAfter } from './replies.ts'

export function finishRegistration(core: EdgeCore, context: ProxyContext, peer: EdgePeer, admit: policy.Admit): void {
  const request = context.request
  if (request === undefined) return
  const required = valuesOf(request, HEADER.REQUIRE).filter((value) => value !== '')
  if (required.length > 0) {
    core.counts.refusedExtension += 1
    return core.proxy.respond(context, 420, '', `Unsupported: ${required.join(', ')}\r\n`) // [RFC3261-10.3.2] none is
  }
  const unread = refusedBody(request)
  if (unread !== undefined) return core.proxy.respond(context, 415, '', unread)
  const update = updateOf(core, request, peer, admit)
  if (typeof update === 'string') return core.proxy.respond(context, 400, update)
  core.location.call('register', update, core.config.rpc.timeoutMs, (result) => answer(core, context, result))
}

function answer(core: EdgeCore, context: ProxyContext, result: Result<location.RegisterResponse>): void {
  if (result.outcome === 'done') {
    core.counts.registrations += 1
    const date = `Date: ${new Date().toUTCString()}\r\n` // [RFC3261-10.3.8c]
    return core.proxy.respond(context, 200, '', result.value.bindings.map(contactLine).join('') + date)
  }
  core.counts.registrationsFailed += 1
  if (result.outcome === 'unknown') return core.proxy.respond(context, 503, '', retryAfter(5))
  const { sipStatus, retryAfterS, minExpiresS } = result.refusal
  const headers =
    (retryAfterS > 0 ? retryAfter(retryAfterS) : '') +
    (minExpiresS !== undefined && minExpiresS > 0 ? `Min-Expires: ${minExpiresS}\r\n` : '') // [RFC3261-10.3.7]
  core.proxy.respond(context, sipStatus || 500, '', headers)
}

/** [RFC3261-10.3.8] One Contact for each binding, with the seconds that it has left. */
function contactLine(binding: location.Binding): string {
  const q =
    binding.qMilli === 1000 ? '' : `;q=${(binding.qMilli / 1000).toFixed(3).replace(/0+$/, '').replace(/\.$/, '')}`
  return `Contact: <${binding.uri}>;expires=${binding.expiresS}${q}${binding.params}\r\n`
}

/** The update, or the reason phrase of the 400 that it gets. */
function updateOf(
  core: EdgeCore,
  request: SipMessage,
  peer: EdgePeer,
  admit: policy.Admit,
): location.RegisterRequest | string {
  const list = parseContacts(request)
  if (list === undefined) return 'Bad Request: malformed Contact'
  const headerExpires = expiresHeaderOf(request)
  if (list.star && headerExpires !== 0) return 'Bad Request: Contact * needs Expires: 0' // [RFC3261-10.3.6]
  const { aor, minExpiresS, maxExpiresS, defaultExpiresS, maxContacts } = admit
  const path = valuesOf(request, HEADER.PATH)
  const flow = flowOf(peer, core.edgeId)
  return {
    aor,
    callId: request.text(request.callIdStart, request.callIdEnd),
    cseq: request.cseq,
    removeAll: list.star,
    contacts: list.contacts.map((contact) => contactUpdate(contact, headerExpires, flow, path)),
    minExpiresS,
    maxExpiresS,
    defaultExpiresS,
    maxContacts,
    replaceOldest: admit.replaceOldest,
    userAgent: headerText(request, HEADER.USER_AGENT),
  }
}

function contactUpdate(
  contact: Contact,
  headerExpiresS: number,
  flow: location.Flow,
  path: string[],
): location.ContactUpdate {
  const expiresS = askedExpiresOf(contact, headerExpiresS)
  return {
    uri: contact.uriText,
    expiresS: expiresS < 0 ? undefined : expiresS,
    qMilli: contact.qMilli < 0 ? undefined : contact.qMilli,
    instanceId: contact.instanceId,
    regId: Math.max(0, contact.regId),
    flow,
    path,
    params: contact.params.filter(isKept).map(paramText).join(''),
  }
}

/** q and expires are the registrar's to say. */
function isKept(param: Contact['params'][number]): boolean {
  const name = param.name.toLowerCase()
  return name !== 'q' && name !== 'expires'
}

/** Quoted where it is no token: a list of methods, the angle brackets of an instance [RFC3261-25.1]. */
function paramText(param: Contact['params'][number]): string {
  if (param.flag) return `;${param.name}`
  return `;${param.name}=${TOKEN.test(param.value) ? param.value : quote(param.value)}`
}

const TOKEN = /^[\w.!%*+`'~-]+$/

function valuesOf(request: SipMessage, id: number): string[] {
  const values: string[] = []
  for (let k = findHeader(request, id); k >= 0; k = findHeader(request, id, k + 1)) values.push(headerValue(request, k))
  return values
}
