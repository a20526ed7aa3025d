// SPDX-License-Identifier: MIT
//
// Composes the handlers over one store. Stateless but for its copy of the list of edges: any number of these run beside
// one another on the same store.
import { randomBytes } from 'node:crypto'
import { type HandlerContext, type location, PushHub } from '@tandem/rpc'
import type { EdgeList, Stored } from '@tandem/store'
import {
  createCountRegistrations,
  createKick,
  createListAors,
  createReadBindings,
  createWriteBindings,
} from './administer.ts'
import { createAdoptCall, createListOwned, createReadCall } from './adopt-call.ts'
import { createBeginCall } from './begin-call.ts'
import { createCounts, type LocationCounts, registerCounts, registerWatchMetrics } from './counts.ts'
import type { Deps } from './deps.ts'
import { EdgeRemoval } from './edge-removal.ts'
import { createEndCall } from './end-call.ts'
import { ExpirySweep } from './expiry-sweep.ts'
import { createLeaseEdge } from './lease-edge.ts'
import { createLeaveEdge } from './leave-edge.ts'
import { createListEdges } from './list-edges.ts'
import { createLocate } from './locate.ts'
import { Membership } from './membership.ts'
import { LOCATION_TUNING, type LocationService, type LocationServiceOptions } from './options.ts'
import { type WatchDeps, withChangesTold } from './reg-event/deps.ts'
import { Notifier } from './reg-event/notifier.ts'
import { createNotifyDone } from './reg-event/notify-done.ts'
import { createSubscribe } from './reg-event/subscribe.ts'
import { createRegister } from './register.ts'
import { RegisteredCount, registerRegistered } from './registered-count.ts'
import { StaticTable } from './static-bindings.ts'
import { StoreWatch } from './store-watch.ts'
import { StreamPresence } from './stream-presence.ts'
import { createUpdateCall } from './update-call.ts'
import { ChangeHub } from './watch-changes.ts'

export function createLocationService(options: LocationServiceOptions): LocationService {
  const { store, config, logger, metrics } = options
  const tuning = { ...LOCATION_TUNING, ...options.tuning }
  const counts = createCounts()
  const pushes = new PushHub<location.Push>()
  const watch = new StoreWatch(logger)
  const onStore = (isUp: boolean) => watch.note(isUp)
  const onAnswer = (result: Stored<unknown>) => watch.see(result)
  const now = () => performance.now()
  const staticContacts = new StaticTable(options.staticContacts ?? new Map())
  const node = `location-${randomBytes(9).toString('base64url')}`
  const onList = (list: EdgeList) => membership.take(list)
  const presence = new StreamPresence({ store, node, counts, tuning, onList })
  const membership: Membership = new Membership({
    read: () => presence.read(),
    counts,
    tuning,
    pushes,
    onStore,
    onRound: () => void removal.round(),
    now,
  })
  const sweep = new ExpirySweep(store, counts, tuning.sweepIntervalMs)
  const deps = { store, counts, bounds: config, tuning, membership, staticContacts, onStore, onAnswer }
  const notifierDeps = { ...deps, watchBounds: config }
  const notifier = new Notifier({ deps: notifierDeps, membership, pushes, intervalMs: tuning.sweepIntervalMs })
  const changes = new ChangeHub({ store, now })
  const removal: EdgeRemoval = new EdgeRemoval({
    store,
    node,
    counts,
    logger,
    isNeeded: () => membership.hasGoneForGood,
    onWatched: (shard) => notifier.changedShard(shard),
    now,
  })
  const registered = new RegisteredCount(store, options.registeredNow)
  if (metrics) registerMetrics(metrics, counts, membership)
  if (metrics) registerRegistered(metrics, registered)
  if (metrics) registerWatchMetrics(metrics, changes)
  return {
    ...createHandlers({ ...deps, store: withChangesTold(store, (aor) => notifier.changed(aor)) }, notifier.deps),
    pushes,
    changes,
    hooks: {
      onStreamOpen: (peer) => {
        presence.opened(peer)
        membership.greet(peer)
      },
      onStreamClose: (peer, isOurs) => presence.closed(peer, isOurs),
    },
    counts,
    replaceStaticContacts(contacts) {
      const aors = staticContacts.replace(contacts)
      changes.note(aors)
      for (const aor of aors) notifier.changed(aor)
    },
    ready: () => watch.isUp,
    sweep: async () => {
      await sweep.round()
      await removal.round()
      await notifier.round()
    },
    start: async () => {
      membership.start()
      sweep.start()
      notifier.start()
      registered.start(metrics)
    },
    stop: async () => {
      changes.stop()
      membership.stop()
      await registered.stop()
      await presence.stop()
      await removal.stop()
      await sweep.stop()
      await notifier.stop()
    },
  }
}

/** A handler, and for a request that is traced the same over a store whose operations have spans. */
function traced<Q, R>(
  deps: Deps,
  create: (deps: Deps) => (request: Q) => R,
): (request: Q, context?: HandlerContext) => R {
  const plain = create(deps)
  return (request, context) => {
    const span = context?.span
    return span === undefined ? plain(request) : create({ ...deps, store: span.watch(deps.store, 'store') })(request)
  }
}

function createHandlers(deps: Deps, watches: WatchDeps): Pick<LocationService, 'handlers' | 'unary'> {
  const locate = traced(deps, createLocate)
  return {
    handlers: {
      register: traced(deps, createRegister),
      locate,
      beginCall: traced(deps, createBeginCall),
      updateCall: traced(deps, createUpdateCall),
      endCall: traced(deps, createEndCall),
      readCall: traced(deps, createReadCall),
      adoptCall: traced(deps, createAdoptCall),
      listOwned: createListOwned(deps),
      leaseEdge: createLeaseEdge(deps),
      leaveEdge: createLeaveEdge(deps),
      subscribe: createSubscribe(watches),
      notifyDone: createNotifyDone(watches),
    },
    unary: {
      locate,
      listEdges: createListEdges(deps),
      kick: createKick(deps),
      countRegistrations: createCountRegistrations(deps),
      listAors: createListAors(deps),
      readBindings: createReadBindings(deps),
      writeBindings: createWriteBindings(deps),
    },
  }
}

function registerMetrics(
  metrics: NonNullable<LocationServiceOptions['metrics']>,
  counts: LocationCounts,
  membership: Membership,
): void {
  registerCounts(metrics, counts)
  metrics.gauge(
    'tandem_location_edges',
    'Edges that hold a lease, as this node knows it.',
    () => membership.memberCount,
  )
}
