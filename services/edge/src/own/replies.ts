// SPDX-License-Identifier: MIT
//
// Answers of the edge's own outside of any transaction: to requests that are refused before one exists, and to CANCEL.
// A retransmission gets the same answer, tag included, for the tag is made from the request.

import type { policy } from '@tandem/rpc'
import { encodeResponse, METHOD, type SipMessage, stampOf, tagOf } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import type { RefusalCount } from '../log/call-log.ts'

/** Answers without keeping anything. An ACK is never answered. @param headers whole lines with CRLF */
export function refuseStateless(
  core: EdgeCore,
  msg: SipMessage,
  peer: EdgePeer,
  status: number,
  reason: string,
  headers = '',
): void {
  if (msg.method === METHOD.ACK) return
  replyStateless(core, msg, peer, status, reason, tagOf(core.layer.serverKey(msg)), headers)
}

/** A refusal of the edge's own making: counted, written down, answered. @param headers whole lines with CRLF */
export function refuseAs(
  core: EdgeCore,
  count: RefusalCount,
  msg: SipMessage,
  peer: EdgePeer,
  status: number,
  headers = '',
): void {
  core.counts[count] += 1
  if (core.callLog !== undefined) core.callLog.refusedAs(count, msg, peer, status)
  refuseStateless(core, msg, peer, status, '', headers)
}

/** [RFC3261-16.1a] */
export function replyStateless(
  core: EdgeCore,
  msg: SipMessage,
  peer: EdgePeer,
  status: number,
  reason: string,
  toTag: string,
  headers = '',
): void {
  const end = encodeResponse(msg, status, reason, { toTag, headers, ...stampOf(msg, peer) }, core.out, 0)
  core.layer.traffic.responseOut(msg.method, status)
  peer.send(core.out, 0, end)
}

/** The lines of a 401 or 407. */
export function challengeLines({ status, values }: policy.Challenge): string {
  const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
  return values.map((value) => `${name}: ${value}\r\n`).join('')
}

/** `Retry-After: …\r\n`, nothing for 0. */
export function retryAfter(seconds: number): string {
  return seconds > 0 ? `Retry-After: ${seconds}\r\n` : ''
}
