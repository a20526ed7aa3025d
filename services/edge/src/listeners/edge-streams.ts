// SPDX-License-Identifier: MIT
//
// The connections of an edge toward the world, whatever they are made of: found by flow, opened by place. WebSockets are found only;
// nobody listens for them out there [RFC7118-5].

import type { Connection, Endpoint, TcpTransport, TransportName } from '@tandem/transport'
import type { Facing } from './facing.ts'
import { type StreamPeer, streamPeer } from './peers.ts'
import type { MoreStreams } from './stream-listeners.ts'

export class EdgeStreams {
  private readonly tcp: TcpTransport | undefined
  private readonly tcpFacing: Facing | undefined
  private readonly more: MoreStreams

  constructor(tcp: TcpTransport | undefined, tcpFacing: Facing | undefined, more: MoreStreams = {}) {
    this.tcp = tcp
    this.tcpFacing = tcpFacing
    this.more = more
  }

  /** Open ones only. */
  find(flowId: number): StreamPeer | undefined {
    const { tls, ws, wss, sctp } = this.more
    return (
      this.peer(this.tcp?.find(flowId), this.tcpFacing) ??
      this.peer(tls?.transport.find(flowId), tls?.facing) ??
      this.peer(wss?.transport.find(flowId), wss?.facing) ??
      this.peer(ws?.transport.find(flowId), ws?.facing) ??
      this.peer(sctp?.transport.find(flowId), sctp?.facing)
    )
  }

  /** The open connection to there, or a new one; undefined where there can be none. */
  connect({ transport, address, port, serverName }: Endpoint): StreamPeer | undefined {
    const { tls, sctp } = this.more
    if (transport === 'tcp') return this.peer(this.tcp?.connect(address, port), this.tcpFacing)
    if (transport === 'tls') return this.peer(tls?.transport.connect(address, port, serverName), tls?.facing)
    if (transport === 'sctp') return this.peer(sctp?.transport.connect(address, port), sctp?.facing)
    return undefined
  }

  /** [RFC5923-5] What asked for requests to its domains to come over the connection that it opened. */
  alias(peer: StreamPeer, port: number): void {
    if (peer.transport === 'tls') this.more.tls?.transport.alias(peer.connection, port)
  }

  private peer(connection: Connection | undefined, facing: Facing | undefined): StreamPeer | undefined {
    if (connection?.isOpen !== true || facing === undefined) return undefined
    return streamPeer(connection, facing)
  }
}

/** [RFC3261-26.2.2] What a sips URI may be reached over. */
export function isSecureTransport(transport: TransportName | string): boolean {
  return transport === 'tls' || transport === 'wss'
}
