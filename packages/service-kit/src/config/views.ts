// SPDX-License-Identifier: MIT
//
// What one service sees of the configuration: its own section with everything derived filled in (ports of edge k,
// addresses, the key ring). Services take these, never the whole file.
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import type { Config } from './schema.ts'

/** First key signs, all verify. Secrets are text of at least 16 characters. */
export type KeyRing = readonly { readonly id: number; readonly secret: string }[]

interface Common {
  readonly clusterName: string
  readonly keyRing: KeyRing
  readonly logLevel: Config['logging']['level']
  /** Of lines about calls. */
  readonly logging: Config['logging']
  readonly drainMs: number
}

/** A place as Via and Record-Route name it; IPv6 without brackets. */
export interface AdvertisedPlace {
  readonly host: string
  readonly port: number
}

/** One edge's configuration, ports of DESIGN §9 already computed for its index k. */
export interface EdgeConfig
  extends Common,
    Omit<Config['edge'], 'count' | 'id' | 'httpPort' | 'advertised' | 'internal'> {
  readonly index: number
  /** Without incarnation. */
  readonly id: string
  /** Host for Via and Record-Route of listeners that have none of their own, never empty. */
  readonly advertisedAddress: string
  /** Per listener, with whatever it takes from the others filled in. */
  readonly advertised: Readonly<Record<keyof Config['edge']['advertised'], AdvertisedPlace>>
  /** Of the listener between edges: what it binds, and where other edges reach it. */
  readonly internalBindAddress: string
  readonly internalAddress: string
  /** UDP, TCP and SCTP: base + 100k; with `sharedAddress` the base port for every edge. */
  readonly sipPort: number
  /** base + 1 + 100k, and so on. */
  readonly tlsPort: number
  readonly wsPort: number
  readonly wssPort: number
  /** Edge to edge: base + 90 + 100k. */
  readonly internalPort: number
  readonly httpPort: number
  readonly rpc: Config['rpc']
  /** For an admission that says nothing of its own. */
  readonly registration: PolicyConfig['registration']
  /** As policy has it. */
  readonly nonceLifetimeMs: number
  /** host:port of gRPC, several separated by commas. */
  readonly locationTarget: string
  readonly policyTarget: string
}

export interface LocationConfig extends Common, Readonly<Config['location']> {
  readonly store: Config['store']
}

export interface PolicyConfig extends Common, Readonly<Config['policy']> {
  readonly store: Config['store']
  readonly resources: Config['resources']
  /** Folder that relative secret files of resources start from. */
  readonly baseDir: string
  /** Addresses that the edges bind or advertise: domains that are `answered on the bind address` accept these as host. */
  readonly localHosts: readonly string[]
  /** Expiry bounds and contact limit that an Admit carries. */
  readonly registration: Pick<Config['location'], 'minExpiresMs' | 'defaultExpiresMs' | 'maxExpiresMs' | 'maxContacts'>
}

export interface RecordsConfig extends Common, Readonly<Config['records']> {
  readonly policyTarget: string
}

/** Of the admin API. */
export interface ConsoleConfig extends Common, Readonly<Omit<Config['console'], 'tls'>> {
  /** With paths that no working directory changes, but for the folder. */
  readonly tls: Config['console']['tls']
  /** Folder that files of hashes start from. */
  readonly baseDir: string
  readonly locationTarget: string
  readonly policyTarget: string
}

const WILDCARDS = new Set(['0.0.0.0', '::'])

const common = (config: Config): Common => ({
  clusterName: config.cluster.name,
  keyRing: config.cluster.secrets,
  logLevel: config.logging.level,
  logging: config.logging,
  drainMs: config.shutdown.drainMs,
})

/** Of every node. */
function locationTarget({ location }: Config): string {
  if (location.address !== '') return location.address
  return Array.from({ length: location.count }, (_, index) => `127.0.0.1:${location.grpcPort + 100 * index}`).join(',')
}
const policyTarget = (config: Config): string => config.policy.address || `127.0.0.1:${config.policy.grpcPort}`

/** First non-loopback IPv4 address of the machine, else loopback. */
function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return all.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address ?? '127.0.0.1'
}

/** An address that others can use. */
const reachable = (bindAddress: string): string => (WILDCARDS.has(bindAddress) ? machineAddress() : bindAddress)

function advertisedAddress({ advertisedAddress, bindAddress }: Config['edge']): string {
  return advertisedAddress === '' ? reachable(bindAddress) : advertisedAddress
}

/** `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address, as the schema lets through. */
function placeOf(text: string, host: string, port: number): AdvertisedPlace {
  if (text === '') return { host, port }
  const [, bracketed, plain, given] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return { host: bracketed ?? plain ?? text, port: given === undefined ? port : Number(given) }
}

type Ports = Readonly<Record<keyof EdgeConfig['advertised'], number>>

function advertisedPlaces({ edge }: Config, ports: Ports): EdgeConfig['advertised'] {
  const host = advertisedAddress(edge)
  const of = (name: keyof Ports): AdvertisedPlace => placeOf(edge.advertised[name], host, ports[name])
  return { udp: of('udp'), tcp: of('tcp'), tls: of('tls'), ws: of('ws'), wss: of('wss'), sctp: of('sctp') }
}

/** All hosts that edges go by. */
function localHosts(config: Config): string[] {
  const { bindAddress, advertised } = config.edge
  const own = Object.values(advertised).map((text) => placeOf(text, '', 0).host)
  const all = [bindAddress, advertisedAddress(config.edge), ...own, ...config.policy.edgeHosts]
  return [...new Set(all)].filter((host) => host !== '')
}

const edgeId = (id: string, index: number, count: number): string => {
  if (id === '') return `edge-${index}`
  return count > 1 ? `${id}-${index}` : id
}

/** With paths that no working directory changes. */
function resolvedTls({ edge: { tls }, baseDir }: Config): Config['edge']['tls'] {
  const absolute = (path: string): string => (path === '' ? '' : resolve(baseDir, path))
  const certificates = tls.certificates.map(({ certFile, keyFile }) => ({
    certFile: absolute(certFile),
    keyFile: absolute(keyFile),
  }))
  return { ...tls, certificates, caFile: absolute(tls.caFile) }
}

/** The configuration of edge `index` (default: `edge.index`). */
export function edgeConfig(config: Config, index: number = config.edge.index): EdgeConfig {
  const { count, id: _id, internal, ...edge } = config.edge
  const offset = 100 * index
  const sipPort = edge.sharedAddress ? edge.basePort : edge.basePort + offset
  return {
    ...common(config),
    ...edge,
    index,
    id: edgeId(config.edge.id, index, count),
    advertisedAddress: advertisedAddress(config.edge),
    advertised: advertisedPlaces(config, {
      udp: sipPort,
      tcp: sipPort,
      tls: sipPort + 1,
      ws: sipPort + 6,
      wss: sipPort + 7,
      sctp: sipPort,
    }),
    internalBindAddress: internal.bindAddress || edge.bindAddress,
    internalAddress: internal.advertisedAddress || reachable(internal.bindAddress || edge.bindAddress),
    tls: resolvedTls(config),
    sipPort,
    tlsPort: sipPort + 1,
    wsPort: sipPort + 6,
    wssPort: sipPort + 7,
    internalPort: edge.basePort + 90 + offset,
    httpPort: edge.httpPort + index,
    rpc: config.rpc,
    registration: registrationOf(config),
    nonceLifetimeMs: config.policy.nonceLifetimeMs,
    locationTarget: locationTarget(config),
    policyTarget: policyTarget(config),
  }
}

/** The configuration of location node `index` (default: `location.index`). */
export function locationConfig(config: Config, index: number = config.location.index): LocationConfig {
  const { grpcPort, httpPort } = config.location
  const ports = { index, grpcPort: grpcPort + 100 * index, httpPort: httpPort + 100 * index }
  return { ...common(config), ...config.location, ...ports, store: config.store }
}

function registrationOf({ location }: Config): PolicyConfig['registration'] {
  const { minExpiresMs, defaultExpiresMs, maxExpiresMs, maxContacts } = location
  return { minExpiresMs, defaultExpiresMs, maxExpiresMs, maxContacts }
}

export function policyConfig(config: Config): PolicyConfig {
  return {
    ...common(config),
    ...config.policy,
    geoIpFile: config.policy.geoIpFile === '' ? '' : resolve(config.baseDir, config.policy.geoIpFile),
    store: config.store,
    resources: config.resources,
    baseDir: config.baseDir,
    localHosts: localHosts(config),
    registration: registrationOf(config),
  }
}

export function recordsConfig(config: Config): RecordsConfig {
  return { ...common(config), ...config.records, policyTarget: policyTarget(config) }
}

export function consoleConfig(config: Config): ConsoleConfig {
  const { tls } = config.console
  const absolute = (path: string): string => (path === '' ? '' : resolve(config.baseDir, path))
  return {
    ...common(config),
    ...config.console,
    tls: { ...tls, certFile: absolute(tls.certFile), keyFile: absolute(tls.keyFile) },
    baseDir: config.baseDir,
    locationTarget: locationTarget(config),
    policyTarget: policyTarget(config),
  }
}
