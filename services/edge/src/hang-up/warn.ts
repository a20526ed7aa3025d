// SPDX-License-Identifier: MIT
//
// A word to the caller before his call is ended: a MESSAGE of its own (RFC 3428), outside the dialog, whose CSeqs it leaves alone, to where
// the caller is reached inside it. What becomes of it is counted and nothing else: not every phone shows a MESSAGE.

import type { policy } from '@tandem/rpc'
import { METHOD, RouteView, SipMessage, scan, type VerifiedToken } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { NextHop } from '../hops/hops.ts'
import { nextHop } from '../in-dialog/in-dialog.ts'
import { StreamPeer } from '../listeners/peers.ts'
import { OwnRequest, ownBranch } from '../own/own-request.ts'
import { messageText } from './acknowledge.ts'
import { draftOf } from './dialog-request.ts'

const view = new RouteView<VerifiedToken>()
const ANY_VIA = 'Via: SIP/2.0/UDP invalid;branch=z9hG4bK\r\n'

export function warn(core: EdgeCore, { call, dialog, text, callRef }: policy.Warn): void {
  if (call === undefined || dialog?.caller === undefined) return
  const draft = draftOf({ method: 'OPTIONS', call, dialog, toCaller: true, cseq: 1, headers: '' })
  if (draft === undefined) return
  view.read(draft, core.routeOwner)
  if (view.token === undefined) return
  const { caller } = dialog
  nextHop(core, draft, view, view.token, (hop) => {
    if (hop !== undefined) send(core, hop, (via) => encodeWarning(call, caller, via, hop, callRef, text))
    else core.counts.warningsFailed += 1
  })
}

function send(core: EdgeCore, hop: NextHop, encode: (via: string) => Buffer): void {
  const draft = encode(ANY_VIA)
  const msg = new SipMessage()
  if (scan(msg, draft, 0, draft.length) !== 0) return
  const { peer } = hop
  const branch = ownBranch(core.ring, msg, 0)
  const bytes = encode(peer.facing.via(branch))
  core.counts.warnings += 1
  const own = new OwnRequest((status) => {
    if (status >= 300) core.counts.warningsFailed += 1
  })
  const client = core.layer.createClient(branch, METHOD.MESSAGE, bytes, 0, bytes.length, peer, own)
  if (client === undefined) return own.end(503)
  if (peer instanceof StreamPeer) peer.clients.add(client)
}

/** [RFC3428-4] From the domain of the caller: nobody can answer it. */
function encodeWarning(
  call: policy.Call,
  caller: policy.Party,
  via: string,
  hop: NextHop,
  callRef: string,
  text: string,
): Buffer {
  const body = messageText(text)
  const routes = caller.routes.map((value) => `Route: ${value}\r\n`).join('')
  const domain = /@([^;>?]+)/.exec(call.fromUri)?.[1] ?? 'anonymous.invalid'
  const lines = [
    `MESSAGE ${hop.uri || caller.target} SIP/2.0\r\n${via}Max-Forwards: 70\r\n${hop.route}${routes}`,
    `From: <sip:${domain}>;tag=w${callRef}\r\nTo: <${call.fromUri}>\r\nCall-ID: warning-${callRef}\r\nCSeq: 1 MESSAGE\r\n`,
    `Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ]
  return Buffer.from(lines.join(''), 'latin1')
}
