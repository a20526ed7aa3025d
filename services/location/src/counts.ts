// SPDX-License-Identifier: MIT
//
// Counts of the location service: plain integers, read at scrape.
import type { Metrics } from '@tandem/service-kit'
import type { ChangeHub } from './watch-changes.ts'

export interface LocationCounts {
  registers: number
  /** REGISTERs that were stored: with a binding that was not there, with none but such as were, only with bindings that go, without any. */
  registersNew: number
  registersRefresh: number
  bindingsRemoved: number
  bindingsAsked: number
  bindingsAdded: number
  locates: number
  /** Bindings left out of a Locate because the edge that holds their connection is no member. */
  unreachable: number
  callsBegun: number
  callsUpdated: number
  callsEnded: number
  /** BeginCall for a key that had an entry. */
  callsFound: number
  /** ReadCall items. */
  callsRead: number
  callsAdopted: number
  leases: number
  refused: number
  /** Refusals because the store is away. */
  storeAway: number
  /** Refusals because the store is up and refuses writes. */
  storeRefused: number
  /** Writes of which nobody knows whether they happened. */
  undecided: number
  swept: number
  /** Leases ended before their time. */
  revoked: number
  /** Bindings of edges that are gone for good. */
  disconnected: number
  kicked: number
  /** SUBSCRIBEs for registrations. */
  subscribes: number
  /** NOTIFYs given to edges, those that answer a SUBSCRIBE left out. */
  notifications: number
  notifyFailures: number
  subscriptionsEnded: number
  pushes: number
}

const HELP: Readonly<Record<keyof LocationCounts, string>> = {
  registers: 'Register items handled.',
  registersNew: 'REGISTERs that made a binding.',
  registersRefresh: 'REGISTERs that refreshed bindings and made none.',
  bindingsRemoved: 'REGISTERs that only removed bindings.',
  bindingsAsked: 'REGISTERs that only asked which bindings there are.',
  bindingsAdded: 'Bindings made by REGISTERs.',
  locates: 'Locate items handled.',
  unreachable: 'Bindings left out of a Locate because the edge that holds their connection is no member.',
  callsBegun: 'Directory entries created.',
  callsUpdated: 'Directory entries updated.',
  callsEnded: 'Directory entries ended.',
  callsFound: 'BeginCall items that found an entry.',
  callsRead: 'Directory entries looked up for a message of a transaction that its edge does not run.',
  callsAdopted: 'Directory entries that another edge than their owner took over.',
  leases: 'Edge leases granted or renewed.',
  refused: 'Items refused, whatever the reason.',
  storeAway: 'Items refused because the store is away.',
  storeRefused: 'Items refused because the store refuses writes: out of memory, read-only, too few replicas.',
  undecided: 'Writes of which nobody knows whether they happened.',
  swept: 'Bindings removed because they ran out.',
  revoked: 'Leases of edges ended because their last stream closed.',
  disconnected: 'Bindings removed because the edge that held their connection is gone for good.',
  kicked: 'Bindings removed by an administrator.',
  subscribes: 'Subscribe items handled.',
  notifications: 'NOTIFYs of changed registrations given to edges.',
  notifyFailures: 'NOTIFYs that failed and are tried again.',
  subscriptionsEnded: 'Subscriptions that ended with a NOTIFY.',
  pushes: 'Lists of edges pushed to streams.',
}

export function createCounts(): LocationCounts {
  return {
    registers: 0,
    registersNew: 0,
    registersRefresh: 0,
    bindingsRemoved: 0,
    bindingsAsked: 0,
    bindingsAdded: 0,
    locates: 0,
    unreachable: 0,
    callsBegun: 0,
    callsUpdated: 0,
    callsEnded: 0,
    callsFound: 0,
    callsRead: 0,
    callsAdopted: 0,
    leases: 0,
    refused: 0,
    storeAway: 0,
    storeRefused: 0,
    undecided: 0,
    swept: 0,
    revoked: 0,
    disconnected: 0,
    kicked: 0,
    subscribes: 0,
    notifications: 0,
    notifyFailures: 0,
    subscriptionsEnded: 0,
    pushes: 0,
  }
}

export function registerCounts(metrics: Metrics, counts: LocationCounts): void {
  metrics.fieldsCounter(
    'tandem_location_registrations_total',
    'REGISTERs that were stored: they made a binding, only refreshed some, only removed some, or only asked.',
    ['kind'],
    () => counts,
    [
      ['registersNew', 'new'],
      ['registersRefresh', 'refresh'],
      ['bindingsRemoved', 'remove'],
      ['bindingsAsked', 'query'],
    ],
  )
  const {
    registersNew: _new,
    registersRefresh: _refresh,
    bindingsRemoved: _removed,
    bindingsAsked: _asked,
    ...rest
  } = HELP
  metrics.counters('tandem_location', counts, rest as typeof HELP)
}

export function registerWatchMetrics(metrics: Metrics, hub: ChangeHub): void {
  metrics.counters('tandem_location_watch', hub.counts, {
    batches: 'Batches of changed addresses-of-record told to watching edges.',
    changes: 'Addresses-of-record in them.',
    gaps: 'Times that watching edges were told to forget everything: the change feed was taken up anew.',
  })
  metrics.gauge('tandem_location_watchers', 'Edges that watch the changes of bindings here.', () => hub.watcherCount)
}
