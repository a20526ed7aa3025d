// SPDX-License-Identifier: MIT
//
// A ping that asks for an answer: an OPTIONS to a binding behind a NAT (RFC 3261 section 11.1). Whatever answers is alive, 481 and 405
// as well as 200. Silence is counted; a binding that stays silent `edge.natPing.maxFailures` times in a row is removed, if that is
// above 0, and only while location still says that it is reached at the very place that was pinged.
//
// Race: a REGISTER between that look and the removal is undone by it; the phone's next refresh mends that.

import { randomBytes } from 'node:crypto'
import type { location } from '@tandem/rpc'
import { METHOD, SipMessage, scan } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { requestUriOf } from '../initial/request-uri-of.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { OwnRequest, ownBranch } from '../own/own-request.ts'
import { unbind } from '../registration/unbind.ts'
import type { NatBinding } from './nat-pings.ts'

const ANY_VIA = 'Via: SIP/2.0/UDP invalid;branch=z9hG4bK\r\n'

export function sendOptionsPing(core: EdgeCore, held: NatBinding, peer: EdgePeer): void {
  const text = optionsText(held, peer)
  const draft = new SipMessage()
  const bytes = Buffer.from(text, 'latin1')
  if (scan(draft, bytes, 0, bytes.length) !== 0) return
  const branch = ownBranch(core.ring, draft, 0)
  const request = Buffer.from(text.replace(ANY_VIA, peer.facing.via(branch)), 'latin1')
  const { address, port } = held
  const own = new OwnRequest((status, response) => {
    if (held.address !== address || held.port !== port) return // it has registered from elsewhere meanwhile
    if (response !== undefined) held.failures = 0
    else if (status === 408 || status === 503) onSilence(core, held) // 503: ICMP says so
  })
  core.layer.createClient(branch, METHOD.OPTIONS, request, 0, request.length, peer, own)
}

function optionsText({ uri }: NatBinding, { facing }: EdgePeer): string {
  const host = facing.host.includes(':') ? `[${facing.host}]` : facing.host
  const target = requestUriOf(uri)
  const id = randomBytes(9).toString('base64url')
  return [
    `OPTIONS ${target} SIP/2.0\r\n${ANY_VIA}Max-Forwards: 70`,
    `From: <sip:${host}:${facing.port}>;tag=${id.slice(0, 6)}`,
    `To: <${target}>`,
    `Call-ID: ${id}@${host}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0\r\n\r\n',
  ].join('\r\n')
}

function onSilence(core: EdgeCore, held: NatBinding): void {
  core.counts.natPingsUnanswered += 1
  held.failures += 1
  const { maxFailures } = core.config.natPing
  if (maxFailures > 0 && held.failures >= maxFailures) remove(core, held)
}

function remove(core: EdgeCore, held: NatBinding): void {
  held.failures = 0
  const { address, port } = held // it may move while location is asked
  core.location.call('locate', { aor: held.aor }, core.config.rpc.timeoutMs, (result) => {
    if (result.outcome !== 'done') return
    core.natPings.sync(core, held.aor, result.value.bindings)
    const binding = result.value.bindings.find(
      ({ uri, flow }) => uri === held.uri && flow?.address === address && flow.port === port,
    )
    if (binding !== undefined) takeOut(core, held.aor, binding)
  })
}

function takeOut(core: EdgeCore, aor: string, binding: location.Binding): void {
  unbind(core, aor, binding, `nat-ping-${randomBytes(9).toString('base64url')}`, 1, (left) => {
    core.counts.natBindingsRemoved += 1
    core.natPings.sync(core, aor, left)
  })
}
