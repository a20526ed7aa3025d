// SPDX-License-Identifier: MIT
//
// Every address that a cluster of this configuration listens on, as the table that `up` prints and `doctor` checks.
import { type Config, edgeConfig, locationConfig, wantsTls } from '@tandem/service-kit'

/** One listener: which part, what speaks there, where, and the setting that moves it. */
export interface Listener {
  readonly part: string
  readonly protocol:
    | 'sip/udp'
    | 'sip/tcp'
    | 'sip/tls'
    | 'sip/ws'
    | 'sip/wss'
    | 'sip/sctp'
    | 'internal/tcp'
    | 'grpc'
    | 'http'
    | 'https'
  readonly host: string
  readonly port: number
  readonly setting: string
}

function edgeListeners(config: Config, index: number): Listener[] {
  const edge = edgeConfig(config, index)
  const at = { part: edge.id, host: edge.bindAddress }
  const sip = { ...at, port: edge.sipPort, setting: 'edge.basePort (--base-port)' }
  const list: Listener[] = []
  if (edge.listeners.udp) list.push({ ...sip, protocol: 'sip/udp' })
  if (edge.listeners.tcp) list.push({ ...sip, protocol: 'sip/tcp' })
  if (edge.listeners.tls) list.push({ ...sip, protocol: 'sip/tls', port: edge.tlsPort })
  if (edge.listeners.ws) list.push({ ...sip, protocol: 'sip/ws', port: edge.wsPort })
  if (edge.listeners.wss) list.push({ ...sip, protocol: 'sip/wss', port: edge.wssPort })
  if (edge.listeners.sctp) list.push({ ...sip, protocol: 'sip/sctp', setting: 'edge.listeners.sctp' })
  list.push({ ...sip, protocol: 'internal/tcp', host: edge.internalBindAddress, port: edge.internalPort })
  list.push({ part: edge.id, host: edge.httpAddress, protocol: 'http', port: edge.httpPort, setting: 'edge.httpPort' })
  return list
}

function serviceListeners(
  part: string,
  section: 'location' | 'policy',
  { bindAddress: host, grpcPort, httpPort }: { bindAddress: string; grpcPort: number; httpPort: number },
): Listener[] {
  return [
    { part, protocol: 'grpc', host, port: grpcPort, setting: `${section}.grpcPort` },
    { part, protocol: 'http', host, port: httpPort, setting: `${section}.httpPort` },
  ]
}

/** One process has one of them. */
function locationListeners(config: Config): Listener[] {
  const count = config.cluster.processes === 'single' ? 1 : config.location.count
  const nodes = Array.from({ length: count }, (_, index) => locationConfig(config, index))
  return nodes.flatMap((node) =>
    serviceListeners(count === 1 ? 'location' : `location-${node.index}`, 'location', node),
  )
}

function consoleListeners({ console: admin }: Config): Listener[] {
  if (!admin.enabled) return []
  const { bindAddress: host, port, grpcPort, httpAddress, httpPort } = admin
  return [
    { part: 'console', protocol: wantsTls(admin) ? 'https' : 'http', host, port, setting: 'console.port' },
    { part: 'console', protocol: 'grpc', host, port: grpcPort, setting: 'console.grpcPort' },
    { part: 'console', protocol: 'http', host: httpAddress, port: httpPort, setting: 'console.httpPort' },
  ]
}

/** Listeners of `edge.count` edges and of each service. */
export function listenersOf(config: Config): Listener[] {
  const edges = Array.from({ length: config.edge.count }, (_, index) => edgeListeners(config, index))
  const services = [...locationListeners(config), ...serviceListeners('policy', 'policy', config.policy)]
  const { bindAddress, httpPort } = config.records
  const records: Listener = {
    part: 'records',
    protocol: 'http',
    host: bindAddress,
    port: httpPort,
    setting: 'records.httpPort',
  }
  return [...edges.flat(), ...services, records, ...consoleListeners(config)]
}

/** `host:port` with IPv6 in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
