// SPDX-License-Identifier: MIT
// Runs real Redis servers for tests: one, or a cluster of three masters with a replica each, on free ports of 127.0.0.1, with their files in
// a temporary folder. Everything waits with a bound, and every server ends with this process.
// With TLS a server listens on a second port; its replication, and a cluster's bus, run over TLS then. ask() stays plain.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { type ManagedProcess, startProcess } from './process.ts'
import { type Availability, findFile, findProgram } from './program.ts'
import { askRedis } from './resp-client.ts'
import { waitUntil } from './wait.ts'

export interface RedisOptions {
  /** Further settings as lines of redis.conf, 'name value'. */
  readonly config?: readonly string[]
  readonly password?: string
  readonly tls?: RedisTlsFiles
  /** Further environment of the server: a steered clock's, for example. */
  readonly env?: Readonly<Record<string, string>>
  /** Of the whole start; 15 s where absent. */
  readonly timeoutMs?: number
}

/** PEM files; clients need no certificate. */
export interface RedisTlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

export interface RedisClusterOptions extends RedisOptions {
  /** cluster-node-timeout; 1 s where absent. */
  readonly nodeTimeoutMs?: number
}

export interface RunningRedis {
  /** redis://[:password@]127.0.0.1:port, or rediss:// at tlsPort */
  readonly url: string
  readonly port: number
  /** 0 without TLS. */
  readonly tlsPort: number
  /** Of the server that runs now. */
  readonly pid: number
  readonly folder: string
  /** Its log since the last start. */
  output(): string
  /** One command; the reply's text, arrays as lines. Rejects on an error reply. */
  ask(...words: string[]): Promise<string>
  /** As a crash: SIGKILL. The folder stays, start() brings it back on the same port. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: a server that is there and does not answer. */
  pause(): void
  resume(): void
  start(): Promise<void>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

export interface RunningRedisCluster {
  /** redis-cluster://[:password@]host:port,host:port,…, with ?tls=true where it is so */
  readonly url: string
  /** The first three are masters at the start, the i + 3rd is the replica of the ith. */
  readonly nodes: readonly RunningRedis[]
  /** cluster_state:ok on every node that answers, and at least one does. */
  waitUntilOk(timeoutMs?: number): Promise<void>
  stop(): Promise<void>
}

const MASTERS = 3
const NODES = 6
const SLOTS = 16_384
const START_ATTEMPTS = 3

/** TANDEM_TEST_REDIS names another server than the one on the PATH: a file. */
export function redisAvailable(): Availability {
  const chosen = process.env.TANDEM_TEST_REDIS ?? ''
  if (chosen !== '') return findFile(chosen)
  return findProgram(['redis-server', 'valkey-server'], 'redis-server')
}

/** Starts a server and comes back when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  return startFresh(options, async () => [])
}

/** Three masters with a replica each; comes back when every node says cluster_state:ok and every replica has its master's data. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RunningRedisCluster> {
  const nodes: RunningRedis[] = []
  try {
    for (let i = 0; i < NODES; i++) nodes.push(await startFresh(options, () => clusterSettings(options)))
    await formCluster(nodes, options.timeoutMs ?? 15_000)
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()))
    throw error
  }
  const places = nodes.map((node) => `127.0.0.1:${node.tlsPort || node.port}`).join(',')
  return {
    url: `redis-cluster://${credentials(options.password)}${places}${options.tls ? '?tls=true' : ''}`,
    nodes,
    waitUntilOk: (timeoutMs = 15_000) => waitUntil('cluster_state:ok', () => isClusterOk(nodes), timeoutMs),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

async function clusterSettings(options: RedisClusterOptions): Promise<string[]> {
  return [
    'cluster-enabled yes',
    'cluster-config-file nodes.conf',
    `cluster-node-timeout ${options.nodeTimeoutMs ?? 1_000}`,
    `cluster-port ${await freePort()}`,
    'repl-diskless-sync-delay 0',
    ...(options.tls ? ['tls-cluster yes'] : []),
  ]
}

/** Another process may take the port between the choice and the start, so it is tried again with others. */
async function startFresh(options: RedisOptions, settings: () => Promise<string[]>): Promise<RunningRedis> {
  for (let attempt = 1; ; attempt++) {
    const tlsPort = options.tls ? await freePort() : 0
    const server = new RedisServer(options, await freePort(), tlsPort, await settings(), await temporaryFolder())
    try {
      await server.start()
      return server
    } catch (error) {
      await server.stop()
      if (attempt >= START_ATTEMPTS) throw error
    }
  }
}

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tandem-redis-'))
}

function credentials(password: string | undefined): string {
  return password === undefined ? '' : `:${encodeURIComponent(password)}@`
}

class RedisServer implements RunningRedis {
  readonly url: string
  readonly port: number
  readonly tlsPort: number
  readonly folder: string
  readonly #options: RedisOptions
  readonly #settings: readonly string[]
  #process: ManagedProcess | undefined

  constructor(options: RedisOptions, port: number, tlsPort: number, settings: readonly string[], folder: string) {
    this.#options = options
    this.#settings = settings
    this.port = port
    this.tlsPort = tlsPort
    this.folder = folder
    const [scheme, place] = options.tls ? ['rediss', tlsPort] : ['redis', port]
    this.url = `${scheme}://${credentials(options.password)}127.0.0.1:${place}`
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  output(): string {
    return this.#process?.output() ?? ''
  }

  ask(...words: string[]): Promise<string> {
    return askRedis(this.port, words, this.#options.password)
  }

  async start(): Promise<void> {
    if (this.#process !== undefined && this.#process.end === undefined) return
    const program = redisAvailable()
    if (!program.available) throw new Error(program.reason)
    const child = await startProcess({
      command: program.path,
      args: ['-'],
      cwd: this.folder,
      env: this.#options.env ?? {},
    })
    this.#process = child
    child.write(this.#configuration())
    child.endInput()
    await waitUntil(`redis on port ${this.port}`, () => this.#isReady(child), this.#options.timeoutMs ?? 15_000)
  }

  pause(): void {
    this.#process?.signal('SIGSTOP')
  }

  resume(): void {
    this.#process?.signal('SIGCONT')
  }

  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL')
    await this.#process?.waitForEnd(5_000)
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  #configuration(): string {
    const { password, config } = this.#options
    const secrets = password === undefined ? [] : [`requirepass ${password}`, `masterauth ${password}`]
    const own = ['bind 127.0.0.1', `port ${this.port}`, 'save ""', 'appendonly no', `dir ${this.folder}`]
    return `${[...own, ...secrets, ...this.#tlsSettings(), ...this.#settings, ...(config ?? [])].join('\n')}\n`
  }

  #tlsSettings(): string[] {
    const { tls } = this.#options
    if (tls === undefined) return []
    const files = [`tls-cert-file ${tls.certFile}`, `tls-key-file ${tls.keyFile}`, `tls-ca-cert-file ${tls.caFile}`]
    return [`tls-port ${this.tlsPort}`, ...files, 'tls-auth-clients optional', 'tls-replication yes']
  }

  async #isReady(child: ManagedProcess): Promise<boolean> {
    if (child.end !== undefined) throw new Error(`redis ended with ${JSON.stringify(child.end)}\n${child.output()}`)
    return this.ask('PING').then(
      (reply) => reply === 'PONG',
      () => false,
    )
  }
}

async function formCluster(nodes: readonly RunningRedis[], timeoutMs: number): Promise<void> {
  const [first, ...others] = nodes
  for (const [i, node] of nodes.entries()) await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  for (const [i, node] of nodes.slice(0, MASTERS).entries()) {
    const from = Math.floor((SLOTS * i) / MASTERS)
    const to = Math.floor((SLOTS * (i + 1)) / MASTERS) - 1
    await node.ask('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
  }
  for (const node of others) {
    const busPort = await node.ask('CONFIG', 'GET', 'cluster-port').then((reply) => reply.split('\n')[1] ?? '')
    await first?.ask('CLUSTER', 'MEET', '127.0.0.1', String(node.tlsPort || node.port), busPort)
  }
  await waitUntil('every node to know the others', () => knowsAll(nodes), timeoutMs)
  for (const [i, node] of nodes.entries()) {
    const master = nodes[i - MASTERS]
    if (master !== undefined) await node.ask('CLUSTER', 'REPLICATE', await master.ask('CLUSTER', 'MYID'))
  }
  await waitUntil('replicas to be in step', () => areReplicasLinked(nodes), timeoutMs)
  await waitUntil('cluster_state:ok on every node', () => isClusterOk(nodes), timeoutMs)
}

async function knowsAll(nodes: readonly RunningRedis[]): Promise<boolean> {
  const lists = await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'NODES')))
  return lists.every((list) => list.trim().split('\n').length === NODES && !list.includes('handshake'))
}

async function areReplicasLinked(nodes: readonly RunningRedis[]): Promise<boolean> {
  const replicas = nodes.slice(MASTERS)
  const infos = await Promise.all(replicas.map((node) => node.ask('INFO', 'replication')))
  const masters = nodes.slice(0, MASTERS)
  const known = await Promise.all(masters.map((node) => node.ask('INFO', 'replication')))
  return (
    infos.every((info) => info.includes('master_link_status:up')) &&
    known.every((info) => info.includes('state=online'))
  )
}

async function isClusterOk(nodes: readonly RunningRedis[]): Promise<boolean> {
  const answers = await Promise.all(nodes.map((node) => node.ask('CLUSTER', 'INFO').catch(() => undefined)))
  const living = answers.filter((answer) => answer !== undefined)
  return living.length > 0 && living.every((answer) => answer.includes('cluster_state:ok'))
}
