// SPDX-License-Identifier: MIT
//
// Requests over a connection that the other side opened (RFC 5923): it asks for that with the alias parameter of its Via, and its
// certificate says for which domains. Without a certificate the connection takes responses and the flows registered over it alone.

import { findParam, ParamView, type SipMessage } from '@tandem/sip'
import { defaultPort } from '@tandem/transport'
import type { EdgeStreams } from './edge-streams.ts'
import { type EdgePeer, StreamPeer } from './peers.ts'

const param = new ParamView()

/** [RFC5923-5] The port is that of the sent-by. */
export function noteAlias(streams: EdgeStreams, msg: SipMessage, peer: EdgePeer): void {
  if (!(peer instanceof StreamPeer) || peer.connection.verifiedNames.length === 0) return
  if (!findParam(msg.buf, msg.viaBranchEnd, msg.viaEnd, 'alias', param)) {
    // Before the branch, where some write it.
    if (!findParam(msg.buf, msg.viaHostEnd, msg.viaEnd, 'alias', param)) return
  }
  streams.alias(peer, msg.viaPort < 0 ? defaultPort('tls') : msg.viaPort)
}
