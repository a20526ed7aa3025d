// SPDX-License-Identifier: MIT
// The cluster of a money run: three edges on one address, two policy nodes, location and records, each a process of its own that can be
// killed outright and started again. Needs the built command (`npm run build`).
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createUnaryCaller, policyService } from '@tandem/rpc'
import { type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'
import type { RecordLine } from '../../e2e/support/cluster.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const START_MS = 60_000
const ADDRESS = '127.0.0.1'

const EDGES = 3
const POLICIES = 2
export const NAMES = ['location', 'policy 0', 'policy 1', 'records', 'edge 0', 'edge 1', 'edge 2'] as const
export type Name = (typeof NAMES)[number]

/** gRPC and HTTP of the services, HTTP of the edges. */
const AT = { edgeHttp: 10, location: 20, policy: 21, locationHttp: 23, policyHttp: 24, recordsHttp: 26 }
/** Of all ports, from the base port on. */
export const OFFSETS = [
  0,
  ...Array.from({ length: EDGES }, (_, k) => [90 + 100 * k, AT.edgeHttp + k]).flat(),
  ...[AT.location, AT.locationHttp, AT.recordsHttp],
  ...Array.from({ length: POLICIES }, (_, k) => [AT.policy + k, AT.policyHttp + k]).flat(),
]

/** What a price line of the records file has beyond what the others have. */
export type PricedLine = RecordLine & {
  readonly state: string
  readonly price: string | null
  readonly unbilled_ms: number
  /** `cdr_id` of the record in whose place it stands; '' for none. */
  readonly corrects: string
  readonly call_ref: string
  readonly to_uri: string
}

export interface MoneyClusterOptions {
  readonly base: number
  readonly store: string
  readonly documents: readonly unknown[]
  /** Heap of each process, MiB; 0: Node's own bound. */
  readonly heapMb: number
}

/** A call in set-up whose edge and policy died is over after this long. */
const SETUP_DEADLINE_MS = 20_000

/** Longer than any phone talks: only calls that have lost their phones are looked at. */
const LIVENESS_MS = 50_000

/** An answer that is not on record in time is ended, as a seller of prepaid calls would have it. */
function settings({ base, store, documents }: MoneyClusterOptions, folder: string): unknown {
  const policies = Array.from({ length: POLICIES }, (_, k) => `${ADDRESS}:${base + AT.policy + k}`)
  return {
    cluster: { name: `money-${base}`, secrets: [{ id: 1, secret: 'for-this-harness-and-no-other' }] },
    store: { url: store, durability: 'replica' },
    edge: {
      count: EDGES,
      basePort: base,
      sharedAddress: true,
      advertisedAddress: ADDRESS,
      httpPort: base + AT.edgeHttp,
      whenReportLate: 'closed',
    },
    location: { grpcPort: base + AT.location, httpPort: base + AT.locationHttp },
    policy: { address: policies.join(','), setupDeadlineMs: SETUP_DEADLINE_MS, livenessIntervalMs: LIVENESS_MS },
    records: { httpPort: base + AT.recordsHttp, file: join(folder, 'cdr.ndjson') },
    logging: { level: 'warn' },
    resources: { documents },
  }
}

export class MoneyCluster {
  readonly #options: MoneyClusterOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-money-'))
  readonly #running = new Map<Name, ManagedProcess>()
  /** Of processes that are gone. */
  #written = ''

  private constructor(options: MoneyClusterOptions) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
    this.#options = options
    writeFileSync(this.#file, JSON.stringify(settings(options, this.#folder)))
  }

  /** Comes back when every process is ready. */
  static async start(options: MoneyClusterOptions): Promise<MoneyCluster> {
    const cluster = new MoneyCluster(options)
    try {
      await Promise.all(NAMES.filter((name) => !name.startsWith('edge')).map((name) => cluster.launch(name)))
      await Promise.all(NAMES.filter((name) => name.startsWith('edge')).map((name) => cluster.launch(name)))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  get #file(): string {
    return join(this.#folder, 'money.json')
  }

  get sip(): string {
    return `${ADDRESS}:${this.#options.base}`
  }

  #environment(service: string, index: number): Record<string, string> {
    const { base, heapMb } = this.#options
    const heap: Record<string, string> = heapMb > 0 ? { NODE_OPTIONS: `--max-old-space-size=${heapMb}` } : {}
    if (service !== 'policy') return heap
    const ports = {
      TANDEM_POLICY_GRPC_PORT: base + AT.policy + index,
      TANDEM_POLICY_HTTP_PORT: base + AT.policyHttp + index,
    }
    return { ...heap, ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])) }
  }

  /** Starts what does not run, and waits for its /readyz. @returns how long that took */
  async launch(name: Name): Promise<number> {
    const [service = '', index = '0'] = name.split(' ')
    const began = performance.now()
    const args = [MAIN, 'run', service, '--config', this.#file]
    if (service === 'edge') args.push('--index', index)
    const env = this.#environment(service, Number(index))
    const child = await startProcess({ command: process.execPath, args, cwd: ROOT, env })
    this.#running.set(name, child)
    const isReady = async (): Promise<boolean> => {
      if (child.end !== undefined) throw new Error(`${name} ended: ${JSON.stringify(child.end)}\n${child.output()}`)
      return (await this.http(name, '/readyz')).status === 200
    }
    await waitUntil(`${name} to be ready`, isReady, START_MS, 50)
    return Math.round(performance.now() - began)
  }

  /** SIGKILL; comes back when it is gone. */
  async kill(name: Name): Promise<void> {
    const child = this.#running.get(name)
    child?.signal('SIGKILL')
    await child?.ended
    this.#written += child?.output() ?? ''
  }

  async http(name: Name, path: string): Promise<{ status: number; text: string }> {
    const [service, index = '0'] = name.split(' ')
    const offsets: Record<string, number> = {
      edge: AT.edgeHttp + Number(index),
      location: AT.locationHttp,
      policy: AT.policyHttp + Number(index),
      records: AT.recordsHttp,
    }
    const url = `http://${ADDRESS}:${this.#options.base + (offsets[service ?? ''] ?? 0)}${path}`
    return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => ({ status: response.status, text: await response.text() }),
      () => ({ status: 0, text: '' }),
    )
  }

  /** Sum of the samples of one metric over all that run; a killed process takes its own with it. */
  async metric(metric: string): Promise<number> {
    const texts = await Promise.all(NAMES.map((name) => this.http(name, '/metrics')))
    const samples = texts.flatMap(({ text }) => [
      ...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')),
    ])
    return samples.reduce((sum, [, value]) => sum + Number(value), 0)
  }

  /** A caller of the unary methods of one policy node. Close it. */
  policyAt(index: number) {
    return createUnaryCaller(policyService, `${ADDRESS}:${this.#options.base + AT.policy + index}`, { peer: 'money' })
  }

  /** `tandem …`, as a person runs it. */
  async command(...args: string[]): Promise<{ status: number | null; output: string }> {
    const child = await startProcess({
      command: process.execPath,
      args: [MAIN, ...args, '--config', this.#file],
      cwd: ROOT,
    })
    const end = await child.waitForEnd(60_000).catch(() => child.stop(0))
    return { status: end.code, output: child.output() }
  }

  /** Finished lines of the records file. */
  records(): PricedLine[] {
    const file = join(this.#folder, 'cdr.ndjson')
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as PricedLine)
  }

  /** Warnings and errors that the processes have logged, those of killed ones included. */
  output(): string {
    return this.#written + [...this.#running.values()].map((child) => child.output()).join('')
  }

  async stop(): Promise<void> {
    const ending = (of: RegExp) =>
      Promise.all([...this.#running].filter(([name]) => of.test(name)).map(([, child]) => child.stop(10_000)))
    await ending(/^edge/)
    await ending(/^(records|policy|location)/)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
