// SPDX-License-Identifier: MIT
//
// `tandem doctor`: what this machine and its store are fit for. Each finding is `ok`, `warn` (it works, know this) or
// `fail` (it will not work, do that). Exit status 1 when one fails. It changes nothing.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { trySctp } from '@tandem/edge'
import {
  type AddressSource,
  type Config,
  ConfigError,
  edgeConfig,
  findAdvertised,
  redactUrl,
  withAdvertised,
} from '@tandem/service-kit'
import { hostPort, type Listener, listenersOf } from '../addresses.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { storeTls } from '../parts/store-tls.ts'
import { checkKeyRings } from './check-key-rings.ts'
import { checkLedgers } from './check-ledgers.ts'
import { type Finding, judgeRedis } from './judge-redis.ts'
import { redisFacts } from './redis-facts.ts'

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const good = major > 22 || (major === 22 && minor >= 18)
  return {
    check: 'node',
    state: good ? 'ok' : 'fail',
    detail: good ? `Node ${version}` : `Node ${version} is too old: 22.18 is needed`,
  }
}

/**
 * Which case of DESIGN §4, "One address", holds: who gets the response to an edge's request. Of edges that this
 * configuration does not start (pods, other machines) it can tell only what they would have to advertise.
 */
export function checkAddresses(config: Config): Finding {
  const edges = Array.from({ length: config.edge.count }, (_, index) => edgeConfig(config, index))
  const places = [...new Set(edges.map(({ advertised: { udp } }) => hostPort(udp.host, udp.port)))]
  const list = places.join(', ')
  if (config.edge.sharedAddress || places.length < edges.length) return sharedAddress(list)
  const alone = "responses come to the edge that sent, and no edge takes over another's transactions"
  if (edges.length > 1)
    return { check: 'addresses', state: 'ok', detail: `each edge has its own address (${list}): ${alone}` }
  const [edge] = edges
  const isProxied = edge !== undefined && edge.advertisedAddress !== edge.bindAddress && !isWildcard(edge.bindAddress)
  if (!isProxied) return { check: 'addresses', state: 'ok', detail: `one edge, with its own address (${list})` }
  const detail = `one edge, which binds ${edge.bindAddress} and advertises ${list}. If no other edge advertises that, ${alone}; if others do, it is one shared address, and responses are handed to the edge that sent`
  return { check: 'addresses', state: 'ok', detail }
}

function sharedAddress(place: string): Finding {
  const detail = `one shared address (${place}): a response over UDP may come to another edge than the one that sent; it is handed to that one. A CANCEL or a repeated INVITE is not: the balancer has to keep each source on one edge`
  return { check: 'addresses', state: 'ok', detail }
}

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::'

const SOURCES: Readonly<Record<AddressSource, string>> = {
  configured: 'edge.advertisedAddress',
  loadBalancer: 'the address of the load balancer (edge.loadBalancerAddress or its file)',
  node: 'the address of the node (edge.nodeAddress)',
  metadata: 'the metadata of the cloud (edge.metadataUrl)',
  bind: 'the address that is bound, or the first one of the machine where that is a wildcard',
}

/** What edges call themselves, per listener, and who said so. */
export async function checkAdvertised(config: Config): Promise<Finding> {
  try {
    const { source } = await findAdvertised(config)
    const { advertised, advertisedAddress } = edgeConfig(await withAdvertised(config), 0)
    const names = Object.keys(advertised) as (keyof typeof advertised)[]
    const own = names
      .filter((name) => config.edge.advertised[name] !== '')
      .map((name) => `${name}: ${hostPort(advertised[name].host, advertised[name].port)} from edge.advertised.${name}`)
    const detail = [`${advertisedAddress} from ${SOURCES[source]}`, ...own].join('; ')
    return { check: 'advertised', state: 'ok', detail }
  } catch (error) {
    if (error instanceof ConfigError) return { check: 'advertised', state: 'fail', detail: error.message }
    throw error
  }
}

/** Between processes nothing is shared: location and policy each hold what is theirs. */
function embeddedStore(processes: Config['cluster']['processes']): Finding {
  const detail =
    processes === 'many'
      ? "embedded, one store in location (bindings, edges, calls in set-up) and another in policy (calls, unread records, nonces): each ends with its process, and a second policy or location would not see the first one's"
      : 'embedded, one store for location and policy: bindings, calls and unread records end with the process'
  return { check: 'store', state: 'warn', detail }
}

async function checkStore(config: Config): Promise<Finding[]> {
  const { url, durability, replicas } = config.store
  if (url === 'memory') return [embeddedStore(config.cluster.processes)]
  const shown = redactUrl(url)
  try {
    const facts = await redisFacts(url, storeTls(config.store))
    return [{ check: 'store', state: 'ok', detail: `${shown} answers` }, ...judgeRedis(facts, durability, replicas)]
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [
      { check: 'store', state: 'fail', detail: `${shown} can't be reached (${reason}): start it, or change store.url` },
    ]
  }
}

/** Error code of a bind that failed, '' when the port is free. */
function tryBind({ protocol, host, port }: Listener): Promise<string> {
  if (protocol === 'sip/sctp') return trySctp(host, port)
  const isUdp = protocol.endsWith('/udp')
  return new Promise((resolve) => {
    const done = (code: string, close: () => void) => {
      if (code === '') close()
      resolve(code)
    }
    if (isUdp) {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
      socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error', () => undefined))
      socket.bind(port, host, () => done('', () => socket.close()))
      return
    }
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error', () => undefined))
    server.listen(port, host, () => done('', () => server.close()))
  })
}

async function isTandemThere(config: Config): Promise<boolean> {
  const { httpAddress, httpPort } = edgeConfig(config, 0)
  const url = `http://${hostPort(httpAddress, httpPort)}/metrics`
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
  return response?.ok === true && (await response.text()).includes('service="edge"')
}

async function checkPorts(config: Config): Promise<Finding[]> {
  const listeners = listenersOf(config)
  const codes: string[] = []
  for (const listener of listeners) codes.push(await tryBind(listener))
  const blocked = listeners.filter((_, index) => codes[index] !== '')
  if (blocked.length === 0) return [{ check: 'ports', state: 'ok', detail: `all ${listeners.length} are free` }]
  if (await isTandemThere(config)) return [{ check: 'ports', state: 'ok', detail: 'a cluster is running on them' }]
  return blocked.map(({ part, protocol, host, port, setting }) => {
    const why = codes[listeners.findIndex((one) => one.port === port && one.protocol === protocol)]
    const problem = why === 'EADDRINUSE' ? 'is taken by another process' : `cannot be opened (${why})`
    return {
      check: 'ports',
      state: 'fail',
      detail: `${part}: ${protocol} ${hostPort(host, port)} ${problem}; stop it or change ${setting}`,
    }
  })
}

/** All findings. */
export async function examine(config: Config): Promise<Finding[]> {
  const [ports, advertised, store, ledgers, keyRings] = await Promise.all([
    checkPorts(config),
    checkAdvertised(config),
    checkStore(config),
    checkLedgers(config),
    checkKeyRings(config),
  ])
  const known = advertised.state === 'ok' ? await withAdvertised(config) : config
  return [
    checkNode(process.versions.node),
    ...ports,
    advertised,
    checkAddresses(known),
    ...store,
    ...(keyRings ? [keyRings] : []),
    ...(ledgers ? [ledgers] : []),
  ]
}

export async function doctor(config: Config, format: Format): Promise<{ text: string; healthy: boolean }> {
  const findings = await examine(config)
  const rows = findings.map(({ check, state, detail }) => ({ check, state, detail }))
  return {
    text: render(format, findings, ['check', 'state', 'detail'], rows),
    healthy: findings.every(({ state }) => state !== 'fail'),
  }
}
