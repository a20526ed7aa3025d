// SPDX-License-Identifier: MIT
// A cluster as an orchestrator runs it: several nodes of each service and edges behind one address, each a process of its own that is started,
// asked for its readiness and told to go by SIGTERM. What is new is ready before what is old goes (surge), but for records, whose nodes keep
// their file and are restarted in place. Needs the built command (`npm run build`).
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'
import { DOMAIN } from '../chaos/support/cluster.ts'
import type { RecordLine } from '../e2e/support/cluster.ts'

/** This checkout. */
export const ROOT = resolve(import.meta.dirname, '../..')
const START_MS = 60_000
/** Longer than any drain. */
const STOP_MS = 30_000
export const ADDRESS = '127.0.0.1'

/** Nodes of each kind that may run at once, a spare one for the surge among them. */
const MOST = { edge: 5, location: 3, policy: 3, records: 2 } as const
export type Service = keyof typeof MOST
export type Name = `${Service} ${number}`

/** From the base port on: HTTP of edges; gRPC and HTTP of the services. */
const AT = { tls: 1, edgeHttp: 10, location: 20, locationHttp: 22, policy: 30, policyHttp: 34, recordsHttp: 38 }
const indexes = (service: Service): number[] => Array.from({ length: MOST[service] }, (_, k) => k)
/** Of all ports. */
export const OFFSETS = [
  0,
  AT.tls,
  ...indexes('edge').flatMap((k) => [90 + 100 * k, AT.edgeHttp + k]),
  ...indexes('location').flatMap((k) => [AT.location + 100 * k, AT.locationHttp + 100 * k]),
  ...indexes('policy').flatMap((k) => [AT.policy + k, AT.policyHttp + k]),
  ...indexes('records').map((k) => AT.recordsHttp + k),
]

export interface Secret {
  readonly id: number
  readonly secret: string
}

export interface OpsClusterOptions {
  readonly base: number
  readonly store: string
  readonly durability: 'async' | 'replica'
  readonly nodes: Readonly<Record<Service, number>>
  readonly callees: number
  readonly drainMs: number
  readonly warmUpCalls: number
  /** The key ring stands in a file that the processes follow. */
  readonly followsRing: boolean
  /** Checkout whose built command runs first. */
  readonly version: string
  /** Processes of two versions read the same settings. */
  readonly isMixed: boolean
  /** Certificate and key of the edges; without them they have no TLS. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

/** How a process that was told to go went. */
export interface End {
  readonly name: Name
  readonly tookMs: number
  readonly code: number | null
}

const portsOf = (base: number, service: 'location' | 'policy', stride: number): string =>
  indexes(service)
    .map((k) => `${ADDRESS}:${base + AT[service] + stride * k}`)
    .join(',')

function settings(options: OpsClusterOptions, ring: { secrets: readonly Secret[] } | { secretsFile: string }): unknown {
  const { base, store, durability, callees, drainMs, warmUpCalls, tls, isMixed } = options
  const apiVersion = 'tandem/v1'
  const spec = { authentication: 'none', identity: 'off', anonymous: 'allow', accounting: true }
  const names = ['caller', ...Array.from({ length: callees }, (_, k) => `callee${k}`)]
  const users = names.map((name) => ({ apiVersion, kind: 'Subscriber', metadata: { name, domain: DOMAIN } }))
  return {
    cluster: { name: `ops-${base}`, ...ring },
    shutdown: { drainMs },
    store: { url: store, durability },
    edge: {
      count: MOST.edge,
      basePort: base,
      sharedAddress: true,
      advertisedAddress: ADDRESS,
      httpPort: base + AT.edgeHttp,
      warmUpCalls,
      // Another version may not know it yet.
      ...(isMixed ? {} : { readiness: { intervalMs: 1_000 } }),
      listeners: { tls: tls !== undefined, ws: false, wss: false },
      ...(tls && { tls: { certificates: [tls], reloadMs: 1_000 } }),
    },
    location: {
      address: portsOf(base, 'location', 100),
      grpcPort: base + AT.location,
      httpPort: base + AT.locationHttp,
    },
    policy: { address: portsOf(base, 'policy', 1) },
    logging: { level: 'warn' },
    resources: {
      documents: [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...users],
    },
  }
}

export class OpsCluster {
  readonly #options: OpsClusterOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-ops-'))
  readonly #running = new Map<Name, ManagedProcess>()
  /** Of processes that are gone. */
  #written = ''
  /** Checkout whose built command is started from now on. */
  #version: string

  private constructor(options: OpsClusterOptions, secrets: readonly Secret[]) {
    this.#options = options
    this.#version = options.version
    this.configure(secrets)
  }

  /** Comes back when every process is ready. */
  static async start(options: OpsClusterOptions, secrets: readonly Secret[]): Promise<OpsCluster> {
    const cluster = new OpsCluster(options, secrets)
    try {
      const first = (service: Service): Name[] =>
        indexes(service)
          .slice(0, options.nodes[service])
          .map((k) => `${service} ${k}` as const)
      await Promise.all(
        [...first('location'), ...first('policy'), ...first('records')].map((name) => cluster.launch(name)),
      )
      await Promise.all(first('edge').map((name) => cluster.launch(name)))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  get #file(): string {
    return join(this.#folder, 'ops.json')
  }

  get sip(): string {
    return `${ADDRESS}:${this.#options.base}`
  }

  get tlsPort(): number {
    return this.#options.base + AT.tls
  }

  /** What is started from now on has this key ring; what runs too, where it follows the file. */
  configure(secrets: readonly Secret[]): void {
    const secretsFile = join(this.#folder, 'ring.json')
    writeFileSync(`${secretsFile}.new`, JSON.stringify(secrets))
    renameSync(`${secretsFile}.new`, secretsFile)
    const ring = this.#options.followsRing ? { secretsFile } : { secrets }
    writeFileSync(this.#file, JSON.stringify(settings(this.#options, ring)))
  }

  /** What is started from now on is of this checkout. */
  useVersion(folder: string): void {
    this.#version = folder
  }

  /** Until every process that has keys signs with this one, and knows so many. */
  async untilKeys(id: number, count: number): Promise<void> {
    const names = [...this.running('edge'), ...this.running('policy')]
    const uses = async (name: Name): Promise<boolean> => {
      const { text } = await this.http(name, '/metrics')
      const value = (metric: string) =>
        Number(new RegExp(`^${metric}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
      return value('tandem_process_signing_key_id') === id && value('tandem_process_keys') === count
    }
    const all = async (): Promise<boolean> => (await Promise.all(names.map(uses))).every(Boolean)
    await waitUntil(`all processes to sign with key ${id} of ${count}`, all, 30_000, 200)
  }

  #environment(service: string, index: number): Record<string, string> {
    const { base } = this.#options
    if (service === 'policy') {
      return {
        TANDEM_POLICY_GRPC_PORT: String(base + AT.policy + index),
        TANDEM_POLICY_HTTP_PORT: String(base + AT.policyHttp + index),
      }
    }
    if (service !== 'records') return {}
    return {
      TANDEM_RECORDS_HTTP_PORT: String(base + AT.recordsHttp + index),
      TANDEM_RECORDS_NODE: `records-${index}`,
      TANDEM_RECORDS_FILE: this.#records(index),
      TANDEM_RECORDS_SPOOL_FOLDER: join(this.#folder, `spool-${index}`),
    }
  }

  #records(index: number): string {
    return join(this.#folder, `cdr-${index}.ndjson`)
  }

  /** Starts what does not run, and waits for its /readyz. @returns how long that took */
  async launch(name: Name): Promise<number> {
    const [service = '', index = '0'] = name.split(' ')
    const began = performance.now()
    const main = join(this.#version, 'cli/dist/main.js')
    if (!existsSync(main)) throw new Error(`${main} is missing: run \`npm run build\` in that checkout first`)
    const args = [main, 'run', service, '--config', this.#file]
    if (service === 'edge' || service === 'location') args.push('--index', index)
    const env = this.#environment(service, Number(index))
    const child = await startProcess({ command: process.execPath, args, cwd: this.#version, env })
    this.#running.set(name, child)
    const isReady = async (): Promise<boolean> => {
      if (child.end !== undefined) throw new Error(`${name} ended: ${JSON.stringify(child.end)}\n${child.output()}`)
      return (await this.http(name, '/readyz')).status === 200
    }
    await waitUntil(`${name} to be ready`, isReady, START_MS, 50).catch((error: Error) => {
      throw new Error(`${error.message}\n${child.output().slice(-3_000)}`)
    })
    return Math.round(performance.now() - began)
  }

  /** SIGTERM; comes back when it is gone. It must go by itself. */
  async terminate(name: Name): Promise<End> {
    const child = this.#running.get(name)
    if (child === undefined) throw new Error(`${name} does not run`)
    const began = performance.now()
    const end = await child.stop(STOP_MS)
    this.#running.delete(name)
    this.#written += child.output()
    return { name, tookMs: Math.round(performance.now() - began), code: end.code }
  }

  running(service: Service): Name[] {
    return [...this.#running.keys()].filter((name) => name.startsWith(`${service} `))
  }

  /** The lowest index that does not run. */
  spare(service: Service): Name {
    const free = indexes(service).find((k) => !this.#running.has(`${service} ${k}`))
    if (free === undefined) throw new Error(`no index is left for one more ${service}`)
    return `${service} ${free}`
  }

  async http(name: Name, path: string): Promise<{ status: number; text: string }> {
    const [service = '', index = '0'] = name.split(' ')
    const k = Number(index)
    const offsets: Record<string, number> = {
      edge: AT.edgeHttp + k,
      location: AT.locationHttp + 100 * k,
      policy: AT.policyHttp + k,
      records: AT.recordsHttp + k,
    }
    const url = `http://${ADDRESS}:${this.#options.base + (offsets[service] ?? 0)}${path}`
    return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => ({ status: response.status, text: await response.text() }),
      () => ({ status: 0, text: '' }),
    )
  }

  /** Finished lines of all records files. */
  records(): RecordLine[] {
    const files = indexes('records').map((k) => this.#records(k))
    const texts = files.filter(existsSync).map((file) => readFileSync(file, 'utf8'))
    return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line) as RecordLine)
  }

  /** Warnings and errors that the processes have logged. */
  output(): string {
    return this.#written + [...this.#running.values()].map((child) => child.output()).join('')
  }

  async stop(): Promise<void> {
    const ending = (of: RegExp) =>
      Promise.all([...this.#running].filter(([name]) => of.test(name)).map(([, child]) => child.stop(STOP_MS)))
    await ending(/^edge/)
    await ending(/^(records|policy|location)/)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
