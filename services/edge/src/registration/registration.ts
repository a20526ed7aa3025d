// SPDX-License-Identifier: MIT
//
// REGISTER once policy has admitted it: the bindings go to location, and 200 goes back with all of them once they are stored
// (RFC 3261 section 10.3, steps 2 and 6 to 8). Anything but stored is an error response: never a 200 for what may be lost.
// Step 2 comes here, after the admission, because only policy knows whether the registration is for us or to be forwarded.
// What is refused unasked is in registration-rules.ts, what the 200 says in registration-answer.ts.

import type { location, policy, Result } from '@tandem/rpc'
import {
  type Contact,
  type ContactList,
  HEADER,
  type ProxyContext,
  parseContacts,
  quote,
  type SipMessage,
} from '@tandem/sip'
import { spreadRetryAfter } from '../admission/index.ts'
import type { EdgeCore } from '../core.ts'
import { headerText } from '../initial/describe.ts'
import { type EdgePeer, flowOf } from '../listeners/peers.ts'
import { bindingFlow } from '../nat/nat-flow.ts'
import { retryAfter } from '../own/replies.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { noteRegistered } from './flow-end.ts'
import { askedExpiresOf, expiresHeaderOf, refusedBody } from './register-checks.ts'
import { answerHeaders, keepAliveS, type Registration } from './registration-answer.ts'
import {
  badRequest,
  extensionsOf,
  outboundOf,
  pathOf,
  type RegistrationRefusal,
  refuseContact,
  refuseFlows,
  refusePath,
  refuseRequired,
} from './registration-rules.ts'

/** @param startedMs when the REGISTER was read */
export function finishRegistration(
  core: EdgeCore,
  context: ProxyContext,
  peer: EdgePeer,
  admit: policy.Admit,
  startedMs: number,
): void {
  const request = context.request
  if (request === undefined) return
  const registration = registrationOf(core, request, peer, admit)
  if ('status' in registration) {
    if (registration.status === 420) core.counts.refusedExtension += 1
    else core.counts.registrationsFailed += 1
    return core.proxy.respond(context, registration.status, registration.reason, registration.headers)
  }
  const onResult = (result: Result<location.RegisterResponse>): void => {
    core.admission.noteAnswered(request.method, startedMs, core.now())
    answer(core, { context, request, peer }, registration, result)
  }
  core.location.call('register', registration.update, core.config.rpc.timeoutMs, onResult, traceOf(context))
}

interface Asking {
  readonly context: ProxyContext
  readonly request: SipMessage
  readonly peer: EdgePeer
}

function answer(
  core: EdgeCore,
  { context, request, peer }: Asking,
  registration: Registration,
  result: Result<location.RegisterResponse>,
): void {
  if (result.outcome === 'done') {
    core.counts.registrations += 1
    core.locationCache?.forget(registration.update.aor)
    core.admission.noteDone(peer.address, core.now())
    noteRegistered(peer, registration.update)
    core.natPings.sync(core, registration.admit.aor, result.value.bindings)
    context.keepS = keepAliveS(core) // [RFC6223-4.4]
    return core.proxy.respond(context, 200, '', answerHeaders(core, peer, registration, result.value.bindings))
  }
  core.counts.registrationsFailed += 1
  if (result.outcome === 'unknown') return core.proxy.respond(context, 503, '', spreadRetryAfter(core, request, 5))
  const { code, sipStatus, retryAfterS, minExpiresS } = result.refusal
  context.refusal = code
  const headers =
    (sipStatus === 503 ? spreadRetryAfter(core, request, retryAfterS) : retryAfter(retryAfterS)) +
    (minExpiresS !== undefined && minExpiresS > 0 ? `Min-Expires: ${minExpiresS}\r\n` : '') // [RFC3261-10.3.7]
  core.proxy.respond(context, sipStatus || 500, '', headers)
}

/** What location is asked and the answer needs, or the refusal that the request gets. */
function registrationOf(
  core: EdgeCore,
  request: SipMessage,
  peer: EdgePeer,
  admit: policy.Admit,
): Registration | RegistrationRefusal {
  const known = extensionsOf(request)
  const path = pathOf(request)
  const early = refuseRequired(request) ?? refuseBody(request) ?? refusePath(core, path, known)
  if (early !== undefined) return early
  const list = parseContacts(request)
  if (list === undefined) return badRequest('malformed Contact')
  const headerExpiresS = expiresHeaderOf(request)
  if (list.star && headerExpiresS !== 0) return badRequest('Contact * needs Expires: 0') // [RFC3261-10.3.6]
  const outbound = outboundOf(request, path, list.contacts, known)
  if (!outbound.applies && outbound.refusal !== undefined) return outbound.refusal
  const contacts = list.contacts.map((contact) => asRegistered(contact, headerExpiresS, outbound.applies))
  const refusal = refuseContacts(core, request, admit, contacts)
  if (refusal !== undefined) return refusal
  return {
    admit,
    update: updateOf(core, request, peer, { admit, path, star: list.star, contacts }),
    path,
    gruu: known.gruu,
    outbound: known.outbound && contacts.some((contact) => contact.regId > 0), // [RFC5626-6]
    direct: outbound.applies && outbound.direct,
  }
}

function refuseBody(request: SipMessage): RegistrationRefusal | undefined {
  const headers = refusedBody(request)
  return headers === undefined ? undefined : { status: 415, reason: '', headers }
}

function refuseContacts(
  core: EdgeCore,
  request: SipMessage,
  admit: policy.Admit,
  contacts: readonly Contact[],
): RegistrationRefusal | undefined {
  for (const contact of contacts) {
    if (contact.expiresS === 0) continue // what goes leads nobody astray
    const refusal = refuseContact(core, request, admit, contact)
    if (refusal !== undefined) return refusal
  }
  return refuseFlows(contacts)
}

/** With the expiration that it asks for, and a reg-id only where that counts [RFC5626-6]. */
function asRegistered(contact: Contact, headerExpiresS: number, outbound: boolean): Contact {
  const isFlow = outbound && contact.instanceId !== '' && contact.regId <= MAX_REG_ID
  const regId = isFlow ? contact.regId : 0
  return { ...contact, expiresS: askedExpiresOf(contact, headerExpiresS), regId }
}

/** [RFC5626-10] */
const MAX_REG_ID = 0x7fffffff

interface Asked {
  readonly admit: policy.Admit
  readonly path: string[]
  readonly star: ContactList['star']
  readonly contacts: readonly Contact[]
}

function updateOf(core: EdgeCore, request: SipMessage, peer: EdgePeer, asked: Asked): location.RegisterRequest {
  const { aor, minExpiresS, maxExpiresS, defaultExpiresS, maxContacts, replaceOldest } = asked.admit
  const flow = wayBack(core, peer, asked.path)
  return {
    aor,
    callId: request.text(request.callIdStart, request.callIdEnd),
    cseq: request.cseq,
    removeAll: asked.star,
    contacts: asked.contacts.map((contact) => {
      const isFirstHop = asked.path.length === 0
      const own = isFirstHop ? bindingFlow(core, request, peer, contact.uri.host, flow) : flow
      return contactUpdate(contact, own, asked.path)
    }),
    minExpiresS,
    maxExpiresS,
    defaultExpiresS,
    maxContacts,
    replaceOldest,
    userAgent: headerText(request, HEADER.USER_AGENT),
  }
}

/** With a Path the connection is a proxy's, and the Path is the way: no edge is bound to it. */
function wayBack(core: EdgeCore, peer: EdgePeer, path: readonly string[]): location.Flow {
  const flow = flowOf(peer, core.edgeId)
  return path.length === 0 ? flow : { ...flow, edgeId: '', flowId: 0 }
}

function contactUpdate(contact: Contact, flow: location.Flow, path: string[]): location.ContactUpdate {
  return {
    uri: contact.uriText,
    expiresS: contact.expiresS < 0 ? undefined : contact.expiresS,
    qMilli: contact.qMilli < 0 ? undefined : contact.qMilli,
    instanceId: contact.instanceId,
    regId: contact.regId,
    flow,
    path,
    params: contact.params.filter(isKept).map(paramText).join(''),
  }
}

/** These are the registrar's to say, whatever the phone wrote [RFC5627-5.1]. */
const OWN_PARAMS = new Set(['q', 'expires', 'pub-gruu', 'temp-gruu'])

function isKept(param: Contact['params'][number]): boolean {
  return !OWN_PARAMS.has(param.name)
}

/** Quoted where it is no token: a list of methods, the angle brackets of an instance [RFC3261-25.1]. */
function paramText(param: Contact['params'][number]): string {
  if (param.flag) return `;${param.name}`
  return `;${param.name}=${TOKEN.test(param.value) ? param.value : quote(param.value)}`
}

const TOKEN = /^[\w.!%*+`'~-]+$/
