// SPDX-License-Identifier: MIT
//
// A whole cluster in memory: edges with their real handlers, location and policy in process, the embedded store, UDP of the in-memory
// network (datagrams in poisoned buffers), one clock that moves only when told. No socket, no sleep: a call takes microseconds.
// The edges take the ports of the quick start: edge k listens on <address>:5060 + 100k.
//
// Races: answers of the services come in microtasks; settle() hands out datagrams and turns until neither is left.
// Left out: streams (a contact on TCP is unreachable here), gRPC, timers of the services' own sweeps (call their steps), and the
// deadlines of a report and of an item, which run on the real clock and never fire here, where nothing waits.
import {
  createEdgeCore,
  type EdgeCore,
  edgeHashOf,
  Facing,
  type Listeners,
  Receiver,
  UdpSource,
} from '@tandem/edge/internal'
import { createLocationService, type LocationService } from '@tandem/location'
import { createPolicyService, type PolicyService } from '@tandem/policy'
import { loadResources, type ResourceSource, staticBindings } from '@tandem/resources'
import { createInProcess, locationService, policyService } from '@tandem/rpc'
import {
  type Config,
  createLogger,
  type EdgeConfig,
  edgeConfig,
  type Logger,
  loadConfig,
  locationConfig,
  policyConfig,
} from '@tandem/service-kit'
import { createMemoryStore, type Store } from '@tandem/store'
import { ServiceTracer, type Tracing } from '@tandem/telemetry'
import { FakeClock, InMemoryNetwork, type MemoryEndpoint, type MemoryNetworkOptions } from '@tandem/test-kit'
import { type DnsResolver, TcpTransport } from '@tandem/transport'

export interface MemoryClusterOptions {
  /** How long the store remembers a call that is over; 64 s. */
  readonly finishedKeepMs?: number
  /** Where the edges listen, 192.0.2.1 where absent. */
  readonly address?: string
  /** One where absent. */
  readonly edgeCount?: number
  /** Subscribers, domains, …; OPEN_DOMAIN where absent. */
  readonly resources?: readonly ResourceSource[]
  /** Settings by their dotted path. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly network?: MemoryNetworkOptions
  /** Traces all of it, as one process would. */
  readonly tracing?: Tracing
  /** Errors are collected in `problems` in any case. */
  readonly logLevel?: 'silent' | 'error' | 'warn' | 'info'
}

export interface MemoryEdge {
  readonly core: EdgeCore
  readonly receiver: Receiver
  readonly endpoint: MemoryEndpoint
  /** 'host:port', as in the trace of the network. */
  readonly place: string
  readonly useKeyRing: (ring: EdgeConfig['keyRing']) => void
}

const SECRET = 'in-memory-secret-of-tests-only'

/** A domain that lets alice and bob register and call without credentials, and leaves no records. */
export const OPEN_DOMAIN: readonly ResourceSource[] = [
  domain({ accounting: false, anonymous: 'allow' }),
  subscriber('alice'),
  subscriber('bob'),
]

/** The same with a record for each call. */
export const ACCOUNTED_DOMAIN: readonly ResourceSource[] = [
  domain({ accounting: true, anonymous: 'allow' }),
  subscriber('alice'),
  subscriber('bob'),
]

function domain(spec: Readonly<Record<string, unknown>>): ResourceSource {
  const open = { alsoBindAddress: true, authentication: 'none', identity: 'off' }
  return { apiVersion: 'tandem/v1', kind: 'Domain', metadata: { name: 'tandem.test' }, spec: { ...open, ...spec } }
}

function subscriber(name: string): ResourceSource {
  return { apiVersion: 'tandem/v1', kind: 'Subscriber', metadata: { name, domain: 'tandem.test' } }
}

/** Every name is unknown: nothing in memory has one. */
const NO_NAMES: DnsResolver = {
  naptr: () => Promise.resolve([]),
  srv: () => Promise.resolve([]),
  a: () => Promise.resolve([]),
  aaaa: () => Promise.resolve([]),
}

const TICK_MS = 10

export class MemoryCluster {
  readonly network: InMemoryNetwork
  readonly clock: FakeClock
  readonly store: Store
  readonly location: LocationService
  readonly policy: PolicyService
  readonly edges: readonly MemoryEdge[]
  /** What was logged as an error, bugs among it. */
  readonly problems: readonly string[]

  constructor(
    parts: Pick<MemoryCluster, 'network' | 'clock' | 'store' | 'location' | 'policy' | 'edges' | 'problems'>,
  ) {
    this.network = parts.network
    this.clock = parts.clock
    this.store = parts.store
    this.location = parts.location
    this.policy = parts.policy
    this.edges = parts.edges
    this.problems = parts.problems
  }

  get edge(): MemoryEdge {
    return this.edges[0] as MemoryEdge
  }

  /** Until nothing is on the way: no datagram, no item of a service. Time stands still. */
  async settle(): Promise<void> {
    do {
      this.network.run()
      await new Promise(setImmediate)
    } while (this.network.pendingCount > 0 || this.edges.some(isAsking))
  }

  /** Moves time on in steps of an edge's tick, and settles after each. */
  async advance(ms: number, stepMs = TICK_MS): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left))
      this.tick()
      if (this.network.pendingCount > 0 || this.edges.some(isAsking)) await this.settle()
    }
  }

  /** Timers of edges and store that are due by now. */
  tick(): void {
    const now = this.clock.now()
    for (const { core } of this.edges) {
      core.layer.tick(now)
      core.proxy.tick(now)
      core.natPings.tick(core, now)
      core.anyEdge.tick(now)
    }
    this.store.tick()
    this.policy.work.tick()
  }

  async close(): Promise<void> {
    for (const { core, endpoint } of this.edges) {
      core.reporter.close()
      await Promise.all([core.location.close(), core.policy.close(), endpoint.close()])
    }
    await this.store.close()
  }
}

function isAsking({ core }: MemoryEdge): boolean {
  const { location, policy } = core
  return location.counts.queued + location.counts.inFlight + policy.counts.queued + policy.counts.inFlight > 0
}

export async function createMemoryCluster(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  const config = await configOf(options)
  const clock = new FakeClock()
  const network = new InMemoryNetwork(options.network)
  const problems: string[] = []
  const logger = collectingLogger(options.logLevel ?? 'silent', problems)
  const store = createMemoryStore({
    now: clock.now,
    ...(options.finishedKeepMs !== undefined && { settings: { finishedKeepMs: options.finishedKeepMs } }),
  })
  const resources = await loadResources([...(options.resources ?? OPEN_DOMAIN)], { baseDir: '.', env: {} })
  if (!resources.ok) throw new Error(JSON.stringify(resources.problems))
  const location = createLocationService({
    store: store.location,
    config: locationConfig(config),
    logger,
    staticContacts: staticBindings(resources.set.resources),
  })
  const policy = createPolicyService({
    store: store.policy,
    accounts: store.accounts,
    fraud: store.fraud,
    config: policyConfig(config),
    resources: resources.set,
    logger,
    now: clock.now,
  })
  const world = { network, clock, location, policy, logger, tracing: options.tracing }
  const edges = Array.from({ length: config.edge.count }, (_, index) => createEdge(edgeConfig(config, index), world))
  for (const { core } of edges) await core.membership.renew()
  const cluster = new MemoryCluster({ network, clock, store, location, policy, edges, problems })
  cluster.tick() // timers count from the last tick
  return cluster
}

async function configOf(options: MemoryClusterOptions): Promise<Config> {
  const flags = {
    'cluster.secrets': [{ id: 1, secret: SECRET }],
    'edge.count': options.edgeCount ?? 1,
    'edge.bindAddress': options.address ?? '192.0.2.1',
    ...options.settings,
  }
  return loadConfig({ flags })
}

/** Keeps what is an error, bounded; the rest goes where `level` says. */
function collectingLogger(level: 'silent' | 'error' | 'warn' | 'info', problems: string[]): Logger {
  const logger = createLogger({ level, service: 'memory' })
  const keep = (...details: unknown[]): void => {
    if (problems.length < 100) problems.push(details.map(textOf).join(' '))
  }
  return Object.assign(Object.create(logger) as Logger, { error: keep })
}

function textOf(detail: unknown): string {
  if (typeof detail === 'string') return detail
  const error = (detail as { err?: unknown } | undefined)?.err
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(detail)
}

interface World {
  readonly network: InMemoryNetwork
  readonly clock: FakeClock
  readonly location: LocationService
  readonly policy: PolicyService
  readonly logger: Logger
  readonly tracing: Tracing | undefined
}

function createEdge(config: EdgeConfig, world: World): MemoryEdge {
  const { network, clock, logger, tracing } = world
  const edgeId = `${config.id}.${config.index}`
  const edgeHash = edgeHashOf(edgeId)
  const facing = new Facing({
    transport: 'udp',
    host: config.bindAddress,
    port: config.sipPort,
    edgeHash,
    internal: false,
  })
  // The core needs the endpoint, and the endpoint's sink the receiver, which is made of the core.
  const source = new UdpSource(facing, (buf, start, end, from) => receiver.receive(buf, start, end, from))
  const endpoint = network.endpoint(config.bindAddress, config.sipPort, source)
  const listeners = listenersOf(config, { edgeId, edgeHash, facing, endpoint })
  const environment = { now: clock.now, resolver: NO_NAMES, random: () => 0.5 }
  const options = { config, ...callersOf(config, world), logger, tracing }
  const { core, useKeyRing } = createEdgeCore(options, listeners, environment)
  const receiver = new Receiver(core)
  return { core, receiver, endpoint, place: facing.name.slice('udp:'.length), useKeyRing }
}

function callersOf(config: EdgeConfig, { location, policy, logger, tracing }: World) {
  const tracerOf = (service: string) => tracing && new ServiceTracer(tracing, { service, attributes: {} })
  const common = {
    peer: config.id,
    onBug: (error: unknown, where: string): void => logger.error({ err: error }, where),
  }
  const { handlers, pushes, hooks } = location
  return {
    location: createInProcess(locationService, handlers, { ...common, ...hooks, pushes, tracer: tracerOf('location') }),
    policy: createInProcess(policyService, policy.handlers, {
      ...common,
      pushes: policy.pushes,
      tracer: tracerOf('policy'),
    }),
  }
}

interface OneListener {
  readonly edgeId: string
  readonly edgeHash: number
  readonly facing: Facing
  readonly endpoint: MemoryEndpoint
}

function listenersOf(config: EdgeConfig, { edgeId, edgeHash, facing, endpoint }: OneListener): Listeners {
  const internalTcp = new TcpTransport({
    sink: { onMessage: ignore, onClose: ignore, onFramingError: ignore },
    limits: { maxConnections: 0 },
  })
  const internalPlace = { transport: 'tcp', host: config.bindAddress, port: config.internalPort } as const
  return {
    edgeId,
    edgeHash,
    udp: endpoint,
    udpFacing: facing,
    tcp: undefined,
    tcpFacing: undefined,
    internalTcp,
    internalFacing: new Facing({ ...internalPlace, edgeHash, internal: true }),
    onConnectionLost: ignore,
    facings: () => [facing],
    allUdp: () => [endpoint],
    allTcp: () => [internalTcp],
    close: () => endpoint.close(),
  }
}

function ignore(): void {
  // No stream ever opens here.
}
