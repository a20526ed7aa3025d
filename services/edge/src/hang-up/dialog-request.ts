// SPDX-License-Identifier: MIT
//
// A request of ours inside a dialog on record, to one party in the name of the other [RFC3261-12.2.1.1]: its bytes, as they leave and as a
// draft by which its way is found. To the party it looks like one that the other party sent through us.

import type { policy } from '@tandem/rpc'
import { SipMessage, scan } from '@tandem/sip'
import { isStrictRoute, routeUri } from '../reg-event/notify-request.ts'

export interface DialogRequest {
  readonly method: 'BYE' | 'OPTIONS'
  readonly call: policy.Call
  readonly dialog: policy.Dialog
  /** Else to the callee. */
  readonly toCaller: boolean
  readonly cseq: number
  /** Whole lines, or ''. */
  readonly headers: string
}

const NOBODY: policy.Party = { target: '', routes: [], cseq: 0, flow: undefined, aor: '' }
const ANY_VIA = 'Via: SIP/2.0/UDP invalid;branch=z9hG4bK\r\n'
const MAX_CSEQ = 0x7fffffff

export const partyOf = ({ dialog, toCaller }: DialogRequest): policy.Party =>
  (toCaller ? dialog.caller : dialog.callee) ?? NOBODY

/** The one in whose name it is sent, whose CSeq it continues. */
export const senderOf = (dialog: policy.Dialog, toCaller: boolean): policy.Party =>
  (toCaller ? dialog.callee : dialog.caller) ?? NOBODY

/** [RFC3261-8.1.1.5] */
export const boundedCSeq = (cseq: number): number => Math.min(cseq, MAX_CSEQ)

/** As it would come to us from the other party; undefined for what can't be read, whoever wrote the record. */
export function draftOf(request: DialogRequest): SipMessage | undefined {
  const { target, routes } = partyOf(request)
  const own = `<sip:${request.dialog.token}@cluster.invalid;lr>`
  const bytes = encode(request, target, ANY_VIA, [own, ...routes].map(routeLine).join(''))
  const msg = new SipMessage()
  return scan(msg, bytes, 0, bytes.length) === 0 ? msg : undefined
}

/**
 * @param via `Via: …\r\n`
 * @param hopRoute lines for the hop between edges, or ''
 * @param uri Request-URI that the hop asks for, '' for the remote target
 */
export function encodeDialogRequest(request: DialogRequest, via: string, hopRoute: string, uri: string): Buffer {
  const { target, routes } = partyOf(request)
  const wanted = uri || target
  const first = routes[0]
  if (first === undefined || !isStrictRoute(first)) {
    return encode(request, wanted, via, hopRoute + routes.map(routeLine).join(''))
  }
  const rest = [...routes.slice(1), `<${wanted}>`]
  return encode(request, routeUri(first), via, hopRoute + rest.map(routeLine).join(''))
}

const routeLine = (value: string): string => `Route: ${value}\r\n`

function encode(
  { method, call, dialog, toCaller, cseq, headers }: DialogRequest,
  uri: string,
  via: string,
  routes: string,
) {
  const caller = `<${call.fromUri}>;tag=${call.fromTag}`
  const callee = `<${call.toUri}>;tag=${dialog.toTag}`
  const [from, to] = toCaller ? [callee, caller] : [caller, callee]
  const lines = [
    `${method} ${uri} SIP/2.0\r\n${via}Max-Forwards: 70\r\n${routes}From: ${from}\r\nTo: ${to}\r\n`,
    `Call-ID: ${call.callId}\r\nCSeq: ${cseq} ${method}\r\n${headers}Content-Length: 0\r\n\r\n`,
  ]
  return Buffer.from(lines.join(''), 'latin1')
}
