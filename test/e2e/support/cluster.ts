// SPDX-License-Identifier: MIT
// A cluster as a person starts it: `tandem up` with the quick start's file, every port moved to a free one, records into a
// temporary folder. Needs the built command (`npm run build`). Everything that is waited for has a bound.
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const QUICK_START = join(ROOT, 'examples/quickstart.yaml')
const START_MS = 30_000

/** What a line of the records file must have; the rest is docs/records.md. */
export interface RecordLine {
  readonly cdr_id: string
  readonly call_id: string
  readonly from_uri: string
  readonly to_uri: string
  readonly identity: string
  readonly account: string
  readonly answer_time: string | null
  readonly duration_ms: number
  readonly final_status: number
  readonly outcome: string
  readonly ended_by: string
  readonly setup_edge: string
  readonly end_edge: string
}

export interface ClusterOptions {
  readonly processes?: 'single' | 'many'
  /** memory where absent */
  readonly store?: string
  readonly config?: string
  readonly basePort?: number
  /** Settings as TANDEM_* environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Command and arguments that run it in a namespace. */
  readonly prefix?: readonly string[]
  /** Address of its SIP listeners, the file's where absent. */
  readonly bind?: string
}

/** Offsets from the SIP base port at which a cluster of two edges listens here. */
const OFFSETS = {
  TANDEM_EDGE_HTTP_PORT: 10,
  TANDEM_LOCATION_GRPC_PORT: 20,
  TANDEM_POLICY_GRPC_PORT: 21,
  TANDEM_LOCATION_HTTP_PORT: 22,
  TANDEM_POLICY_HTTP_PORT: 23,
  TANDEM_RECORDS_HTTP_PORT: 24,
  TANDEM_CONSOLE_PORT: 25,
  TANDEM_CONSOLE_GRPC_PORT: 26,
  TANDEM_CONSOLE_HTTP_PORT: 27,
}
const LISTENERS = [0, 1, 6, 7, 90, 100, 101, 106, 107, 190, 11, ...Object.values(OFFSETS)]

function canBind(port: number): Promise<boolean> {
  const server = createServer()
  const udp = createSocket('udp4')
  return new Promise<boolean>((done) => {
    server.once('error', () => done(false))
    udp.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => udp.bind(port, '127.0.0.1', () => done(true)))
  }).finally(() => {
    server.close()
    udp.close()
  })
}

/** A base port whose block is free at these offsets, below the ports that the kernel gives to connections. */
export async function freeBlock(offsets: readonly number[] = LISTENERS): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 10_000 + 200 * randomInt(100)
    const free = await Promise.all(offsets.map((offset) => canBind(base + offset)))
    if (free.every(Boolean)) return base
  }
  throw new Error('no block of free ports between 10000 and 30000')
}

export class Cluster {
  readonly process: ManagedProcess
  readonly basePort: number
  readonly folder: string

  private constructor(process: ManagedProcess, basePort: number, folder: string) {
    this.process = process
    this.basePort = basePort
    this.folder = folder
  }

  /** Starts the processes and comes back at once. */
  static async launch(options: ClusterOptions = {}): Promise<Cluster> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
    const basePort = options.basePort ?? (await freeBlock())
    const ports = Object.entries(OFFSETS).map(([name, offset]) => [name, String(basePort + offset)])
    const folder = mkdtempSync(join(tmpdir(), 'tandem-e2e-'))
    const args = ['up', '--config', options.config ?? QUICK_START, '--base-port', String(basePort)]
    if (options.processes !== undefined) args.push('--processes', options.processes)
    if (options.store !== undefined) args.push('--store', options.store)
    const env = {
      ...Object.fromEntries(ports),
      TANDEM_EDGE_WARM_UP_CALLS: '0',
      TANDEM_RECORDS_FILE: join(folder, 'cdr.ndjson'),
      TANDEM_STORE_RESOURCES_FILE: join(folder, 'resources.ndjson'),
      TANDEM_CONSOLE_AUDIT_FILE: join(folder, 'audit.ndjson'),
      ...options.env,
    }
    if (options.bind !== undefined) args.push('--bind', options.bind)
    const [command, ...rest] = [...(options.prefix ?? []), process.execPath, MAIN, ...args]
    const child = await startProcess({ command: command as string, args: rest, cwd: ROOT, env })
    return new Cluster(child, basePort, folder)
  }

  /** Comes back after the line `tandem ready`. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await Cluster.launch(options)
    await cluster.process.waitForLine(/^tandem ready$/, START_MS).catch(async (error: unknown) => {
      await cluster.stop()
      throw error
    })
    return cluster
  }

  sipPort(edge: number): number {
    return this.basePort + 100 * edge
  }

  /** Of edge 0. */
  get httpPort(): number {
    return this.basePort + OFFSETS.TANDEM_EDGE_HTTP_PORT
  }

  /** host:port */
  sip(edge: number): string {
    return `127.0.0.1:${this.sipPort(edge)}`
  }

  /** Finished lines only; a line under way has no line feed yet. */
  records(): RecordLine[] {
    const file = join(this.folder, 'cdr.ndjson')
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as RecordLine)
  }

  recordsOf(callId: string): RecordLine[] {
    return this.records().filter((line) => line.call_id === callId)
  }

  /** The record of a call, once it is there. Throws where there are several. */
  async record(callId: string, timeoutMs = 5_000): Promise<RecordLine> {
    await waitUntil(`the record of ${callId}`, () => this.recordsOf(callId).length > 0, timeoutMs).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${this.process.output().slice(-3_000)}`)
      },
    )
    const [line, ...more] = this.recordsOf(callId)
    if (line === undefined || more.length > 0) throw new Error(`${callId} has ${more.length + 1} records`)
    return line
  }

  /** HTTP status of a path of an edge, 0 where nobody answers. */
  async http(edge: number, path: string): Promise<number> {
    const url = `http://127.0.0.1:${this.httpPort + edge}${path}`
    return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0,
    )
  }

  /** One value of an edge's /metrics: the sum of all samples whose line starts so. */
  async metric(edge: number, start: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort + edge}/metrics`)
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith(start))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** SIGTERM, then the exit status; everything is gone afterwards. */
  async stop(): Promise<number | null> {
    this.process.signal('SIGTERM')
    const end = await this.process.waitForEnd(15_000).catch(() => this.process.stop(0))
    rmSync(this.folder, { recursive: true, force: true })
    return end.code
  }
}
