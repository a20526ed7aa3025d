// SPDX-License-Identifier: MIT
// The embedded store: everything in this process's memory, gone with it. Answers synchronously, sets no timers, reads the
// clock that it is given; what is past its time is released by later operations and by tick().

import type { LocationStore } from '../location-store.ts'
import { Membership } from '../membership.ts'
import type { PolicyStore } from '../policy-store.ts'
import { notStored, type Stored, stored } from '../result.ts'
import { shardOfReference } from '../shard.ts'
import { DEFAULT_SETTINGS, type Store, type StoreSettings, type StoreStatus } from '../store.ts'
import type { Minted, MintProposal } from '../types.ts'
import { MemoryAccounts } from './accounts.ts'
import { MemoryBans } from './bans.ts'
import { MemoryBindings } from './bindings.ts'
import { MemoryCalls } from './calls.ts'
import { DEFAULT_LIMITS, type MemoryContext, type MemoryLimits } from './context.ts'
import { MemoryDirectory } from './directory.ts'
import { MemoryFraud } from './fraud.ts'
import { MemoryFraudEvents } from './fraud-events.ts'
import { MemoryGroups } from './groups.ts'
import { MemoryMints, MemoryNonces } from './mints.ts'
import { MemoryRecords } from './records.ts'
import { ResourceFile } from './resource-file.ts'
import { MemoryResources } from './resources.ts'
import { MemoryTrunks } from './trunks.ts'
import { MemoryWatches } from './watches.ts'

export type { MemoryLimits } from './context.ts'

export interface MemoryStoreOptions {
  /** Milliseconds since 1970. */
  now: () => number
  limits?: Partial<MemoryLimits>
  settings?: Partial<StoreSettings>
  /** Where applied resources outlive the process; absent: they don't. */
  resourcesFile?: string
  /** Hears what was wrong with that file, a sentence each. */
  onTrouble?: (sentence: string) => void
}

export function createMemoryStore(options: MemoryStoreOptions): Store {
  const context: MemoryContext = {
    now: options.now,
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  }
  const location = createLocation(context)
  const bans = new MemoryBans(context)
  const policy = createPolicy(context, bans)
  const fraud = new MemoryFraud(context)
  const fraudEvents = new MemoryFraudEvents(context)
  const accounts = new MemoryAccounts(context, fraud)
  const trunks = new MemoryTrunks(context)
  const groups = new MemoryGroups(context)
  const resources = new MemoryResources(context, fileOf(options))
  let status: StoreStatus = { state: 'ready', detail: 'embedded store' }
  return {
    location: location.store,
    policy: policy.store,
    accounts,
    fraud,
    fraudEvents,
    bans,
    trunks,
    groups,
    resources,
    get status() {
      return status
    },
    onStatus: () => () => undefined,
    counts: () => ({
      ...location.counts(),
      ...policy.counts(),
      ...accounts.counts(),
      ...fraud.counts(),
      ...fraudEvents.counts(),
      ...bans.counts(),
      ...trunks.counts(),
      ...groups.counts(),
      ...resources.counts(),
    }),
    tick() {
      location.tick()
      policy.tick()
      bans.tick()
      trunks.tick()
      groups.tick()
    },
    async close() {
      status = { state: 'closed', detail: 'closed' }
    },
  }
}

function fileOf({ resourcesFile, onTrouble }: MemoryStoreOptions): ResourceFile | undefined {
  return resourcesFile === undefined ? undefined : new ResourceFile(resourcesFile, onTrouble)
}

function createLocation(context: MemoryContext) {
  const watches = new MemoryWatches(context)
  const bindings = new MemoryBindings(context, watches)
  const directory = new MemoryDirectory(context)
  const members = new Membership(context.settings)
  const store: LocationStore = {
    register: (update) => bindings.register(update),
    locate: (aor) => bindings.locate(aor),
    removeBindings: (aor, uriKeys) => bindings.removeBindings(aor, uriKeys),
    listAors: (shard) => bindings.listAors(shard),
    countAors: (shard, domain) => bindings.countAors(shard, domain),
    expire: (shard, limit) => bindings.expire(shard, limit),
    removeEdgeBindings: (shard, edgeId, limit) => bindings.removeEdge(shard, edgeId, limit),
    readChanges: (shard, after, limit) => bindings.readChanges(shard, after, limit),
    followChanges: (follower) => bindings.follow(follower),
    readWatch: (aor) => bindings.readWatch(aor),
    writeWatch: (write) => watches.write(write),
    claimWatches: (shard, leaseMs, limit) => watches.claim(shard, leaseMs, limit),
    beginCall: (call) => directory.begin(call),
    updateCall: (update) => directory.update(update),
    endCall: (end) => directory.end(end),
    adoptCall: (adoption) => directory.adopt(adoption),
    readCall: (transactionKey) => directory.read(transactionKey),
    listOwned: (owner, limit) => directory.listOwned(owner, limit),
    leaseEdge: (edge, leaseMs) => stored(members.lease(edge, leaseMs, context.now())),
    leaveEdge: (edgeId) => stored(members.leave(edgeId, context.now())),
    listEdges: () => stored(members.list(context.now())),
    holdStreams: (streams) => stored(members.holdStreams(streams, context.now())),
    revokeEdge: (node, stream) => stored(members.revoke(node, stream, context.now())),
    claimGone: (node, leaseMs, edgeId) => stored(members.claimGone(node, leaseMs, edgeId, context.now())),
    settleGone: (node, edgeId) => stored(members.settleGone(node, edgeId, context.now())),
  }
  const tick = () => {
    bindings.tick()
    directory.tick()
  }
  const counts = () => ({ ...bindings.counts(), ...watches.counts(), ...directory.counts(), edgeCount: members.size })
  return { store, tick, counts }
}

function createPolicy(context: MemoryContext, bans: MemoryBans) {
  const records = new MemoryRecords(context)
  const calls = new MemoryCalls(context, records)
  const mints = new MemoryMints(context)
  const nonces = new MemoryNonces(context, bans)
  const store: PolicyStore = {
    mint: (key, proposal, keepMs) => mintCall(mints, calls, key, proposal, keepMs),
    releaseMint: (key, keepMs) => releaseMint(mints, calls, key, keepMs),
    readMint: (key) => mints.read(key),
    useNonce: (use) => nonces.use(use),
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
  const tables = [calls, mints, nonces]
  const tick = () => {
    for (const table of tables) table.tick()
  }
  const counts = () => ({ ...calls.counts(), ...mints.counts(), ...nonces.counts(), ...records.counts() })
  return { store, tick, counts }
}

function mintCall(
  mints: MemoryMints,
  calls: MemoryCalls,
  key: string,
  proposal: MintProposal,
  keepMs: number,
): Stored<Minted> {
  if (shardOfReference(proposal.ref) < 0) return notStored('invalid', 'the call reference carries no shard')
  const minted = mints.mint(key, proposal, keepMs)
  if (minted.state !== 'stored' || proposal.call === undefined) return minted
  const opened = calls.open(
    minted.value.ref,
    key,
    proposal.call,
    proposal.deadlineMs,
    mints.deadlineOf(key),
    proposal.limits,
  )
  return opened.state === 'stored' ? minted : opened
}

/** A finished call is remembered as long as its key could bring it back. */
function releaseMint(mints: MemoryMints, calls: MemoryCalls, key: string, keepMs: number): Stored<boolean> {
  const released = mints.release(key, keepMs)
  const ref = mints.refOf(key)
  if (ref !== undefined) calls.shorten(ref, mints.deadlineOf(key))
  return released
}
