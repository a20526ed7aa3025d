// SPDX-License-Identifier: MIT
//
// The edge as a redirect server (RFC 3261 section 8.3): a 3xx with the Contacts that policy names and the bindings of an AoR by q.
// The transaction is the context's own: a CANCEL is answered, repetitions get the 3xx again, an ACK ends here.
//
// Left out of the list: a Contact equal to the Request-URI; sip where sips was called; what breaks the grammar; more than
// `edge.limits.maxTargets`. Nobody left: 480 for an AoR, 404 where the plan's own Contacts came to nothing.

import type { location, policy } from '@tandem/rpc'
import {
  compareUris,
  type ProxyContext,
  parseNameAddr,
  parseUri,
  type SipMessage,
  URI_SCHEME,
  type Uri,
} from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { locateAged } from '../location-cache/locate.ts'
import { retryAfter } from '../own/replies.ts'

export function redirect(core: EdgeCore, context: ProxyContext, verdict: policy.Redirect): void {
  if (verdict.aor === '') return answer(core, context, verdict, [])
  locateAged(core, verdict.aor, (result) => {
    if (result.outcome === 'done') answer(core, context, verdict, result.value.bindings)
    else core.proxy.respond(context, 503, '', retryAfter(2))
  })
}

function answer(
  core: EdgeCore,
  context: ProxyContext,
  verdict: policy.Redirect,
  bindings: readonly location.Binding[],
): void {
  const { request } = context
  if (request === undefined) return // CANCEL has ended it
  const param = context.history?.contactParam ?? ''
  const values = contactValues(request, verdict.contacts, bindings, param).slice(0, core.config.limits.maxTargets)
  if (values.length === 0) return core.proxy.respond(context, verdict.aor === '' ? 404 : 480, '')
  core.counts.redirects += 1
  core.proxy.respond(
    context,
    statusOf(verdict, values.length),
    '',
    values.map((value) => `Contact: ${value}\r\n`).join(''),
  )
}

/** [RFC3261-21.3.1] 300 where there is a choice and policy did not say; [RFC3261-21.3.4] a 305 is a user agent's to make. */
function statusOf({ status }: policy.Redirect, count: number): number {
  if (status >= 300 && status < 400 && status !== 305) return status
  return count > 1 ? 300 : 302
}

function contactValues(
  request: SipMessage,
  contacts: readonly string[],
  bindings: readonly location.Binding[],
  historyParam: string,
): string[] {
  const called = parseUri(request.text(request.uriStart, request.uriEnd))
  const isSecure = request.uriScheme === URI_SCHEME.SIPS
  const listed: Uri[] = []
  const values: string[] = []
  const add = (uriText: string, value: string): void => {
    const uri = parseUri(uriText)
    if (uri === undefined || !isAllowed(uri, called, isSecure) || listed.some((one) => compareUris(one, uri))) return
    listed.push(uri)
    values.push(value)
  }
  for (const contact of contacts) add(parseNameAddr(contact)?.uri ?? '', contact)
  for (const binding of byQ(bindings)) add(binding.uri, bindingValue(binding) + historyParam) // [RFC7044-8]
  return values
}

/** [RFC3261-8.3] MUST NOT redirect to the very URI that was called; [RFC3261-26.4.4] nor from sips to sip. */
function isAllowed(uri: Uri, called: Uri | undefined, isSecure: boolean): boolean {
  if (isSecure && uri.scheme === 'sip') return false
  return called === undefined || !compareUris(uri, called)
}

function byQ(bindings: readonly location.Binding[]): location.Binding[] {
  return [...bindings].sort((a, b) => b.qMilli - a.qMilli)
}

/** The caller may keep it for as long as the binding lasts. */
function bindingValue({ uri, qMilli, expiresS, isStatic }: location.Binding): string {
  return `<${uri}>;q=${qText(qMilli)}${isStatic === true ? '' : `;expires=${expiresS}`}`
}

/** [RFC3261-25.1] Thousandths as a qvalue. */
function qText(qMilli: number): string {
  return String(Math.min(1000, qMilli) / 1000)
}
