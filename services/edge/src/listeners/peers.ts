// SPDX-License-Identifier: MIT
//
// The far ends that transactions send to. A UDP peer is an address behind one of our sockets; a stream peer is a connection,
// of which there is one peer object, kept in the connection's context, so that its loss ends what hangs on it.

import type { location } from '@tandem/rpc'
import type { ClientTransaction, Peer } from '@tandem/sip'
import type { Connection, TransportName, UdpListener } from '@tandem/transport'
import type { Facing } from './facing.ts'

export interface EdgePeer extends Peer {
  readonly transport: TransportName
  readonly address: string
  readonly port: number
  /** Our side of it. */
  readonly facing: Facing
  /** False when the bytes were not taken. */
  send(buf: Buffer, start: number, end: number): boolean
}

export class UdpPeer implements EdgePeer {
  readonly reliable = false
  readonly transport = 'udp'
  readonly address: string
  readonly port: number
  /** Where its packets come from; `port` is where its responses go. */
  readonly sourcePort: number
  readonly facing: Facing
  readonly listener: UdpListener

  constructor(listener: UdpListener, facing: Facing, address: string, port: number, sourcePort = port) {
    this.listener = listener
    this.facing = facing
    this.address = address
    this.port = port
    this.sourcePort = sourcePort
  }

  send(buf: Buffer, start: number, end: number): boolean {
    this.listener.send(buf, start, end, this.port, this.address)
    const { tap } = this.facing
    if (tap !== undefined) tap.see(true, this.facing, buf, start, end, this.address, this.port)
    return true
  }
}

export class StreamPeer implements EdgePeer {
  readonly reliable: boolean = true
  readonly connection: Connection
  readonly facing: Facing
  /** Client transactions whose request went this way and that have not ended: told when the connection is lost. */
  readonly clients: Set<ClientTransaction> = new Set()
  /** Addresses-of-record with a binding over it, oldest first. */
  readonly registered = new Set<string>()

  constructor(connection: Connection, facing: Facing) {
    this.connection = connection
    this.facing = facing
  }

  get transport(): TransportName {
    return this.connection.transport
  }

  get address(): string {
    return this.connection.remoteAddress
  }

  get port(): number {
    return this.connection.remotePort
  }

  send(buf: Buffer, start: number, end: number): boolean {
    const { tap } = this.facing
    if (tap !== undefined)
      tap.see(true, this.facing, buf, start, end, this.connection.remoteAddress, this.connection.remotePort)
    return this.connection.send(buf, start, end)
  }
}

/**
 * A UDP address that another edge sends to for us, because a NAT lets in that one only: over the connection between edges, but what is
 * beyond loses datagrams, so that transactions repeat. A lost connection ends what waits there, and is opened again for what comes.
 */
export class FarUdpPeer extends StreamPeer {
  override readonly reliable = false
  override readonly clients: Set<ClientTransaction>
  private readonly far: { readonly address: string; readonly port: number }
  private readonly connect: () => Connection | undefined

  constructor(
    link: StreamPeer,
    far: { readonly address: string; readonly port: number },
    connect: () => Connection | undefined,
  ) {
    super(link.connection, link.facing)
    this.clients = link.clients
    this.far = far
    this.connect = connect
  }

  override get transport(): TransportName {
    return 'udp'
  }

  override get address(): string {
    return this.far.address
  }

  override get port(): number {
    return this.far.port
  }

  override send(buf: Buffer, start: number, end: number): boolean {
    const { connection } = this
    const { tap } = this.facing
    if (tap !== undefined) tap.see(true, this.facing, buf, start, end, connection.remoteAddress, connection.remotePort)
    if (connection.isOpen) return connection.send(buf, start, end)
    return this.connect()?.send(buf, start, end) === true
  }
}

/** Whether what is sent there is on a stream at first: it must say how long it is. */
export function isFramed(peer: EdgePeer): boolean {
  return peer.reliable || peer.facing.internal
}

/** The peer object of a connection, made at its first use. */
export function streamPeer(connection: Connection, facing: Facing): StreamPeer {
  const known = connection.context
  if (known instanceof StreamPeer) return known
  const peer = new StreamPeer(connection, facing)
  connection.context = peer
  return peer
}

/** The way back to a peer, as location keeps it: a connection is this edge's, a UDP address is any edge's. */
export function flowOf(peer: EdgePeer, edgeId: string): location.Flow {
  const { transport, address, port } = peer
  if (!(peer instanceof StreamPeer)) return { transport, address, port, edgeId: '', flowId: 0 }
  return { transport, address, port, edgeId, flowId: peer.connection.id }
}
