// SPDX-License-Identifier: MIT
//
// For this service's tests: one edge with its real handlers over a UDP socket and TCP connections that only write down, and
// location and policy that a test answers by hand, each call when it likes.
import type {
  Caller,
  LocationMethods,
  LocationWatch,
  location,
  MethodMap,
  OnResult,
  PolicyMethods,
  policy,
} from '@tandem/rpc'
import { done } from '@tandem/rpc'
import { createLogger, type EdgeConfig, edgeConfig, loadConfig } from '@tandem/service-kit'
import { SipMessage, scan } from '@tandem/sip'
import type { Tracing } from '@tandem/telemetry'
import type { Connection, DnsResolver, TcpTransport, UdpListener } from '@tandem/transport'
import type { EdgeCore } from './core.ts'
import { Facing } from './listeners/facing.ts'
import { type Listeners, UdpSource } from './listeners/listeners.ts'
import { type EdgePeer, type StreamPeer, streamPeer } from './listeners/peers.ts'
import { edgeHashOf } from './membership/edge-hash.ts'
import { Receiver } from './receive.ts'
import { createEdgeCore } from './wiring.ts'

export const EDGE_ADDRESS = '198.51.100.1'
export const ALICE = '192.0.2.20'
export const BOB = '192.0.2.30'

export interface Sent {
  readonly text: string
  /** "udp 192.0.2.20:5060" or "tcp 7". */
  readonly to: string
}

export interface PendingItem {
  readonly method: string
  readonly request: unknown
  readonly onResult: OnResult<never>
}

/** A service that answers when the test says so. */
export class ManualService {
  readonly items: PendingItem[] = []
  readonly counts = { items: 0, batches: 0, refused: 0, unknown: 0, inFlight: 0, queued: 0 }
  ready = true
  /** Answered at once, by method. */
  readonly defaults = new Map<string, unknown>()
  private readonly pushListeners: ((push: never) => void)[] = []
  private readonly readyListeners: ((ready: boolean) => void)[] = []

  call(method: string, request: unknown, _timeoutMs: number, onResult: OnResult<never>): void {
    if (this.defaults.has(method)) return onResult(done(this.defaults.get(method)) as never)
    this.items.push({ method, request, onResult })
    this.counts.inFlight += 1
  }

  invoke(method: string, request: unknown): Promise<never> {
    return new Promise((resolve) => this.call(method, request, 0, resolve as unknown as OnResult<never>))
  }

  onPush(listener: (push: never) => void): void {
    this.pushListeners.push(listener)
  }

  onReadyChange(listener: (ready: boolean) => void): void {
    this.readyListeners.push(listener)
  }

  async close(): Promise<void> {}

  push(push: unknown): void {
    for (const listener of this.pushListeners) listener(push as never)
  }

  setReady(ready: boolean): void {
    for (const listener of this.readyListeners) listener(ready)
  }

  /** Takes the oldest waiting item of this method. */
  take<T>(method: string): { readonly request: T; answer(value: unknown): void; end(result: unknown): void } {
    const at = this.items.findIndex((item) => item.method === method)
    const item = this.items[at]
    if (item === undefined) throw new Error(`nobody called ${method}`)
    this.items.splice(at, 1)
    const end = (result: unknown): void => {
      this.counts.inFlight -= 1
      item.onResult(result as never)
    }
    return { request: item.request as T, answer: (value) => end(done(value)), end }
  }

  waiting(): string[] {
    return this.items.map((item) => item.method)
  }
}

export function callerOf<M extends MethodMap, P>(service: ManualService): Caller<M, P> {
  return service as unknown as Caller<M, P>
}

export class FakeConnection {
  readonly id: number
  transport = 'tcp'
  readonly reliable = true
  readonly inbound = true
  readonly remoteAddress: string
  readonly remotePort: number
  readonly verifiedNames: readonly string[] = []
  isOpen = true
  context: unknown
  private readonly sent: Sent[]

  constructor(id: number, remoteAddress: string, remotePort: number, sent: Sent[]) {
    this.id = id
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
    this.sent = sent
  }

  send(buf: Buffer, start: number, end: number): boolean {
    if (this.isOpen) this.sent.push({ text: buf.latin1Slice(start, end), to: `tcp ${this.id}` })
    return this.isOpen
  }

  close(): void {
    this.isOpen = false
  }
}

/** Connections by id; connect() opens one. */
class FakeTcp {
  readonly counters = {}
  readonly connections: FakeConnection[] = []
  private readonly firstId: number
  private readonly sent: Sent[]

  constructor(firstId: number, sent: Sent[]) {
    this.firstId = firstId
    this.sent = sent
  }

  find(id: number): FakeConnection | undefined {
    return this.connections.find((connection) => connection.id === id)
  }

  connect(address: string, port: number): FakeConnection {
    const known = this.connections.find((c) => c.isOpen && c.remoteAddress === address && c.remotePort === port)
    if (known !== undefined) return known
    const connection = new FakeConnection(this.firstId + this.connections.length, address, port, this.sent)
    this.connections.push(connection)
    return connection
  }
}

export function testConfig(settings: Readonly<Record<string, unknown>> = {}): EdgeConfig {
  const flags = {
    'cluster.secrets': [{ id: 1, secret: 'a secret for tests only' }],
    'edge.bindAddress': EDGE_ADDRESS,
    ...settings,
  }
  return edgeConfig(loadConfig({ env: {}, flags }))
}

export class EdgeBench {
  readonly location = new ManualService()
  readonly policy = new ManualService()
  readonly sent: Sent[] = []
  readonly tcp = new FakeTcp(1, this.sent)
  readonly internalTcp = new FakeTcp(1001, this.sent)
  readonly core: EdgeCore
  readonly receiver: Receiver
  nowMs = 1_000_000
  private taken = 0
  private readonly udpSource: UdpSource
  private readonly udp: UdpListener
  private readonly listeners: Listeners

  /** @param locationWatch with it bindings are kept */
  constructor(
    settings: Readonly<Record<string, unknown>> = {},
    edgeId = 'edge-0.test',
    names = NO_NAMES,
    locationWatch?: LocationWatch,
    tracing?: Tracing,
  ) {
    const config = testConfig(settings)
    const edgeHash = edgeHashOf(edgeId)
    const facing = (transport: 'udp' | 'tcp', port: number, internal: boolean): Facing =>
      new Facing({ transport, host: config.bindAddress, port, edgeHash, internal })
    const udpFacing = facing('udp', 5060, false)
    const tcpFacing = facing('tcp', 5060, false)
    this.udp = this.fakeUdp()
    this.udpSource = new UdpSource(udpFacing, (buf, start, end, source) => {
      this.receiver.receive(buf, start, end, source)
    })
    this.udpSource.obeysMaddr = config.viaMaddr === 'obey'
    this.listeners = {
      edgeId,
      edgeHash,
      udp: this.udp,
      udpFacing,
      tcp: this.tcp as unknown as TcpTransport,
      tcpFacing,
      internalTcp: this.internalTcp as unknown as TcpTransport,
      internalFacing: facing('tcp', 5150, true),
      onConnectionLost: () => undefined,
      facings: () => [udpFacing, tcpFacing],
      allUdp: () => [this.udp],
      allTcp: () => [],
      close: async () => undefined,
    }
    const { core } = createEdgeCore(
      {
        config,
        location: callerOf<LocationMethods, location.Push>(this.location),
        policy: callerOf<PolicyMethods, policy.Push>(this.policy),
        locationWatch,
        logger: createLogger({ level: 'silent', service: 'test' }),
        tracing,
      },
      this.listeners,
      { now: () => this.nowMs, resolver: names, random: () => 0.5 },
    )
    this.core = core
    this.receiver = new Receiver(core)
    this.location.defaults.set('readCall', { entry: undefined })
    this.tick()
    void core.membership.start()
    this.joined([])
  }

  /** Location answers the lease with these edges besides this one. */
  joined(others: readonly location.Edge[], revision = 1n): void {
    const edges = [edgeOf(this.core.edgeId, this.core.config.bindAddress), ...others]
    if (this.location.waiting().includes('leaseEdge')) {
      this.location.take('leaseEdge').answer({ edges: { revision, edges } })
    } else this.location.push({ event: { $case: 'edges', value: { revision, edges } } })
  }

  /** A datagram; its buffer is overwritten afterwards. */
  udpIn(text: string, address = ALICE, port = 5060): void {
    const buf = Buffer.from(`..${text}`, 'latin1')
    this.udpSource.onDatagram(buf, 2, buf.length, address, port, this.udp)
    buf.fill(0xa5)
  }

  /** A message on a connection. */
  tcpIn(text: string, connection: FakeConnection, internal = false): void {
    const { internalFacing, tcpFacing } = this.listeners
    const peer = this.peerOf(connection, internal ? internalFacing : (tcpFacing as Facing))
    const buf = Buffer.from(text, 'latin1')
    this.receiver.receive(buf, 0, buf.length, { peer: (): EdgePeer => peer, internal })
    buf.fill(0xa5)
  }

  peerOf(connection: FakeConnection, facing = this.listeners.tcpFacing as Facing): StreamPeer {
    return streamPeer(connection as unknown as Connection, facing)
  }

  /** Policy decides for the request at hand. */
  decide(verdict: policy.DecideResponse['verdict'], callRef = ''): void {
    this.policy.take('decide').answer({ verdict, callRef, identity: '', account: '' })
  }

  /** A plan of URIs, one step for each list. */
  plan(steps: readonly (readonly string[])[], extra: Partial<policy.Plan> = {}, callRef = ''): void {
    const value = {
      steps: steps.map((uris) => ({
        ...stepOf({}),
        targets: uris.map((uri) => targetOf({ $case: 'uri', value: uri })),
      })),
      edits: [],
      maxDurationS: 0,
      accounting: callRef !== '',
      stateless: false,
      maxRecursions: 0,
      sourceTrusted: false,
      ...extra,
    }
    this.decide({ $case: 'plan', value }, callRef)
  }

  /** The directory takes the call. */
  begin(): void {
    this.location.take('beginCall').answer({ created: true, owner: this.core.edgeId, epoch: 1 })
  }

  /** First words and places of what was sent since the last call. */
  take(): string[] {
    const since = this.sent.slice(this.taken)
    this.taken = this.sent.length
    return since.map(({ text, to }) => `${wordOf(text)} → ${to}`)
  }

  /** The last message sent with this first word. */
  last(word: string): string {
    const found = this.sent.findLast(({ text }) => wordOf(text) === word)
    if (found === undefined) throw new Error(`no ${word} was sent`)
    return found.text
  }

  advance(ms: number): void {
    const until = this.nowMs + ms
    while (this.nowMs < until) {
      this.nowMs = Math.min(until, this.nowMs + 50)
      this.tick()
    }
  }

  close(): void {
    this.core.reporter.close()
    void this.core.membership.leave()
  }

  private tick(): void {
    this.core.layer.tick(this.nowMs)
    this.core.proxy.tick(this.nowMs)
    this.core.anyEdge.tick(this.nowMs)
    this.core.natPings.tick(this.core, this.nowMs)
  }

  private fakeUdp(): UdpListener {
    const send = (buf: Buffer, start: number, end: number, port: number, address: string): void => {
      this.sent.push({ text: buf.latin1Slice(start, end), to: `udp ${address}:${port}` })
    }
    const fake = { transport: 'udp', reliable: false, address: EDGE_ADDRESS, port: 5060, family: 4, counters: {}, send }
    return fake as unknown as UdpListener
  }
}

const noNames = (): Promise<never[]> => Promise.resolve([])
const NO_NAMES: DnsResolver = { naptr: noNames, srv: noNames, a: noNames, aaaa: noNames }

/** DNS that knows the addresses of some hosts, in the order given. */
export function namesOf(hosts: Readonly<Record<string, readonly string[]>>): DnsResolver {
  return {
    ...NO_NAMES,
    a: (name) => Promise.resolve((hosts[name] ?? []).map((address) => ({ address, ttl: 60 }))),
  }
}

/** An edge as location tells of it. */
export function edgeOf(id: string, address: string): location.Edge {
  const [name = '', incarnation = ''] = id.split('.')
  const listeners = [`udp:${address}:5060`, `tcp:${address}:5060`]
  return {
    id,
    name,
    incarnation,
    internalAddress: address,
    internalPort: 5150,
    listeners,
    draining: false,
    version: '',
  }
}

export function bindingOf(uri: string, flow?: Partial<location.Flow>): location.Binding {
  return {
    uri,
    expiresS: 60,
    qMilli: 1000,
    callId: 'r',
    cseq: 1,
    instanceId: '',
    regId: 0,
    flow: flow && { transport: 'udp', address: BOB, port: 5060, edgeId: '', flowId: 0, ...flow },
    path: [],
    params: '',
    userAgent: '',
  }
}

export interface RequestOptions {
  readonly method?: string
  readonly uri?: string
  readonly via?: string
  readonly branch?: string
  readonly toTag?: string
  readonly fromTag?: string
  readonly callId?: string
  readonly cseq?: number
  readonly headers?: readonly string[]
}

export function requestText(options: RequestOptions = {}): string {
  const { method = 'INVITE', uri = 'sip:bob@example.test', headers = [], toTag, fromTag = 'alice' } = options
  return [
    `${method} ${uri} SIP/2.0`,
    options.via ?? `Via: SIP/2.0/UDP ${ALICE}:5060;branch=${options.branch ?? 'z9hG4bK-a1'}`,
    ...(headers.some((line) => line.startsWith('Max-Forwards')) ? [] : ['Max-Forwards: 70']),
    ...headers,
    `From: <sip:alice@example.test>;tag=${fromTag}`,
    `To: <sip:bob@example.test>${toTag === undefined ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${options.callId ?? 'call-1'}`,
    `CSeq: ${options.cseq ?? 1} ${method}`,
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
}

/** A response to a request as it was sent. */
export function responseTo(request: string, status: number, tag = 'bob', headers: readonly string[] = []): string {
  const lines = request.slice(0, request.indexOf('\r\n\r\n')).split('\r\n')
  const copied = lines.filter((line) => /^(Via|From|Call-ID|CSeq|Record-Route):/.test(line))
  const to = lines.find((line) => line.startsWith('To:')) ?? ''
  const toLine = to.includes(';tag=') || status === 100 ? to : `${to};tag=${tag}`
  return [`SIP/2.0 ${status} Reason`, ...copied, toLine, ...headers, 'Content-Length: 0', '\r\n'].join('\r\n')
}

/** Values of a header, one a line. */
export function valuesOf(text: string, name: string): string[] {
  return text
    .slice(0, text.indexOf('\r\n\r\n'))
    .split('\r\n')
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2))
}

export function wordOf(text: string): string {
  return text.startsWith('SIP/2.0 ') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))
}

export function messageOf(text: string): SipMessage {
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  const error = scan(msg, buf, 0, buf.length)
  if (error !== 0) throw new Error(`test message does not scan: ${error}`)
  return msg
}

/** A target of a plan with nothing special about it. */
export function targetOf(
  where: NonNullable<policy.Target['where']>,
  extra: Partial<policy.Target> = {},
): policy.Target {
  return {
    where,
    instanceId: '',
    registrationHash: 0,
    trusted: false,
    retarget: undefined,
    qMilli: 0,
    ...extra,
  }
}

/** A step of a plan: all at once, until Timer C, every failure but 6xx goes on. */
export function stepOf(step: Partial<policy.Step>): policy.Step {
  return { targets: [], ringMs: 0, retryStatuses: [], forking: 0, ...step }
}
