// SPDX-License-Identifier: MIT
// The store on Redis 6.2 or later: standalone, Sentinel or Cluster, with or without TLS, by one URL. Every operation is one
// script on one slot. Away at the start or later: operations fail fast, the connection is tried again with jitter, and
// status tells. Nothing here throws but createRedisStore itself, for a URL that is none.

import type { ConnectionOptions } from 'node:tls'
import { Cluster, type Redis } from 'ioredis'
import type { LocationStore } from '../location-store.ts'
import type { PolicyStore } from '../policy-store.ts'
import { DEFAULT_SETTINGS, type Store, type StoreSettings } from '../store.ts'
import { RedisAccounts } from './accounts.ts'
import { RedisBans } from './bans.ts'
import { Batcher, type Durability } from './batcher.ts'
import { RedisBindings } from './bindings.ts'
import { BlockingFollow } from './blocking-follow.ts'
import { RedisCalls, RedisMints } from './calls.ts'
import { type Client, Connection } from './connection.ts'
import { RedisDirectory, RedisMembership } from './directory.ts'
import { FeedCursors } from './feed-cursors.ts'
import { RedisFraud } from './fraud.ts'
import { RedisFraudEvents } from './fraud-events.ts'
import { RedisGroups } from './groups.ts'
import { PollingFollow } from './polling-follow.ts'
import { RedisRecords } from './records.ts'
import { RedisResources } from './resources.ts'
import { Runner } from './runner.ts'
import { SCRIPTS } from './scripts/all.ts'
import { RedisTrunks } from './trunks.ts'
import { RedisWatches } from './watches.ts'

export type { Durability } from './batcher.ts'

export interface RedisStoreOptions {
  /** redis://, rediss://, redis-sentinel://host,host/name, redis-cluster://host,host; `?tls=true` for the latter two. */
  url: string
  /** What a write waits for: nothing, replicas (WAIT), or the master's append-only file (WAITAOF, Redis 7.2). */
  durability?: Durability
  /** Replicas that must have a write when durability is `replica`. */
  replicas?: number
  /** A batch without an answer after this ends as unknown. */
  timeoutMs?: number
  /** A connection attempt is given up after this; `timeoutMs` where absent. */
  connectTimeoutMs?: number
  /** Operations on their way, at most. */
  maxInFlight?: number
  tls?: ConnectionOptions
  settings?: Partial<StoreSettings>
}

/** Throws StoreConfigError for a bad URL. Connects in the background. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const { url, durability = 'async', replicas = 1, timeoutMs = 2_000, maxInFlight = 20_000 } = options
  const prepare = (client: Client) => prepareServer(client, durability)
  const { tls, connectTimeoutMs = timeoutMs } = options
  const connection = new Connection({ url, tls, timeoutMs, connectTimeoutMs }, prepare)
  const batcher = new Batcher(connection, { durability, replicas, timeoutMs, maxInFlight })
  const runner = new Runner(batcher, { ...DEFAULT_SETTINGS, ...options.settings })
  const records = new RedisRecords(runner)
  const calls = new RedisCalls(runner, (shard) => records.wake(shard))
  return {
    location: createLocation(runner, connection),
    policy: createPolicy(new RedisMints(runner, calls), calls, records),
    accounts: new RedisAccounts(runner),
    fraud: new RedisFraud(runner),
    fraudEvents: new RedisFraudEvents(runner),
    bans: new RedisBans(runner),
    resources: new RedisResources(runner),
    trunks: new RedisTrunks(runner),
    groups: new RedisGroups(runner),
    get status() {
      return connection.status
    },
    onStatus: (listener) => connection.onStatus(listener),
    counts: () => ({ ...batcher.counts(), ...calls.counts(), ...connection.failovers.counts() }),
    onScript: (listener) => batcher.onScript(listener),
    tick: () => undefined,
    close: () => connection.close(),
  }
}

function createLocation(runner: Runner, connection: Connection): LocationStore {
  const bindings = new RedisBindings(runner)
  const watches = new RedisWatches(runner)
  const directory = new RedisDirectory(runner)
  const members = new RedisMembership(runner)
  return {
    register: (update) => bindings.register(update),
    locate: (aor) => bindings.locate(aor),
    removeBindings: (aor, uriKeys) => bindings.removeBindings(aor, uriKeys),
    listAors: (shard) => bindings.listAors(shard),
    countAors: (shard, domain) => bindings.countAors(shard, domain),
    expire: (shard, limit) => bindings.expire(shard, limit),
    removeEdgeBindings: (shard, edgeId, limit) => bindings.removeEdge(shard, edgeId, limit),
    readChanges: (shard, after, limit) => bindings.readChanges(shard, after, limit),
    followChanges: (follower) => {
      const cursors = new FeedCursors(runner)
      if (connection.isCluster) return new PollingFollow(connection, runner, cursors, follower)
      return new BlockingFollow(connection, cursors, follower)
    },
    readWatch: (aor) => watches.read(aor),
    writeWatch: (write) => watches.write(write),
    claimWatches: (shard, leaseMs, limit) => watches.claim(shard, leaseMs, limit),
    beginCall: (call) => directory.begin(call),
    updateCall: (update) => directory.update(update),
    endCall: (end) => directory.end(end),
    adoptCall: (adoption) => directory.adopt(adoption),
    readCall: (transactionKey) => directory.read(transactionKey),
    listOwned: (owner, limit) => directory.listOwned(owner, limit),
    leaseEdge: (edge, leaseMs) => members.lease(edge, leaseMs),
    leaveEdge: (edgeId) => members.leave(edgeId),
    listEdges: () => members.list(),
    holdStreams: (streams) => members.holdStreams(streams),
    revokeEdge: (node, stream) => members.revoke(node, stream),
    claimGone: (node, leaseMs, edgeId) => members.claimGone(node, leaseMs, edgeId),
    settleGone: (node, edgeId) => members.settleGone(node, edgeId),
  }
}

function createPolicy(mints: RedisMints, calls: RedisCalls, records: RedisRecords): PolicyStore {
  return {
    mint: (key, proposal, keepMs) => mints.mint(key, proposal, keepMs),
    releaseMint: (key, keepMs) => mints.release(key, keepMs),
    readMint: (key) => mints.read(key),
    useNonce: (use) => mints.useNonce(use),
    answered: (ref, report) => calls.answered(ref, report),
    ended: (ref, report) => calls.ended(ref, report),
    failed: (ref, report) => calls.failed(ref, report),
    updated: (ref, report) => calls.updated(ref, report),
    requestHangUp: (ref, wish) => calls.requestHangUp(ref, wish),
    takeWork: (ref, leaseMs) => calls.takeWork(ref, leaseMs),
    postponeHangUp: (ref, inMs, isUncounted) => calls.postponeHangUp(ref, inMs, isUncounted),
    noteLife: (ref, found, reason) => calls.noteLife(ref, found, reason),
    endBySystem: (ref, reason) => calls.endBySystem(ref, reason),
    planCharge: (ref, inMs) => calls.planCharge(ref, inMs),
    settled: (ref, billing, checkInMs) => calls.settled(ref, billing, checkInMs),
    checked: (ref) => calls.checked(ref),
    claimDue: (shard, leaseMs, limit) => calls.claimDue(shard, leaseMs, limit),
    settleDue: (ref) => calls.settleDue(ref),
    listLive: (limit) => calls.listLive(limit),
    readLive: (ref) => calls.readLive(ref),
    openRecords: (group, consumer) => records.open(group, consumer),
    recordLag: (group) => records.lag(group),
    dropGroup: (group) => records.dropGroup(group),
  }
}

const OLDEST: Record<Durability, [major: number, minor: number, why: string]> = {
  async: [6, 2, 'Tandem needs Redis 6.2 or later'],
  replica: [6, 2, 'Tandem needs Redis 6.2 or later'],
  fsync: [7, 2, 'durability "fsync" needs Redis 7.2 or later (WAITAOF)'],
}

/** Loads the scripts on every master; returns what the server lacks, if anything. */
async function prepareServer(client: Client, durability: Durability): Promise<string | undefined> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const [trouble] = await Promise.all([nodes[0] && lacking(nodes[0], durability), ...nodes.map(loadScripts)])
  return trouble
}

/** A master that comes later gets a script when it first lacks it (batcher.ts). */
async function loadScripts(node: Redis): Promise<void> {
  const pipeline = node.pipeline()
  for (const { source } of SCRIPTS) pipeline.script('LOAD', source)
  await pipeline.exec()
}

async function lacking(node: Redis, durability: Durability): Promise<string | undefined> {
  const version = /redis_version:(\d+)\.(\d+)\S*/.exec(await node.info('server'))
  const [major, minor, why] = OLDEST[durability]
  if (version === null || isAtLeast(version, major, minor))
    return durability === 'fsync' ? lackingFile(node) : undefined
  return `${why}; this server is ${version[0].slice('redis_version:'.length)}`
}

function isAtLeast([, ofMajor, ofMinor]: readonly (string | undefined)[], major: number, minor: number): boolean {
  return Number(ofMajor) > major || (Number(ofMajor) === major && Number(ofMinor) >= minor)
}

/** Without an append-only file there is nothing to sync. */
async function lackingFile(node: Redis): Promise<string | undefined> {
  if (!/aof_enabled:0/.test(await node.info('persistence'))) return undefined
  return 'durability "fsync" needs an append-only file: set "appendonly yes" on the server'
}
