// SPDX-License-Identifier: MIT
//
// A binding ends with the connection that it was made over [RFC5626-5.3], at once and for the whole cluster: the edge keeps, per
// connection, the addresses-of-record that registered over it, and takes those bindings out when it closes. So nobody is rung where
// nobody is.
//
// Only a binding that still names this very connection goes: a phone that has come back over another one keeps its new binding. The
// look and the removal are two steps; a REGISTER between them with the same Call-ID is protected by its CSeq, one with another
// Call-ID within those milliseconds is not, and is repaired by the phone's next refresh.
// A contact that names a place of its own stays, where no flow was asked for: the phone may listen there (RFC 3261, not RFC 5626).
// Bounded: addresses-of-record per connection; beyond it the oldest is forgotten, and its binding ends by its expiration.

import type { location } from '@tandem/rpc'
import type { EdgeCore } from '../core.ts'
import { uriPlace } from '../initial/uri-place.ts'
import { type EdgePeer, StreamPeer } from '../listeners/peers.ts'
import { unbind } from './unbind.ts'

/** Lines of one PBX over one connection. */
const MAX_AORS = 1_024

/** A REGISTER over this connection has been stored. */
export function noteRegistered(peer: EdgePeer, update: location.RegisterRequest): void {
  if (!(peer instanceof StreamPeer)) return
  const isOwn = update.contacts.some(({ flow, expiresS }) => expiresS !== 0 && flow?.flowId === peer.connection.id)
  if (!isOwn) return
  const { registered } = peer
  registered.delete(update.aor)
  if (registered.size >= MAX_AORS) registered.delete(registered.values().next().value as string)
  registered.add(update.aor)
}

/** The connection is gone. */
export function endBindings(core: EdgeCore, peer: StreamPeer): void {
  for (const aor of peer.registered) {
    core.location.call('locate', { aor }, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return
      for (const binding of result.value.bindings) if (isOver(core, peer, binding)) remove(core, aor, binding)
    })
  }
  peer.registered.clear()
}

function isOver(core: EdgeCore, { connection }: StreamPeer, { flow, uri, regId }: location.Binding): boolean {
  if (flow?.edgeId !== core.edgeId || flow.flowId !== connection.id) return false
  return regId > 0 || !listensElsewhere(uri, flow)
}

/** At the address that it came from, at another port than that of the connection. */
function listensElsewhere(uri: string, { transport, address, port }: location.Flow): boolean {
  if (transport === 'ws' || transport === 'wss') return false
  const place = uriPlace(uri)
  return place !== undefined && place.host.replace(/^\[|\]$/g, '') === address && place.port !== port
}

function remove(core: EdgeCore, aor: string, binding: location.Binding): void {
  unbind(core, aor, binding, binding.callId, binding.cseq + 1, () => {
    core.counts.bindingsEnded += 1
  })
}
