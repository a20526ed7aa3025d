// SPDX-License-Identifier: MIT
// The same calls and kills as any-edge.ts, behind a Service of Kubernetes in small (support/service-network.ts): each edge has an address of
// its own and all advertise the Service's. An edge that is killed stays an endpoint for a second, as long as a probe takes to see it; it is
// one again when it is ready. Flows that conntrack has tied to it stay tied to it meanwhile.
// Runs inside the node's namespace: `runInNode` starts this program again there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ChaosOptions, type ChaosOutcome, makeCalls } from './any-edge.ts'
import { ChaosCluster } from './support/cluster.ts'
import type { Victims } from './support/kills.ts'
import { Parties } from './support/parties.ts'
import {
  createServiceNetwork,
  NODE_ADDRESS,
  nodePrefix,
  PHONE_ADDRESS,
  phonePrefix,
  podPlace,
  removeServiceNetwork,
  SERVICE_ADDRESS,
  SERVICE_PORT,
  type ServiceNetwork,
  setEndpoints,
} from './support/service-network.ts'

/** Name of the network, in the program that runs inside. */
const INSIDE = 'TANDEM_CHAOS_NETWORK'
const PROBE_MS = 1_000
/** Of the phones, below those that SIPp's calls get from the kernel. */
const FIRST_PORT = 20_000

export const isInNode = (): boolean => process.env[INSIDE] !== undefined

/** Makes the network, runs this program in its node, removes the network. Resolves with the program's exit status. */
export async function runInNode(edges: number, masquerade: boolean): Promise<number> {
  const network = createServiceNetwork(edges, masquerade)
  try {
    const [command, ...rest] = [...nodePrefix(network), process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    const env = { ...process.env, [INSIDE]: network.name }
    const child = spawn(command as string, rest, { env, stdio: 'inherit' })
    // The network is removed whatever ends the run.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
    const [status] = (await once(child, 'exit')) as [number | null]
    return status ?? 1
  } finally {
    removeServiceNetwork(network)
  }
}

/** Kills that the Service hears of late. */
class Endpoints implements Victims {
  readonly #cluster: ChaosCluster
  readonly #dead = new Set<number>()
  readonly #all: readonly number[]

  constructor(cluster: ChaosCluster, edges: number) {
    this.#cluster = cluster
    this.#all = Array.from({ length: edges }, (_, edge) => edge)
    this.#apply()
  }

  async killEdge(edge: number): Promise<void> {
    await this.#cluster.killEdge(edge)
    this.#dead.add(edge)
    setTimeout(() => this.#apply(), PROBE_MS)
  }

  async startEdge(edge: number): Promise<{ readonly readyMs: number }> {
    const start = await this.#cluster.startEdge(edge)
    this.#dead.delete(edge)
    this.#apply()
    return start
  }

  #apply(): void {
    setEndpoints(this.#all.filter((edge) => !this.#dead.has(edge)))
  }
}

/** All of it, from inside the node. The store is the embedded one, steering the Service's. */
export async function balancer(options: ChaosOptions): Promise<ChaosOutcome> {
  const { edges, callees, seconds, rate, talkMs } = options
  const network: ServiceNetwork = { name: process.env[INSIDE] as string, edges }
  const cluster = await ChaosCluster.start({
    edges: Array.from({ length: edges }, (_, edge) => podPlace(network, edge)),
    advertisedAddress: SERVICE_ADDRESS,
    serviceAddress: NODE_ADDRESS,
    basePort: SERVICE_PORT,
    store: 'memory',
    callees,
  })
  let parties: Parties | undefined
  try {
    const endpoints = new Endpoints(cluster, edges)
    let port = FIRST_PORT
    const place = {
      address: PHONE_ADDRESS,
      prefix: phonePrefix(network),
      target: `${SERVICE_ADDRESS}:${SERVICE_PORT}`,
      nextPort: () => {
        port += 2
        return Promise.resolve(port)
      },
    }
    parties = await Parties.start(place, { seconds, rate, talkMs, callees })
    return await makeCalls(cluster, parties, options, endpoints)
  } finally {
    await parties?.stop()
    await cluster.stop()
  }
}
