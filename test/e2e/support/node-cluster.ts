// SPDX-License-Identifier: MIT
// A cluster of processes held one by one: several location nodes, policy, records and edges with addresses of their own, on a real store. Any
// of them can be killed outright and started again. Nobody authenticates. Needs the built command (`npm run build`).
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createUnaryCaller, type location, locationService } from '@tandem/rpc'
import { type ManagedProcess, startProcess, waitUntil } from '@tandem/test-kit'
import { freeBlock } from './cluster.ts'
import { Phone, type PhoneOptions, token } from './phone.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/dist/main.js')
const START_MS = 60_000
export const DOMAIN = 'example.test'

/** Ports beside those of two edges: HTTP of edges, then gRPC and HTTP of two location nodes, of policy, and records' HTTP. */
const AT = { edgeHttp: 10, location: 20, locationHttp: 22, policy: 24, policyHttp: 25, recordsHttp: 26 }
const OFFSETS = [0, 90, 100, 190, 10, 11, 20, 120, 22, 122, 24, 25, 26]

export interface NodeClusterOptions {
  readonly store: string
  readonly durability?: string
  readonly users: readonly string[]
}

export class NodeCluster {
  readonly base: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-nodes-'))
  readonly #running = new Map<string, ManagedProcess>()
  readonly #phones: Phone[] = []

  private constructor(base: number, options: NodeClusterOptions) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
    this.base = base
    writeFileSync(join(this.#folder, 'cluster.json'), JSON.stringify(settings(base, options, this.#folder)))
  }

  static async start(options: NodeClusterOptions): Promise<NodeCluster> {
    const cluster = new NodeCluster(await freeBlock(OFFSETS), options)
    try {
      await Promise.all(['location 0', 'location 1', 'policy', 'records'].map((name) => cluster.launch(name)))
      await Promise.all(['edge 0', 'edge 1'].map((name) => cluster.launch(name)))
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  /** Starts `edge 1`, `location 0`, `policy`, and waits for its /readyz. */
  async launch(name: string): Promise<void> {
    const [service = '', index] = name.split(' ')
    const args = [MAIN, 'run', service, '--config', join(this.#folder, 'cluster.json')]
    if (index !== undefined) args.push('--index', index)
    const child = await startProcess({ command: process.execPath, args, cwd: ROOT })
    this.#running.set(name, child)
    const isReady = async (): Promise<boolean> => {
      if (child.end !== undefined) throw new Error(`${name} ended: ${JSON.stringify(child.end)}\n${child.output()}`)
      return (await this.http(name, '/readyz')).status === 200
    }
    await waitUntil(`${name} to be ready`, isReady, START_MS, 50).catch((error: Error) => {
      throw new Error(`${error.message}\n${child.output().slice(-3_000)}`)
    })
  }

  /** Starts again what has ended: a test that failed half-way leaves nothing dead to the next. */
  async restore(): Promise<void> {
    const ended = [...this.#running].filter(([, child]) => child.end !== undefined)
    await Promise.all(ended.map(([name]) => this.launch(name)))
  }

  /** SIGKILL; comes back when it is gone. */
  async kill(name: string): Promise<void> {
    const child = this.#running.get(name)
    child?.signal('SIGKILL')
    await child?.ended
  }

  /** SIGTERM, as an orchestrator stops it. */
  terminate(name: string): Promise<unknown> {
    return this.#running.get(name)?.stop(20_000) ?? Promise.resolve()
  }

  async http(name: string, path: string): Promise<{ status: number; text: string }> {
    const [service, index = '0'] = name.split(' ')
    const offsets: Record<string, number> = {
      edge: AT.edgeHttp + Number(index),
      location: AT.locationHttp + 100 * Number(index),
      policy: AT.policyHttp,
      records: AT.recordsHttp,
    }
    const url = `http://127.0.0.1:${this.base + (offsets[service ?? ''] ?? 0)}${path}`
    return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      async (response) => ({ status: response.status, text: await response.text() }),
      () => ({ status: 0, text: '' }),
    )
  }

  /** One sample; NaN where nobody answers. */
  async metric(name: string, metric: string): Promise<number> {
    const { text } = await this.http(name, '/metrics')
    return Number(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  }

  /** A caller of the unary methods of one location node. Close it. */
  locationAt(index: number) {
    return createUnaryCaller(locationService, `127.0.0.1:${this.base + AT.location + 100 * index}`, { peer: 'test' })
  }

  /** What a look-up gives, by whichever node answers; [] where none does. */
  async locate(user: string): Promise<location.Binding[]> {
    for (const index of [0, 1]) {
      const caller = this.locationAt(index)
      const found = await caller.invoke('locate', { aor: `sip:${user}@${DOMAIN}` }, 1_000)
      await caller.close()
      if (found.outcome === 'done') return found.value.bindings
    }
    return []
  }

  async phone(user: string, edge: number, transport: PhoneOptions['transport'] = 'udp'): Promise<Phone> {
    const phone = await Phone.open({ user, port: this.base + 100 * edge, transport })
    this.#phones.push(phone)
    return phone
  }

  output(): string {
    return [...this.#running].map(([name, child]) => `${name}: ${child.output()}`).join('\n')
  }

  async stop(): Promise<void> {
    for (const phone of this.#phones.splice(0)) phone.close()
    const ending = (of: RegExp) =>
      Promise.all([...this.#running].filter(([name]) => of.test(name)).map(([, child]) => child.stop(5_000)))
    await ending(/^edge/)
    await ending(/^(records|policy|location)/)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** An INVITE that rings at `callee`, answered with 486: whether it came there, and its final status. */
export async function calls(caller: Phone, callee: Phone): Promise<{ rang: boolean; status: number }> {
  const callId = token()
  const uri = callee.aor
  caller.send(caller.request('INVITE', { uri, to: `<${uri}>`, callId, headers: [`Contact: ${caller.contact}`] }))
  const isOurs = (method: string): boolean => method === 'INVITE'
  const invite = callee.next('the INVITE', ({ method }) => isOurs(method), 4_000).catch(() => undefined)
  const final = caller.final('its end', callId, '1 INVITE', 6_000)
  void invite.then((request) => request && callee.reply(request, '486 Busy Here'))
  const answer = await final
  caller.acknowledge(answer, uri)
  // A call that ended otherwise rings nowhere any more.
  return { rang: answer.status === 486 && (await invite) !== undefined, status: answer.status }
}

function settings(base: number, { store, durability, users }: NodeClusterOptions, folder: string): unknown {
  const at = (offset: number): number => base + offset
  const apiVersion = 'tandem/v1'
  const spec = { authentication: 'none', identity: 'off', anonymous: 'allow', accounting: false }
  const subscribers = users.map((name) => ({ apiVersion, kind: 'Subscriber', metadata: { name, domain: DOMAIN } }))
  return {
    cluster: { name: `nodes-${base}`, secrets: [{ id: 1, secret: 'for-this-harness-and-no-other' }] },
    store: { url: store, ...(durability !== undefined && { durability }) },
    edge: { count: 2, basePort: base, httpPort: at(AT.edgeHttp), warmUpCalls: 0 },
    location: { count: 2, grpcPort: at(AT.location), httpPort: at(AT.locationHttp) },
    policy: { grpcPort: at(AT.policy), httpPort: at(AT.policyHttp) },
    records: { httpPort: at(AT.recordsHttp), file: join(folder, 'cdr.ndjson') },
    logging: { level: 'warn' },
    shutdown: { drainMs: 2_000 },
    resources: { documents: [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...subscribers] },
  }
}
