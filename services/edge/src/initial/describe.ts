// SPDX-License-Identifier: MIT
//
// A request as policy wants to know it: texts taken from the bytes, once.

import type { policy } from '@tandem/rpc'
import {
  findHeader,
  HEADER,
  headerValue,
  METHOD,
  METHOD_NAMES,
  type SipMessage,
  unfold,
  ValueCursor,
} from '@tandem/sip'
import { offeredMedia } from '../accounting/offered-media.ts'
import { type EdgePeer, StreamPeer } from '../listeners/peers.ts'

/** @param key the server transaction's */
export function describeRequest(msg: SipMessage, key: string, peer: EdgePeer, edgeId: string): policy.DecideRequest {
  return {
    transactionKey: key,
    edgeId,
    method: methodName(msg),
    requestUri: msg.text(msg.uriStart, msg.uriEnd),
    from: unfold(msg.text(msg.fromStart, msg.fromEnd)),
    to: unfold(msg.text(msg.toStart, msg.toEnd)),
    callId: msg.text(msg.callIdStart, msg.callIdEnd),
    fromTag: fromTag(msg),
    cseq: msg.cseq,
    source: sourceOf(peer),
    credentials: credentialsOf(msg),
    userAgent: headerText(msg, HEADER.USER_AGENT),
    assertedIdentities: valuesOf(msg, HEADER.P_ASSERTED_IDENTITY),
    preferredIdentities: valuesOf(msg, HEADER.P_PREFERRED_IDENTITY),
    privacy: msg.has(HEADER.PRIVACY) ? valuesOf(msg, HEADER.PRIVACY).join(';') : '',
    event: msg.has(HEADER.EVENT) ? eventPackage(headerText(msg, HEADER.EVENT)) : '',
    forwarded: forwardedIn(msg),
  }
}

/** Of a call that comes back again and again: what is told of each kind. */
const MAX_FORWARDED = 10

/** Who was called before, as those say who forwarded it [RFC5806-4] [RFC7044-5]; undefined where nobody did. */
function forwardedIn(msg: SipMessage): policy.Forwarded | undefined {
  const isForwarded = findHeader(msg, HEADER.DIVERSION) >= 0 || findHeader(msg, HEADER.HISTORY_INFO) >= 0
  if (!isForwarded) return undefined
  return {
    diversions: readValues(msg, HEADER.DIVERSION, MAX_FORWARDED),
    history: readValues(msg, HEADER.HISTORY_INFO, MAX_FORWARDED),
  }
}

/** More are nobody's identities [RFC3325-9.1] and would only make the question large. */
const MAX_VALUES = 8
const NO_TEXTS: string[] = []
const values = new ValueCursor()

function valuesOf(msg: SipMessage, id: number): string[] {
  return msg.has(id) ? readValues(msg, id, MAX_VALUES) : NO_TEXTS
}

/** The first values of a header, whichever lines they stand in. */
function readValues(msg: SipMessage, id: number, limit: number): string[] {
  const found: string[] = []
  values.reset(msg, id)
  while (found.length < limit && values.next()) found.push(unfold(msg.text(values.start, values.end)))
  return found
}

/** `reg;id=1` → `reg`. [RFC6665-8.2.1] */
function eventPackage(value: string): string {
  const semicolon = value.indexOf(';')
  return (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase()
}

/** The call of an initial INVITE, for its records. Ages are filled in by the report. */
export function describeCall(
  msg: SipMessage,
  peer: EdgePeer,
  edgeId: string,
  decision: policy.DecideResponse,
): policy.Call {
  return {
    callId: msg.text(msg.callIdStart, msg.callIdEnd),
    fromTag: fromTag(msg),
    fromUri: msg.text(msg.fromUriStart, msg.fromUriEnd),
    toUri: msg.text(msg.toUriStart, msg.toUriEnd),
    requestUri: msg.text(msg.uriStart, msg.uriEnd),
    source: sourceOf(peer),
    identity: decision.identity,
    account: decision.account,
    charge: decision.charge,
    facts: decision.facts,
    media: offeredMedia(msg),
    edgeId,
    userAgent: headerText(msg, HEADER.USER_AGENT),
    setupAgeMs: UNKNOWN_AGE,
    ringAgeMs: UNKNOWN_AGE,
    attempts: [],
  }
}

/** What of a call a BYE tells, seen from the caller's side whoever sent it. */
export function describeEndedCall(msg: SipMessage, byCaller: boolean, edgeId: string): policy.Call {
  const from = msg.text(msg.fromUriStart, msg.fromUriEnd)
  const to = msg.text(msg.toUriStart, msg.toUriEnd)
  return {
    callId: msg.text(msg.callIdStart, msg.callIdEnd),
    fromTag: byCaller ? fromTag(msg) : toTag(msg),
    fromUri: byCaller ? from : to,
    toUri: byCaller ? to : from,
    requestUri: '',
    source: undefined,
    identity: '',
    account: '',
    edgeId,
    userAgent: '',
    setupAgeMs: UNKNOWN_AGE,
    ringAgeMs: UNKNOWN_AGE,
    attempts: [],
  }
}

/** The value that the protocol has for an age that nobody knows. */
export const UNKNOWN_AGE = 0xffffffff

export function fromTag(msg: SipMessage): string {
  return msg.fromTagStart < 0 ? '' : msg.text(msg.fromTagStart, msg.fromTagEnd)
}

export function toTag(msg: SipMessage): string {
  return msg.toTagStart < 0 ? '' : msg.text(msg.toTagStart, msg.toTagEnd)
}

export function methodName(msg: SipMessage): string {
  return msg.method === METHOD.OTHER
    ? msg.text(msg.cseqMethodStart, msg.cseqMethodEnd)
    : (METHOD_NAMES[msg.method] as string)
}

/** The first header with this id, unfolded, '' without one. */
export function headerText(msg: SipMessage, id: number): string {
  const index = findHeader(msg, id)
  return index < 0 ? '' : headerValue(msg, index)
}

function sourceOf(peer: EdgePeer): policy.Source {
  const source = { transport: peer.transport, address: peer.address, port: peer.port }
  if (!(peer instanceof StreamPeer)) return source
  const { verifiedNames: names, verifiedUsers: users = NO_TEXTS } = peer.connection
  return names.length + users.length === 0 ? source : { ...source, tls: { names: [...names], users: [...users] } }
}

const NO_CREDENTIALS: policy.Credentials[] = []

function credentialsOf(msg: SipMessage): policy.Credentials[] {
  const first = findHeader(msg, HEADER.AUTHORIZATION)
  const firstProxy = findHeader(msg, HEADER.PROXY_AUTHORIZATION)
  if (first < 0 && firstProxy < 0) return NO_CREDENTIALS
  const found: policy.Credentials[] = []
  for (let k = first; k >= 0; k = findHeader(msg, HEADER.AUTHORIZATION, k + 1))
    found.push({ proxy: false, value: headerValue(msg, k) })
  for (let k = firstProxy; k >= 0; k = findHeader(msg, HEADER.PROXY_AUTHORIZATION, k + 1)) {
    found.push({ proxy: true, value: headerValue(msg, k) })
  }
  return found
}
