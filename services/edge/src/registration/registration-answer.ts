// SPDX-License-Identifier: MIT
//
// The header lines of the 200 to a REGISTER (RFC 3261 section 10.3, step 8): every binding, Path (RFC 3327), Service-Route (RFC
// 3608), GRUUs (RFC 5627 section 5.2), what outbound asks for (RFC 5626 section 6), Date.
//
// A temporary GRUU is made from the Call-ID and CSeq of the REGISTER that it answers: each refresh has a new one, and a
// retransmission through any edge the same.

import type { location, policy } from '@tandem/rpc'
import { publicGruu, quote, temporaryGruu } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'

/** What the answer has to know of its request. */
export interface Registration {
  readonly admit: policy.Admit
  readonly update: location.RegisterRequest
  readonly path: readonly string[]
  /** The phone knows GRUUs. */
  readonly gruu: boolean
  /** `Require: outbound` goes back. */
  readonly outbound: boolean
  /** Its first hop is this edge. */
  readonly direct: boolean
}

export function answerHeaders(
  core: EdgeCore,
  peer: EdgePeer,
  registration: Registration,
  bindings: readonly location.Binding[],
): string {
  const { admit, path, outbound } = registration
  let lines = ''
  for (const binding of bindings) lines += contactLine(core, registration, binding, bindings)
  if (path.length > 0) lines += `Path: ${path.join(', ')}\r\n` // [RFC3327-5.3]
  if (admit.serviceRoute) lines += `Service-Route: ${ownRoute(peer)}\r\n` // [RFC3608-6.3]
  if (outbound) lines += `Require: outbound\r\n${flowTimer(core, registration)}` // [RFC5626-6]
  return `${lines}Date: ${new Date().toUTCString()}\r\n` // [RFC3261-20.17]
}

/** [RFC5626-6] For the phone's own first hop to say. */
function flowTimer(core: EdgeCore, { direct }: Registration): string {
  const seconds = keepAliveS(core)
  return direct && seconds > 0 ? `Flow-Timer: ${seconds}\r\n` : ''
}

/** Seconds between keep-alives that are wished for; 0 leaves it to the phone. The same in Flow-Timer and keep [RFC6223-5]. */
export function keepAliveS(core: EdgeCore): number {
  return Math.floor(core.config.keepAliveMs / 1000)
}

/** The listener that the phone used: a Route without a token, which any edge takes for its own. */
function ownRoute({ facing }: EdgePeer): string {
  const host = facing.host.includes(':') && !facing.host.startsWith('[') ? `[${facing.host}]` : facing.host
  const transport = facing.transport === 'udp' ? '' : `;transport=${facing.transport}`
  return `<sip:${host}:${facing.port}${transport};lr>`
}

/** [RFC3261-10.3.8] One Contact for each binding, with the seconds that it has left. */
function contactLine(
  core: EdgeCore,
  registration: Registration,
  binding: location.Binding,
  bindings: readonly location.Binding[],
): string {
  const { uri, expiresS, qMilli, params } = binding
  const q = qMilli === 1000 ? '' : `;q=${(qMilli / 1000).toFixed(3).replace(/0+$/, '').replace(/\.$/, '')}`
  const gruus = registration.gruu ? gruuParams(core, registration, binding, bindings) : ''
  return `Contact: <${uri}>;expires=${expiresS}${q}${params}${gruus}\r\n`
}

/** [RFC5627-5.2] [RFC5630-5.2.1] Of the scheme of the Contact. */
function gruuParams(
  core: EdgeCore,
  { admit: { aor }, update }: Registration,
  binding: location.Binding,
  bindings: readonly location.Binding[],
): string {
  const { instanceId, registrationHash = 0, uri } = binding
  if (instanceId === '' || registrationHash === 0 || !aor.startsWith('sip:')) return ''
  const scheme = /^sips:/i.test(uri) ? 'sips:' : 'sip:'
  const param = (name: string, gruu: string) => `;${name}=${quote(scheme + gruu.slice('sip:'.length))}`
  const { callId, cseq } = latestOf(instanceId, update, bindings)
  const temporary = temporaryGruu(core.ring, { aor, instanceId, registrationHash }, `${cseq} ${callId}`)
  const temp = temporary === undefined ? '' : param('temp-gruu', temporary)
  return param('pub-gruu', publicGruu(aor, instanceId)) + temp
}

/** [RFC5627-5.2] The REGISTER that refreshed the instance last: this one, or that of its first binding in the list. */
function latestOf(
  instanceId: string,
  update: location.RegisterRequest,
  bindings: readonly location.Binding[],
): Pick<location.Binding, 'callId' | 'cseq'> {
  const isNow = update.contacts.some((contact) => contact.instanceId === instanceId && contact.expiresS !== 0)
  return isNow ? update : (bindings.find((binding) => binding.instanceId === instanceId) ?? update)
}
