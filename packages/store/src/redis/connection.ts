// SPDX-License-Identifier: MIT
// One connection to Redis, whatever stands behind the URL: standalone, Sentinel or Cluster. Connects by itself, goes on
// trying with jittered backoff, tells its state. Holds no commands back while it is away: there is no offline queue.

import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis } from 'ioredis'
import type { StoreStatus } from '../store.ts'
import { Failovers } from './failovers.ts'
import { slotOfTag } from './slot.ts'
import { parseStoreUrl, type StoreAddress } from './url.ts'
import { Wire } from './wire.ts'

export interface ConnectionSettings {
  url: string
  tls: ConnectionOptions | undefined
  timeoutMs: number
  connectTimeoutMs: number
}

/** Pipelines share this much of ioredis. */
export type Client = Redis | Cluster

/** Nodes that keys move to before a slot is theirs, at most: a cluster's list of slots does not name them. */
const MAX_NEWCOMERS = 16

export class Connection {
  readonly client: Client
  readonly isCluster: boolean
  status: StoreStatus = { state: 'connecting', detail: 'connecting' }
  readonly failovers = new Failovers()
  readonly #events = new EventEmitter()
  readonly #prepare: (client: Client) => Promise<string | undefined>
  readonly #newcomers = new Map<string, Redis>()
  readonly #openNewcomer: (place: string) => Redis
  readonly #openWire: (onClose: () => void) => Promise<Wire | undefined>
  #lastError = ''
  #wire: Wire | undefined
  #wireTimer: NodeJS.Timeout | undefined
  #attempts = 0
  #revival: NodeJS.Timeout | undefined

  /** `prepare` sees a server that answers; text from it makes the store unusable. */
  constructor(settings: ConnectionSettings, prepare: (client: Client) => Promise<string | undefined>) {
    const address = parseStoreUrl(settings.url)
    this.#prepare = prepare
    this.isCluster = address.kind === 'cluster'
    this.#openNewcomer = (place) => openPlace(place, address, settings)
    const client = this.isCluster ? openCluster(address, settings) : openNode(address, settings)
    this.client = client
    this.#openWire = async (onClose) =>
      client instanceof Cluster ? undefined : Wire.open(placeOf(client, address, settings), onClose)
    this.#watch()
  }

  onStatus(listener: (status: StoreStatus) => void): () => void {
    this.#events.on('status', listener)
    return () => this.#events.off('status', listener)
  }

  /** For scripts, where one is open. A Cluster has none. */
  get wire(): Wire | undefined {
    return this.#wire
  }

  /** Commands of one lane share a connection: the node (in ioredis's words: the group) that serves the tag's slot. */
  laneOf(tag: string): string {
    if (!(this.client instanceof Cluster)) return ''
    return this.client.slots[slotOfTag(tag)]?.join(';') ?? ''
  }

  /** The node of a Cluster at host:port, also one that has no slot yet. */
  nodeAt(place: string): Redis {
    const known = this.client instanceof Cluster ? this.client.nodes('all') : []
    const node = known.find(({ options }) => `${options.host}:${options.port}` === place) ?? this.#newcomers.get(place)
    if (node !== undefined) return node
    if (this.#newcomers.size >= MAX_NEWCOMERS) this.#closeNewcomers()
    const newcomer = this.#openNewcomer(place)
    newcomer.on('error', (error: Error) => {
      this.#lastError = describeError(error)
    })
    this.#newcomers.set(place, newcomer)
    return newcomer
  }

  #closeNewcomers(): void {
    for (const node of this.#newcomers.values()) node.disconnect()
    this.#newcomers.clear()
  }

  /** A slot is served elsewhere: learn where. Concurrent calls are one. */
  refresh(): void {
    if (this.client instanceof Cluster) this.client.refreshSlotsCache()
  }

  /** A node that took commands and does not answer: drop its connection, so that what follows fails fast or finds another. */
  reset(lane: string): void {
    if (!(this.client instanceof Cluster)) {
      if (this.client.status === 'ready') this.client.disconnect(true)
      return
    }
    const [key] = lane.split(';')
    for (const node of this.client.nodes('all'))
      if (`${node.options.host}:${node.options.port}` === key) node.disconnect(false)
  }

  async close(): Promise<void> {
    this.#tell({ state: 'closed', detail: 'closed' })
    clearTimeout(this.#revival)
    this.#dropWire()
    this.#closeNewcomers()
    this.client.disconnect()
  }

  #watch(): void {
    this.client.on('ready', () => void this.#ready())
    this.client.on('error', (error: Error) => {
      this.#lastError = describeError(error)
      if (this.status.state === 'connecting') this.#away()
    })
    for (const event of ['close', 'reconnecting', 'end']) this.client.on(event, () => this.#away())
    this.client.on('end', () => this.#revive())
    this.client.on('refresh', () => this.#noteMasters())
  }

  /** ioredis gives up for good where a sentinel tells of the new master while it asks another for it. We never do. */
  #revive(): void {
    if (this.status.state === 'closed') return
    clearTimeout(this.#revival)
    this.#revival = setTimeout(
      () => {
        this.client.connect().catch((error: unknown) => {
          this.#lastError = describeError(error)
        })
      },
      backoffMs(this.#attempts++),
    )
  }

  async #ready(): Promise<void> {
    const trouble = await this.#prepare(this.client).catch((error: unknown) => describeError(error))
    if (this.client.status !== 'ready') return
    this.#attempts = 0
    this.#noteMasters()
    if (trouble === undefined) this.#tell({ state: 'ready', detail: 'connected' })
    else this.#tell({ state: 'unusable', detail: trouble })
    this.#renewWire(0)
  }

  #noteMasters(): void {
    this.failovers.found(mastersOf(this.client))
  }

  /** A wire that is lost, or can't be opened, is tried again while ioredis has its connection. */
  #renewWire(attempt: number): void {
    this.#dropWire()
    const lost = () => {
      if (this.#wire === undefined || this.#wire.isOpen) return
      this.#wire = undefined
      this.#renewLater(attempt + 1)
    }
    this.#openWire(lost).then(
      (wire) => this.#takeWire(wire),
      () => this.#renewLater(attempt + 1),
    )
  }

  #takeWire(wire: Wire | undefined): void {
    if (this.client.status !== 'ready' || wire?.isOpen !== true) wire?.close()
    else this.#wire = wire
  }

  #renewLater(attempt: number): void {
    if (this.client.status !== 'ready' || this.status.state === 'closed') return
    clearTimeout(this.#wireTimer)
    this.#wireTimer = setTimeout(() => this.#renewWire(attempt), backoffMs(attempt))
  }

  #dropWire(): void {
    clearTimeout(this.#wireTimer)
    const wire = this.#wire
    this.#wire = undefined
    wire?.close()
  }

  #away(): void {
    this.#dropWire()
    if (this.status.state === 'away' && this.status.detail !== '') return
    if (this.status.state === 'ready') this.failovers.lost()
    this.#tell({ state: 'away', detail: this.#lastError === '' ? 'connection lost' : this.#lastError })
  }

  #tell(status: StoreStatus): void {
    if (this.status.state === 'closed') return
    if (this.status.state === status.state && this.status.detail === status.detail) return
    this.status = status
    this.#events.emit('status', status)
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const nested = (error as { lastNodeError?: unknown }).lastNodeError
  if (nested instanceof Error) return describeError(nested)
  const code = (error as { code?: unknown }).code
  return error.message === '' && typeof code === 'string' ? code : error.message
}

/** 50 ms doubling to half a second, each time between half and all of it: a failover is over in a second or two. */
export function backoffMs(attempt: number): number {
  const most = Math.min(50 * 2 ** Math.min(attempt, 6), 500)
  return Math.ceil(most * (0.5 + Math.random() / 2))
}

function openNode(address: StoreAddress, settings: ConnectionSettings): Redis {
  const first = address.addresses[0] ?? { host: '127.0.0.1', port: 6379 }
  const place =
    address.kind === 'sentinel'
      ? {
          sentinels: address.addresses,
          name: address.masterName,
          failoverDetector: true,
          sentinelRetryStrategy: backoffMs,
          ...(address.sentinelPassword !== '' && { sentinelPassword: address.sentinelPassword }),
          ...(address.tls && { enableTLSForSentinelMode: true, sentinelTLS: settings.tls ?? {} }),
        }
      : first
  return new Redis({ ...place, ...sharedOptions(address, settings), db: address.db, retryStrategy: backoffMs })
}

function sharedOptions(address: StoreAddress, settings: ConnectionSettings) {
  return {
    ...(address.username !== '' && { username: address.username }),
    ...(address.password !== '' && { password: address.password }),
    ...(address.tls && { tls: settings.tls ?? {} }),
    protocol: 2 as const,
    connectTimeout: settings.connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectionName: 'tandem',
  }
}

/** host:port each. */
function mastersOf(client: Client): string[] {
  if (client instanceof Cluster) return client.nodes('master').map(({ options }) => `${options.host}:${options.port}`)
  const { remoteAddress, remotePort } = client.stream as Socket
  return remoteAddress === undefined ? [] : [`${remoteAddress}:${remotePort}`]
}

/** The server that ioredis has found and is connected to. */
function placeOf(client: Redis, address: StoreAddress, settings: ConnectionSettings) {
  const { remoteAddress = '', remotePort = 0 } = client.stream as Socket
  const named = address.kind === 'standalone' ? address.addresses[0] : undefined
  const { username, password, db } = address
  const tls = address.tls ? (settings.tls ?? {}) : undefined
  const place = named ?? { host: remoteAddress, port: remotePort }
  return { ...place, username, password, db, tls, timeoutMs: settings.connectTimeoutMs }
}

/** As a cluster's own connections to its nodes: commands wait for the connection. */
function openPlace(place: string, address: StoreAddress, settings: ConnectionSettings): Redis {
  const at = place.lastIndexOf(':')
  const [host, port] = [place.slice(0, at), Number(place.slice(at + 1))]
  return new Redis({
    ...sharedOptions(address, settings),
    host,
    port,
    enableOfflineQueue: true,
    retryStrategy: backoffMs,
  })
}

function openCluster(address: StoreAddress, settings: ConnectionSettings): Cluster {
  return new Cluster(address.addresses, {
    enableOfflineQueue: false,
    clusterRetryStrategy: backoffMs,
    slotsRefreshTimeout: settings.timeoutMs,
    slotsRefreshInterval: 5_000,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    retryDelayOnTryAgain: 50,
    maxRedirections: 2, // the batcher tries further, until the caller's patience is over
    redisOptions: sharedOptions(address, settings),
  })
}
