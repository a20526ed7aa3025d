// SPDX-License-Identifier: MIT
//
// Edges behind one address in memory, as a load balancer or SO_REUSEPORT has them: the test says which edge gets a datagram. Edges can be
// killed without a word, frozen, and started later; location and policy with the embedded store outlive them all. One clock,
// which moves only when told; edges renew their leases as it does.
//
// Left out: gRPC, streams toward phones, and what runs on the real clock (the deadlines of reports and of items).
import {
  createEdgeCore,
  type EdgeCore,
  edgeHashOf,
  Facing,
  type Listeners,
  Receiver,
  streamPeer,
  UdpSource,
} from '@tandem/edge/internal'
import { createLocationService, type LocationService } from '@tandem/location'
import { createPolicyService, type PolicyService } from '@tandem/policy'
import { loadResources, type ResourceSource, staticBindings } from '@tandem/resources'
import { type Caller, createInProcess, locationService, type MethodMap, policyService } from '@tandem/rpc'
import { createLogger, edgeConfig, type Logger, loadConfig, locationConfig, policyConfig } from '@tandem/service-kit'
import { createMemoryStore, type Store } from '@tandem/store'
import { FakeClock, InMemoryNetwork, type MemoryEndpoint } from '@tandem/test-kit'
import type { CloseReason, Connection } from '@tandem/transport'
import { OPEN_DOMAIN } from './memory-cluster.ts'
import { type MemoryStreamHost, MemoryStreams } from './memory-streams.ts'

export const SHARED_ADDRESS = '192.0.2.1'
const SIP_PORT = 5060
const TICK_MS = 10

export interface SharedClusterOptions {
  readonly edgeCount?: number
  readonly resources?: readonly ResourceSource[]
  readonly settings?: Readonly<Record<string, unknown>>
}

export interface SharedEdge {
  readonly core: EdgeCore
  readonly receiver: Receiver
  readonly source: UdpSource
  readonly stream: MemoryStreamHost
  readonly life: Life
}

/** While it lasts, an edge hears and is heard. */
class Life {
  isOver = false
}

/** Which edge gets this datagram. */
export type Steer = (text: string, address: string, port: number) => number

const NO_NAMES = {
  naptr: () => Promise.resolve([]),
  srv: () => Promise.resolve([]),
  a: () => Promise.resolve([]),
  aaaa: () => Promise.resolve([]),
}

export class SharedCluster {
  readonly network = new InMemoryNetwork()
  readonly streams = new MemoryStreams()
  readonly clock: FakeClock
  readonly edges: SharedEdge[] = []
  readonly problems: string[] = []
  readonly store: Store
  readonly location: LocationService
  readonly policy: PolicyService
  steer: Steer = () => 0
  private readonly options: SharedClusterOptions
  private readonly endpoint: MemoryEndpoint
  private readonly logger: Logger
  private incarnation = 0
  private sinceLease = 0

  private constructor(
    options: SharedClusterOptions,
    parts: Pick<SharedCluster, 'clock' | 'store' | 'location' | 'policy'>,
  ) {
    this.options = options
    this.clock = parts.clock
    this.store = parts.store
    this.location = parts.location
    this.policy = parts.policy
    this.logger = Object.assign(Object.create(createLogger({ level: 'silent', service: 'memory' })) as Logger, {
      error: (...details: unknown[]) => this.problems.push(details.map((one) => textOf(one)).join(' ')),
    })
    this.endpoint = this.network.endpoint(SHARED_ADDRESS, SIP_PORT, (buf, start, end, address, port) => {
      const chosen = this.edges[this.steer(buf.toString('latin1', start, end), address, port)]
      const edge = chosen?.life.isOver === false ? chosen : this.edges.find(({ life }) => !life.isOver)
      edge?.source.onDatagram(buf, start, end, address, port, this.mortal(edge.life))
    })
  }

  static async create(options: SharedClusterOptions = {}): Promise<SharedCluster> {
    const config = configOf(options, 0)
    const clock = new FakeClock()
    const store = createMemoryStore({ now: clock.now })
    const resources = await loadResources([...(options.resources ?? OPEN_DOMAIN)], { baseDir: '.', env: {} })
    if (!resources.ok) throw new Error(JSON.stringify(resources.problems))
    const logger = createLogger({ level: 'silent', service: 'memory' })
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
    const cluster = new SharedCluster(options, { clock, store, location, policy })
    for (let k = 0; k < (options.edgeCount ?? 2); k += 1) await cluster.start()
    return cluster
  }

  /** One more edge; at the place of one that is gone it is its next incarnation. */
  async start(index = this.edges.length): Promise<SharedEdge> {
    const edge = this.createEdge(index)
    this.edges[index] = edge
    await edge.core.membership.renew()
    await this.settle()
    edge.core.layer.tick(this.clock.now())
    edge.core.proxy.tick(this.clock.now())
    return edge
  }

  /** SIGKILL: nothing leaves it any more, and nothing reaches it. */
  kill(index: number): void {
    const edge = this.edge(index)
    edge.life.isOver = true
    this.streams.kill(edge.stream)
  }

  edge(index: number): SharedEdge {
    return this.edges[index] as SharedEdge
  }

  async settle(): Promise<void> {
    do {
      this.network.run()
      this.streams.run()
      await new Promise(setImmediate)
    } while (this.isBusy())
  }

  async advance(ms: number, stepMs = TICK_MS): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left))
      this.tick(Math.min(stepMs, left))
      if (this.isBusy()) await this.settle()
    }
  }

  async close(): Promise<void> {
    for (const { core, life } of this.edges) {
      life.isOver = true
      core.reporter.close()
      await Promise.all([core.location.close(), core.policy.close()])
    }
    await this.store.close()
  }

  private isBusy(): boolean {
    return this.network.pendingCount > 0 || this.streams.pendingCount > 0 || this.living().some(isAsking)
  }

  private living(): SharedEdge[] {
    return this.edges.filter(({ life }) => !life.isOver)
  }

  private tick(ms: number): void {
    const now = this.clock.now()
    for (const { core, stream } of this.living()) {
      if (stream.isFrozen) continue
      core.layer.tick(now)
      core.proxy.tick(now)
      core.anyEdge.tick(now)
    }
    this.store.tick()
    this.sinceLease += ms
    if (this.sinceLease < this.edge(0).core.config.leaseMs / 3) return
    this.sinceLease = 0
    for (const { core } of this.living()) void core.membership.renew()
  }

  private createEdge(index: number): SharedEdge {
    const config = edgeConfig(configOf(this.options, this.options.edgeCount ?? 2), index)
    this.incarnation += 1
    const edgeId = `${config.id}.${this.incarnation.toString(36)}`
    const edgeHash = edgeHashOf(edgeId)
    const life = new Life()
    const place = { host: SHARED_ADDRESS, edgeHash }
    const facing = new Facing({ ...place, transport: 'udp', port: SIP_PORT, internal: false })
    const internalFacing = new Facing({ ...place, transport: 'tcp', port: config.internalPort, internal: true })
    const stream = this.streams.listen(config.internalPort)
    const source = new UdpSource(facing, (buf, start, end, from) => receiver.receive(buf, start, end, from))
    const listeners = listenersOf(edgeId, edgeHash, this.mortal(life), facing, internalFacing, stream)
    const environment = { now: this.clock.now, resolver: NO_NAMES, random: () => 0.5 }
    const callers = this.callersOf(config.id, life)
    const { core } = createEdgeCore({ config, ...callers, logger: this.logger }, listeners, environment)
    const receiver = new Receiver(core)
    connectStream(stream, core, receiver, internalFacing)
    return { core, receiver, source, stream, life }
  }

  /** The shared socket, as long as the edge lives. */
  private mortal(life: Life): MemoryEndpoint {
    const { endpoint } = this
    const own = {
      transport: 'udp',
      reliable: false,
      family: endpoint.family,
      address: endpoint.address,
      port: endpoint.port,
      counters: endpoint.counters,
      send: (buf: Buffer, start: number, end: number, port: number, address: string) => {
        if (!life.isOver) endpoint.send(buf, start, end, port, address)
      },
      flush: () => undefined,
      close: () => Promise.resolve(),
    }
    return own as unknown as MemoryEndpoint
  }

  private callersOf(peer: string, life: Life) {
    const onBug = (error: unknown, where: string): void => void this.problems.push(`${where} ${textOf({ err: error })}`)
    const { handlers, pushes, hooks } = this.location
    const toPolicy = { peer, onBug, pushes: this.policy.pushes }
    return {
      location: mortalCaller(createInProcess(locationService, handlers, { peer, onBug, ...hooks, pushes }), life),
      policy: mortalCaller(createInProcess(policyService, this.policy.handlers, toPolicy), life),
    }
  }
}

/** What a dead edge asks nobody hears, and what was asked it never learns. */
function mortalCaller<M extends MethodMap, P>(caller: Caller<M, P>, life: Life): Caller<M, P> {
  return {
    call: (method, request, timeoutMs, onResult) => {
      if (life.isOver) return
      caller.call(method, request, timeoutMs, (result) => {
        if (!life.isOver) onResult(result)
      })
    },
    invoke: (method, request, timeoutMs) => caller.invoke(method, request, timeoutMs),
    onPush: (listener) =>
      caller.onPush((push, reply) => {
        if (!life.isOver) listener(push, reply)
      }),
    onReadyChange: (listener) => caller.onReadyChange(listener),
    close: () => caller.close(),
    get ready() {
      return caller.ready
    },
    get counts() {
      return caller.counts
    },
  }
}

function isAsking({ core }: SharedEdge): boolean {
  const { location, policy } = core
  return location.counts.queued + location.counts.inFlight + policy.counts.queued + policy.counts.inFlight > 0
}

function configOf(options: SharedClusterOptions, edgeCount: number) {
  return loadConfig({
    env: {},
    flags: {
      'cluster.secrets': [{ id: 1, secret: 'in-memory-secret-of-tests-only' }],
      'edge.count': Math.max(1, edgeCount),
      'edge.bindAddress': SHARED_ADDRESS,
      'edge.sharedAddress': true,
      ...options.settings,
    },
  })
}

function connectStream(stream: MemoryStreamHost, core: EdgeCore, receiver: Receiver, facing: Facing): void {
  stream.sink = {
    onMessage: (connection: Connection, buf: Buffer, start: number, end: number) =>
      receiver.receive(buf, start, end, { internal: true, peer: () => streamPeer(connection, facing) }),
    onClose: (connection: Connection, _reason: CloseReason) => {
      const peer = streamPeer(connection, facing)
      core.anyEdge.relays.onLost(peer)
    },
    onFramingError: () => undefined,
  }
}

function listenersOf(
  edgeId: string,
  edgeHash: number,
  endpoint: MemoryEndpoint,
  facing: Facing,
  internalFacing: Facing,
  stream: MemoryStreamHost,
): Listeners {
  return {
    edgeId,
    edgeHash,
    udp: endpoint,
    udpFacing: facing,
    tcp: undefined,
    tcpFacing: undefined,
    internalTcp: stream.asTransport(),
    internalFacing,
    onConnectionLost: () => undefined,
    facings: () => [facing],
    allUdp: () => [endpoint],
    allTcp: () => [],
    close: () => Promise.resolve(),
  }
}

function textOf(detail: unknown): string {
  if (typeof detail === 'string') return detail
  const error = (detail as { err?: unknown } | undefined)?.err
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(detail)
}
