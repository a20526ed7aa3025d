// SPDX-License-Identifier: MIT
//
// Makes the EdgeCore that the handlers share out of configuration, listeners and callers.

import { isIPv6 } from 'node:net'
import type { location } from '@tandem/rpc'
import { type EdgeConfig, keyRingText } from '@tandem/service-kit'
import {
  Edits,
  type KeyRing,
  LIMITS,
  LiveKeyRing,
  lateTryingMs,
  StatefulProxy,
  TransactionLayer,
  type TransactionUser,
  type VerifiedToken,
  verifyTokenIn,
} from '@tandem/sip'
import {
  createNodeResolver,
  type DnsResolver,
  ServerLocator,
  type TransportName,
  type UdpListener,
} from '@tandem/transport'
import { Reporter } from './accounting/reporter.ts'
import { BannedSources, takeBans } from './admission/banned-sources.ts'
import { createAdmission } from './admission/index.ts'
import { AnyEdge } from './any-edge/any-edge.ts'
import type { EdgeCore } from './core.ts'
import { EdgeCounts } from './counts.ts'
import { Decisions } from './decide/decisions.ts'
import { takeCommands } from './hang-up/hang-up.ts'
import { Hops } from './hops/hops.ts'
import type { Facing } from './listeners/facing.ts'
import type { Listeners } from './listeners/listeners.ts'
import { type EdgePeer, StreamPeer } from './listeners/peers.ts'
import { Unreachables } from './listeners/unreachable.ts'
import { createLocationCache } from './location-cache/create.ts'
import { createCallLog } from './log/call-log.ts'
import { Measures } from './measures.ts'
import { Membership } from './membership/membership.ts'
import { NatPings } from './nat/nat-pings.ts'
import type { EdgeServiceOptions } from './options.ts'
import { withOwnRequests } from './own/own-request.ts'
import { sendAsked } from './own/send-asked.ts'
import { sendPushedNotifies } from './reg-event/send-notify.ts'
import { StatelessWays } from './stateless/stateless-ways.ts'
import { EdgeTracing } from './tracing/edge-tracing.ts'

export interface EdgeWiring {
  readonly core: EdgeCore
  /** Other keys sign and verify from now on. */
  useKeyRing(secrets: EdgeConfig['keyRing']): void
  /** From now on the lease says that this edge drains. */
  setDraining(): void
  /** The UDP listener is open, which is later than the rest. */
  useUdp(): void
}

/** What an edge takes from the world besides its sockets; replaced where a test plays the world. */
export interface EdgeEnvironment {
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly resolver: DnsResolver
  /** [0, 1), for the order of SRV targets. */
  readonly random: () => number
}

const VERSION = '0.1.0'
/** What we add to the largest message at most. */
const ROOM_BYTES = 65_536

export function createEdgeCore(
  options: EdgeServiceOptions,
  listeners: Listeners,
  environment: EdgeEnvironment = realEnvironment(),
): EdgeWiring {
  const { config, logger } = options
  const { now } = environment
  const ring = new LiveKeyRing(config.keyRing)
  const self = selfOf(options, listeners)
  const membership = membershipOf(options, listeners, self)
  const out = Buffer.allocUnsafeSlow(LIMITS.headerSectionBytes + LIMITS.bodyBytes + ROOM_BYTES)
  const udpWays: UdpWays = new Map()
  const useUdp = (): void => {
    const { udp, udpFacing } = listeners
    if (udp !== undefined && udpFacing !== undefined) udpWays.set(udp.family, { listener: udp, facing: udpFacing })
  }
  useUdp()
  const hops = createHops(listeners, udpWays, membership, ring, environment, options)
  const measures = new Measures()
  const { layer, proxy } = createProxy(config, out, hops, measures)
  const admission = createAdmission(config, logger, environment.random)
  const counts = new EdgeCounts()
  const parts: Omit<EdgeCore, 'anyEdge'> = {
    config,
    edgeId: listeners.edgeId,
    edgeHash: listeners.edgeHash,
    layer,
    proxy,
    policy: options.policy,
    location: options.location,
    locationCache: createLocationCache(options, membership, now),
    hops,
    ring,
    routeOwner: routeOwnerOf(ring, membership),
    membership,
    reporter: new Reporter({ policy: options.policy, timeoutMs: config.rpc.timeoutMs, logger, now }),
    statelessWays: new StatelessWays(config.limits.maxTransactions),
    natPings: new NatPings(config.natPing.intervalMs, environment.random),
    decisions: new Decisions({ config, policy: options.policy, admission, counts, logger, now }),
    admission,
    banned: new BannedSources(),
    unreachables: new Unreachables(),
    tracing: options.tracing && new EdgeTracing({ ...options, edgeId: listeners.edgeId, membership }, options.tracing),
    callLog: createCallLog(config, logger),
    counts,
    measures,
    logger,
    edits: new Edits(),
    out,
    now,
  }
  // What it does needs the whole core.
  const core: EdgeCore = Object.assign(parts, { anyEdge: new AnyEdge(parts as EdgeCore) })
  membership.onGone = (edgeId) => core.anyEdge.takeover.onGone(edgeId)
  sendPushedNotifies(core)
  takeCommands(core)
  sendAsked(core)
  takeBans(core.policy, core.banned, now)
  return {
    core,
    useKeyRing: (secrets) => {
      ring.replace(secrets)
      admission.useKeyRing(secrets)
      core.callLog?.useKeyRing(secrets)
      self.keyRing = keyRingText(secrets)
      void membership.renew()
    },
    setDraining: () => {
      self.draining = true
    },
    useUdp,
  }
}

function membershipOf({ config, location, logger }: EdgeServiceOptions, listeners: Listeners, self: location.Edge) {
  return new Membership({
    location,
    self: () => self,
    facings: () => listeners.facings(),
    leaseMs: config.leaseMs,
    timeoutMs: config.rpc.timeoutMs,
    logger,
  })
}

function routeOwnerOf(ring: KeyRing, membership: Membership): EdgeCore['routeOwner'] {
  return {
    verifyToken: (msg, start, end): VerifiedToken | undefined => verifyTokenIn(msg, start, end, ring),
    isOwnAddress: (host, port) => membership.isOwnAddress(host, port),
  }
}

function realEnvironment(): EdgeEnvironment {
  return { now: () => performance.now(), resolver: createNodeResolver(), random: Math.random }
}

/** The layer and the proxy are each other's: the layer is made with a user that the proxy then becomes. */
function createProxy(
  config: EdgeServiceOptions['config'],
  out: Buffer,
  hops: Hops,
  { hop }: Measures,
): Pick<EdgeCore, 'layer' | 'proxy'> {
  const { t1Ms, t2Ms, t4Ms, timerCMs } = config.timers
  const maxServers = config.limits.maxTransactions
  let proxy: StatefulProxy | undefined
  const user: TransactionUser = {
    onResponse: (tx, msg) => proxy?.onResponse(tx, msg),
    onClientTimeout: (tx) => proxy?.onClientTimeout(tx),
    onClientTransportError: (tx) => proxy?.onClientTransportError(tx),
    onClientTerminated: (tx) => proxy?.onClientTerminated(tx),
    onAck: (tx, msg) => proxy?.onAck(tx, msg),
    onServerTransportError: () => proxy?.onServerTransportError(),
    onServerTerminated: (tx) => proxy?.onServerTerminated(tx),
  }
  const layer = new TransactionLayer({
    io: {
      send: (buf, start, end, peer) =>
        (peer as EdgePeer).send(buf, start, end) || hops.resend(buf, start, end, peer as EdgePeer),
    },
    user: withOwnRequests(user),
    timers: { t1Ms, t2Ms, t4Ms },
    limits: { maxServers, maxClients: maxServers },
  })
  proxy = new StatefulProxy({
    layer,
    timers: { timerCMs, cancelMs: 64 * t1Ms, lateTryingMs: lateTryingMs(t1Ms, t2Ms) },
    out,
    onHop: (ms) => hop.observe(ms / 1_000),
    onClientGone: (tx) => {
      if (tx.peer instanceof StreamPeer) tx.peer.clients.delete(tx)
    },
  })
  return { layer, proxy }
}

type UdpWays = Map<4 | 6, { readonly listener: UdpListener; readonly facing: Facing }>

function createHops(
  listeners: Listeners,
  udpWays: UdpWays,
  membership: Membership,
  ring: EdgeCore['ring'],
  environment: EdgeEnvironment,
  { config: { bindAddress, tls }, logger }: EdgeServiceOptions,
): Hops {
  const { udpFacing: udp, tcp } = listeners
  const transports: TransportName[] = [
    ...(udp === undefined ? [] : (['udp'] as const)),
    ...(tcp === undefined ? [] : (['tcp'] as const)),
    ...(listeners.moreStreams?.tls === undefined ? [] : (['tls'] as const)),
    ...(listeners.moreStreams?.sctp === undefined ? [] : (['sctp'] as const)),
  ]
  return new Hops({
    udp: udpWays,
    tcp,
    tcpFacing: listeners.tcpFacing,
    internalTcp: listeners.internalTcp,
    internalFacing: listeners.internalFacing,
    moreStreams: listeners.moreStreams,
    namesTls: tls.recordRoute === 'transport',
    // A name is asked for in the family that our sockets can send to.
    locator: new ServerLocator({
      ...environment,
      transports,
      families: [isIPv6(bindAddress) ? 6 : 4],
    }),
    membership,
    ring,
    edgeId: listeners.edgeId,
    edgeHash: listeners.edgeHash,
    now: environment.now,
    onBug: (error) => logger.error({ err: error }, 'bug: exception behind a DNS question'),
  })
}

function selfOf(options: EdgeServiceOptions, listeners: Listeners): location.Edge {
  const { config } = options
  return {
    id: listeners.edgeId,
    name: config.id,
    incarnation: listeners.edgeId.slice(config.id.length + 1),
    internalAddress: listeners.internalFacing.host,
    internalPort: listeners.internalFacing.port,
    listeners: listeners.facings().map((facing) => facing.name),
    draining: false,
    version: VERSION,
    keyRing: keyRingText(config.keyRing),
  }
}
