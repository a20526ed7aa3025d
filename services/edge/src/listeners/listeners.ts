// SPDX-License-Identifier: MIT
//
// The sockets of an edge: SIP over UDP, TCP and what stream-listeners.ts has toward the world, SIP over TCP between edges. Each
// hands its messages to one function, with a way to make the peer they came from.
//
// What faces the world is opened apart, and closed apart (public-doors.ts): an edge takes its share of a shared port only while it
// can do something with it.

import type { EdgeConfig, Logger } from '@tandem/service-kit'
import type { SipMessage } from '@tandem/sip'
import {
  type CloseReason,
  type Connection,
  createFlowIds,
  createUdpListener,
  type StreamSink,
  type StreamTransport,
  TcpTransport,
  type TransportName,
  type UdpListener,
  type UdpOptions,
} from '@tandem/transport'
import { edgeHashOf } from '../membership/edge-hash.ts'
import type { PeerSource } from '../receive.ts'
import { Facing } from './facing.ts'
import { type EdgePeer, StreamPeer, streamPeer, UdpPeer } from './peers.ts'
import { PublicDoors } from './public-doors.ts'
import { type MoreStreams, networkList, openMoreStreams, streamAdmission, streamLimits } from './stream-listeners.ts'
import { encodeStunResponse, MAX_STUN_RESPONSE_BYTES } from './stun.ts'
import { maddrOf } from './via-maddr.ts'

export type OnMessage = (buf: Buffer, start: number, end: number, source: PeerSource) => void

export interface Listeners {
  readonly edgeId: string
  readonly edgeHash: number
  /** Once it is open. */
  readonly udp: UdpListener | undefined
  readonly udpFacing: Facing | undefined
  readonly tcp: TcpTransport | undefined
  readonly tcpFacing: Facing | undefined
  readonly internalTcp: TcpTransport | undefined
  readonly internalFacing: Facing
  readonly moreStreams?: MoreStreams
  onConnectionLost: (peer: StreamPeer, reason: CloseReason) => void
  /** ICMP, with what it quotes. */
  onUnreachable?: UdpOptions['onUnreachable']
  /** Toward the world. */
  facings(): readonly Facing[]
  allUdp(): readonly UdpListener[]
  /** TCP, toward the world and between edges, and what stream-listeners.ts has. */
  allTcp(): readonly StreamTransport[]
  close(): Promise<void>
}

/** As they are opened: first between edges, then toward the world. */
export interface EdgeListeners extends Listeners {
  /** What faces the world takes messages from now on. Rejects with a sentence when a port is taken; may be called again then. */
  openPublic(): Promise<void>
  /** No further connections from the world. */
  closeStreams(): Promise<void>
  /** Whether STUN keep-alives are answered: who gets no answer takes his flow for lost [RFC5626-4.4.2]. */
  answerKeepAlives(areAnswered: boolean): void
  /** What the world has connected to this edge. */
  arrivedConnections(): Connection[]
  /** And no more: a shared port is left to the others. Connections stay. */
  closePublic(): Promise<void>
}

/** Time that closing connections get to flush. */
const CLOSE_GRACE_MS = 500

/** A restart is another edge: later starts sort behind earlier ones. */
function newIncarnation(): string {
  return Date.now().toString(36)
}

/**
 * Opens what listens to other edges, and makes ready what faces the world: openPublic() opens that.
 * [RFC3261-18c] [RFC3261-18.2.1c] UDP and TCP at one port, unless the configuration says otherwise.
 */
export async function openListeners(config: EdgeConfig, logger: Logger, onMessage: OnMessage): Promise<EdgeListeners> {
  const edgeId = `${config.id}.${newIncarnation()}`
  const edgeHash = edgeHashOf(edgeId)
  const nextFlowId = createFlowIds()
  const facing = (transport: TransportName, port: number, internal: boolean): Facing =>
    new Facing({
      ...placeOf(config, transport, port, internal),
      transport,
      edgeHash,
      internal,
      namesTls: config.tls.recordRoute === 'transport',
    })
  const opened: (() => Promise<void>)[] = []
  const listeners = new OpenListeners(edgeId, edgeHash, facing('tcp', config.internalPort, true))
  const limits = streamLimits(config)
  const shared = {
    limits,
    admission: streamAdmission(config),
    proxySources: networkList(config.proxyProtocol.sources),
    nextFlowId,
  }
  const sinkOf = (own: Facing, internal = false): StreamSink =>
    new ConnectionSink(own, internal, onMessage, (peer, reason) => listeners.onConnectionLost(peer, reason))
  const place = { address: config.bindAddress, setting: 'edge.basePort (--base-port)', reusePort: config.sharedAddress }
  try {
    if (config.listeners.udp) {
      const own = facing('udp', config.sipPort, false)
      listeners.udpFacing = own
      const source = new UdpSource(own, onMessage)
      listeners.udpSource = source
      listeners.doors.add(async () => {
        const udp = await openUdp(config, logger, place, source, (...error) => listeners.onUnreachable(...error))
        listeners.udp = udp
        return udp
      })
    }
    if (config.listeners.tcp) {
      const own = facing('tcp', config.sipPort, false)
      listeners.tcp = new TcpTransport({ ...shared, sink: sinkOf(own) })
      listeners.tcpFacing = own
      const tcp = listeners.tcp
      opened.push(() => tcp.close(CLOSE_GRACE_MS))
      listeners.doors.add(() => tcp.listen({ ...place, port: config.sipPort }))
    }
    listeners.moreStreams = await openMoreStreams({
      config,
      logger,
      place,
      shared,
      facingOf: (transport, port) => facing(transport, port, false),
      sinkOf,
      onOpened: (close) => opened.push(async () => close()),
      toOpen: (open) => listeners.doors.add(open),
    })
    const internalTcp = new TcpTransport({
      sink: sinkOf(listeners.internalFacing, true),
      limits: { ...limits, maxConnectionsPerSource: config.limits.maxConnections },
      nextFlowId,
    })
    listeners.internalTcp = internalTcp
    opened.push(() => internalTcp.close(CLOSE_GRACE_MS))
    await internalTcp.listen({
      address: config.internalBindAddress,
      port: config.internalPort,
      setting: place.setting,
    })
  } catch (error) {
    await Promise.all(opened.map((close) => close()))
    throw error
  }
  listeners.closers = opened
  return listeners
}

function openUdp(
  { sipPort, udp, viaMaddr }: EdgeConfig,
  logger: Logger,
  place: { readonly address: string; readonly setting: string; readonly reusePort: boolean },
  sink: UdpSource,
  onUnreachable: NonNullable<UdpOptions['onUnreachable']>,
): Promise<UdpListener> {
  sink.obeysMaddr = viaMaddr === 'obey'
  return createUdpListener({
    ...place,
    port: sipPort,
    sink,
    recvBufferBytes: udp.receiveBufferBytes,
    sendBufferBytes: udp.sendBufferBytes,
    dscp: udp.dscp,
    gatherMs: udp.gatherMs,
    batch: udp.batch,
    onUnreachable,
    onFallback: (reason) => logger.info(`UDP without batches (node:dgram): ${reason}`),
    onError: (error) => logger.warn({ err: error }, 'UDP socket error'),
  })
}

/** What the world sees of a listener, or other edges of theirs. */
function placeOf(config: EdgeConfig, transport: TransportName, port: number, internal: boolean) {
  return internal ? { host: config.internalAddress, port } : config.advertised[transport]
}

class OpenListeners implements EdgeListeners {
  readonly edgeId: string
  readonly edgeHash: number
  udp: UdpListener | undefined
  udpSource: UdpSource | undefined
  udpFacing: Facing | undefined
  tcp: TcpTransport | undefined
  tcpFacing: Facing | undefined
  internalTcp: TcpTransport | undefined
  moreStreams: MoreStreams = {}
  readonly internalFacing: Facing
  readonly doors = new PublicDoors()
  closers: readonly (() => Promise<void>)[] = []
  onConnectionLost: Listeners['onConnectionLost'] = () => undefined
  onUnreachable: NonNullable<UdpOptions['onUnreachable']> = () => undefined

  constructor(edgeId: string, edgeHash: number, internalFacing: Facing) {
    this.edgeId = edgeId
    this.edgeHash = edgeHash
    this.internalFacing = internalFacing
  }

  facings(): readonly Facing[] {
    const { tls, ws, wss, sctp } = this.moreStreams
    const all = [this.udpFacing, this.tcpFacing, tls?.facing, ws?.facing, wss?.facing, sctp?.facing]
    return all.filter((facing) => facing !== undefined)
  }

  allUdp(): readonly UdpListener[] {
    return this.udp === undefined ? [] : [this.udp]
  }

  allTcp(): readonly StreamTransport[] {
    const { tls, ws, wss, sctp } = this.moreStreams
    const all = [this.tcp, this.internalTcp, tls?.transport, ws?.transport, wss?.transport, sctp?.transport]
    return all.filter((stream) => stream !== undefined)
  }

  openPublic(): Promise<void> {
    return this.doors.open()
  }

  closeStreams(): Promise<void> {
    return this.doors.closeStreams()
  }

  answerKeepAlives(areAnswered: boolean): void {
    if (this.udpSource !== undefined) this.udpSource.answersStun = areAnswered
  }

  arrivedConnections(): Connection[] {
    const streams = this.allTcp().filter((stream) => stream !== this.internalTcp)
    return streams.flatMap((stream) => [...stream.connections()].filter(({ inbound, isOpen }) => inbound && isOpen))
  }

  closePublic(): Promise<void> {
    return this.doors.close()
  }

  async close(): Promise<void> {
    await this.doors.close()
    await Promise.all(this.closers.map((close) => close()))
  }
}

const DEFAULT_SIP_PORT = 5060

const stunResponse = Buffer.alloc(MAX_STUN_RESPONSE_BYTES)

/** Datagrams of one socket, which requests leave from too [RFC3581-3bc]; itself the source of the message at hand. */
export class UdpSource implements PeerSource {
  readonly internal = false
  readonly isLossy = true
  private readonly facing: Facing
  private readonly onMessage: OnMessage
  /** [RFC3261-18.2.2] A maddr in a Via says where its responses go. */
  obeysMaddr = false
  answersStun = true
  private listener: UdpListener | undefined
  private readonly peers: (UdpPeer | undefined)[] = new Array<undefined>(PEER_SLOTS).fill(undefined)
  /** Of the datagram at hand. */
  address = ''
  port = 0

  constructor(facing: Facing, onMessage: OnMessage) {
    this.facing = facing
    this.onMessage = onMessage
  }

  onDatagram(buf: Buffer, start: number, end: number, address: string, port: number, listener: UdpListener): void {
    this.listener = listener
    this.address = address
    this.port = port
    const { tap } = this.facing
    if (tap !== undefined) tap.see(false, this.facing, buf, start, end, address, port)
    this.onMessage(buf, start, end, this)
  }

  /** [RFC5626-5.4a] From the socket that it came to, to where it came from. */
  answerStun(buf: Buffer, start: number, end: number): boolean {
    if (!this.answersStun) return false
    const length = encodeStunResponse(buf, start, end, this, stunResponse)
    if (length > 0) this.listener?.send(stunResponse, 0, length, this.port, this.address)
    return length > 0
  }

  /** [RFC3261-18.2.2] [RFC3581-4] Responses go to the source address, and to the source port where rport asks for it. */
  peer(msg: SipMessage): EdgePeer {
    const viaPort = msg.viaPort < 0 ? DEFAULT_SIP_PORT : msg.viaPort
    const maddr = this.obeysMaddr ? maddrOf(msg) : undefined
    if (maddr !== undefined) return new UdpPeer(this.listener as UdpListener, this.facing, maddr, viaPort)
    return this.peerAt(msg.viaRportStart >= 0 ? this.port : viaPort)
  }

  /** What a transaction keeps for half a minute is better one object for all of a phone than one for each of its messages. */
  private peerAt(port: number): UdpPeer {
    const { address, port: sourcePort } = this
    const listener = this.listener as UdpListener
    const slot = sourcePort & (PEER_SLOTS - 1)
    const known = this.peers[slot]
    const isSame = known !== undefined && known.sourcePort === sourcePort && known.port === port
    if (isSame && known.listener === listener && known.address === address) return known
    const peer = new UdpPeer(listener, this.facing, address, port, sourcePort)
    this.peers[slot] = peer
    return peer
  }
}

/** Sources whose last peer is at hand, by their port; a power of two. */
const PEER_SLOTS = 1024

/** Messages of all connections of one transport. */
class ConnectionSink implements StreamSink, PeerSource {
  readonly internal: boolean
  private readonly facing: Facing
  private readonly onMessageOf: OnMessage
  private readonly onLost: (peer: StreamPeer, reason: CloseReason) => void
  private current: Connection | undefined

  constructor(
    facing: Facing,
    internal: boolean,
    onMessage: OnMessage,
    onLost: (peer: StreamPeer, reason: CloseReason) => void,
  ) {
    this.facing = facing
    this.internal = internal
    this.onMessageOf = onMessage
    this.onLost = onLost
  }

  onMessage(connection: Connection, buf: Buffer, start: number, end: number): void {
    this.current = connection
    const { tap } = this.facing
    if (tap !== undefined) {
      tap.see(false, this.facing, buf, start, end, connection.remoteAddress, connection.remotePort)
    }
    this.onMessageOf(buf, start, end, this)
  }

  get address(): string {
    return this.current?.remoteAddress ?? ''
  }

  peer(): EdgePeer {
    return streamPeer(this.current as Connection, this.facing)
  }

  onClose(connection: Connection, reason: CloseReason): void {
    if (connection.context instanceof StreamPeer) this.onLost(connection.context, reason)
  }

  onFramingError(): void {
    // Counted by the transport, which closes the connection: nothing in it can be answered any more.
  }
}
