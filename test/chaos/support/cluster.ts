// SPDX-License-Identifier: MIT
// A cluster of processes that a harness holds in its own hands: location, policy, records and the edges each by itself, so that one edge can
// be killed outright and started again. All edges advertise one address. Needs the built command (`npm run build`).
// Nothing here restarts an edge by itself, as `tandem up` would.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'
import type { RecordLine } from '../../e2e/support/cluster.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const START_MS = 60_000
export const DOMAIN = 'chaos.test'

/** Ports of the services, and the first HTTP port of the edges. */
export const SERVICE_PORTS = {
  edgeHttp: 10,
  location: 20,
  policy: 21,
  locationHttp: 22,
  policyHttp: 23,
  recordsHttp: 24,
}

const SERVICES = ['location', 'policy', 'records'] as const
export type ServiceName = (typeof SERVICES)[number]

/** Where one edge runs. */
export interface EdgePlace {
  /** Of its SIP, internal and HTTP listeners. */
  readonly address: string
  /** Command and arguments that run a program there. */
  readonly prefix: readonly string[]
}

export interface ChaosClusterOptions {
  readonly edges: readonly EdgePlace[]
  /** Host of Via and Record-Route. */
  readonly advertisedAddress: string
  /** Address of location, policy and records. */
  readonly serviceAddress: string
  readonly basePort: number
  /** memory, or a URL of Redis */
  readonly store: string
  /** Users callee0, callee1, … */
  readonly callees: number
  /** What else is said of their domain, and of the edges. */
  readonly domain?: Readonly<Record<string, unknown>>
  readonly edge?: Readonly<Record<string, unknown>>
}

/** Of one start of an edge. */
export interface EdgeStart {
  readonly edge: number
  /** From the start of its process to its first 200 of /readyz. */
  readonly readyMs: number
}

function documents({ callees, domain }: ChaosClusterOptions): unknown[] {
  const apiVersion = 'tandem/v1'
  const spec = { authentication: 'none', identity: 'off', anonymous: 'allow', accounting: true, ...domain }
  const names = ['caller', ...Array.from({ length: callees }, (_, k) => `callee${k}`)]
  const users = names.map((name) => ({ apiVersion, kind: 'Subscriber', metadata: { name, domain: DOMAIN } }))
  return [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...users]
}

function settings(options: ChaosClusterOptions, folder: string): unknown {
  const { basePort: base, serviceAddress: address } = options
  const at = (offset: number): number => base + offset
  return {
    cluster: { name: `chaos-${base}`, secrets: [{ id: 1, secret: 'for-this-harness-and-no-other' }] },
    store: { url: options.store },
    edge: {
      count: options.edges.length,
      basePort: base,
      sharedAddress: true,
      advertisedAddress: options.advertisedAddress,
      httpPort: at(SERVICE_PORTS.edgeHttp),
      ...options.edge,
    },
    location: {
      bindAddress: address,
      address: `${address}:${at(SERVICE_PORTS.location)}`,
      grpcPort: at(SERVICE_PORTS.location),
      httpPort: at(SERVICE_PORTS.locationHttp),
    },
    policy: {
      bindAddress: address,
      address: `${address}:${at(SERVICE_PORTS.policy)}`,
      grpcPort: at(SERVICE_PORTS.policy),
      httpPort: at(SERVICE_PORTS.policyHttp),
    },
    records: { bindAddress: address, httpPort: at(SERVICE_PORTS.recordsHttp), file: join(folder, 'cdr.ndjson') },
    logging: { level: 'warn' },
    resources: { documents: documents(options) },
  }
}

async function statusOf(url: string): Promise<number> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.arrayBuffer()
      return response.status
    },
    () => 0,
  )
}

export class ChaosCluster {
  readonly #options: ChaosClusterOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-chaos-'))
  readonly #services: ManagedProcess[] = []
  readonly #edges: ManagedProcess[] = []
  readonly #counted = new Map<string, number>()
  /** What processes that are gone have written, killed edges included. */
  #written = ''

  private constructor(options: ChaosClusterOptions) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
    this.#options = options
    writeFileSync(join(this.#folder, 'chaos.json'), JSON.stringify(settings(options, this.#folder)))
  }

  /** Comes back when every process is ready. */
  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options)
    try {
      await cluster.#startServices()
      await Promise.all(options.edges.map((_, edge) => cluster.startEdge(edge)))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  async #startServices(): Promise<void> {
    const { serviceAddress, basePort } = this.#options
    for (const service of SERVICES) {
      this.#services.push(await this.#run([], ['run', service]))
      const url = `http://${serviceAddress}:${basePort + SERVICE_PORTS[`${service}Http`]}/readyz`
      await this.#untilReady(service, url, this.#services.at(-1) as ManagedProcess)
    }
  }

  #run(prefix: readonly string[], args: readonly string[], env: Record<string, string> = {}): Promise<ManagedProcess> {
    const config = ['--config', join(this.#folder, 'chaos.json')]
    const [command, ...rest] = [...prefix, process.execPath, MAIN, ...args, ...config]
    return startProcess({ command: command as string, args: rest, cwd: ROOT, env })
  }

  async #untilReady(what: string, url: string, child: ManagedProcess): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      if (child.end !== undefined) throw new Error(`${what} ended: ${JSON.stringify(child.end)}\n${child.output()}`)
      return (await statusOf(url)) === 200
    }
    await waitUntil(`${what} to be ready at ${url}`, isReady, START_MS)
  }

  #edgeUrl(edge: number, path: string): string {
    const { address } = this.#options.edges[edge] as EdgePlace
    return `http://${address}:${this.#options.basePort + SERVICE_PORTS.edgeHttp + edge}${path}`
  }

  /** Starts an edge that does not run, and waits for its /readyz. */
  async startEdge(edge: number): Promise<EdgeStart> {
    const { address, prefix } = this.#options.edges[edge] as EdgePlace
    const began = performance.now()
    const env = { TANDEM_EDGE_BIND_ADDRESS: address, TANDEM_EDGE_HTTP_ADDRESS: address }
    const child = await this.#run(prefix, ['run', 'edge', '--index', String(edge)], env)
    this.#edges[edge] = child
    await this.#untilReady(`edge ${edge}`, this.#edgeUrl(edge, '/readyz'), child)
    return { edge, readyMs: Math.round(performance.now() - began) }
  }

  /** SIGKILL; comes back when it is gone. What it has counted is kept. */
  async killEdge(edge: number): Promise<void> {
    for (const [name, value] of await this.#scrape(edge))
      this.#counted.set(name, (this.#counted.get(name) ?? 0) + value)
    const child = this.#edges[edge] as ManagedProcess
    child.signal('SIGKILL')
    await child.ended
    this.#written += child.output()
  }

  /** Finished lines of the records file. */
  records(): RecordLine[] {
    const file = join(this.#folder, 'cdr.ndjson')
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as RecordLine)
  }

  /** The samples of all edges' /metrics by name, those of killed edges included. */
  async metrics(): Promise<Map<string, number>> {
    const sums = new Map(this.#counted)
    for (const edge of this.#options.edges.keys()) {
      for (const [name, value] of await this.#scrape(edge)) sums.set(name, (sums.get(name) ?? 0) + value)
    }
    return sums
  }

  /** One count of an edge that runs; 0 where it has none. */
  async count(edge: number, name: string): Promise<number> {
    return (await this.#scrape(edge)).get(name) ?? 0
  }

  async #scrape(edge: number): Promise<Map<string, number>> {
    const url = this.#edgeUrl(edge, '/metrics')
    const text = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.text(),
      () => '',
    )
    const sums = new Map<string, number>()
    for (const [, name = '', labels = '', value] of text.matchAll(/^(tandem_\w+)(?:\{(.*)\})? (\S+)$/gm)) {
      const bound = /(?:le|direction|result)="[^"]+"/.exec(labels)?.[0]
      const key = bound === undefined ? name : `${name}{${bound}}`
      sums.set(key, (sums.get(key) ?? 0) + Number(value))
    }
    return sums
  }

  /** SIGSTOP, SIGCONT. */
  signalService(service: ServiceName, signal: NodeJS.Signals): void {
    this.#services[SERVICES.indexOf(service)]?.signal(signal)
  }

  /** Warnings and errors that the processes have logged, those of killed edges included. */
  output(): string {
    return this.#written + [...this.#services, ...this.#edges].map((child) => child.output()).join('')
  }

  /** SIGTERM to the edges, then to the services; nothing is left behind. */
  async stop(): Promise<void> {
    await Promise.all(this.#edges.map((child) => child?.stop(10_000)))
    for (const child of this.#services.reverse()) await child.stop(10_000)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
