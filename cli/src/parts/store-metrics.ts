// SPDX-License-Identifier: MIT
//
// What location and policy show of their store. The embedded store has its fills, Redis its scripts; what the other one has is absent.
import { type Metrics, SHORT_SECONDS } from '@tandem/service-kit'
import type { Store } from '@tandem/store'

type Row = readonly [count: string, name: string, help: string]

/** What goes up and down. */
const FILLS: readonly Row[] = [
  ['redisInFlightCount', 'scripts_under_way', 'Scripts on their way to Redis.'],
  ['aorCount', 'aors', 'Embedded store: addresses-of-record.'],
  ['watchCount', 'watches', 'Embedded store: addresses-of-record that somebody watches.'],
  ['transactionCount', 'transactions', 'Embedded store: calls in the directory of those in set-up.'],
  ['edgeCount', 'edges', 'Embedded store: edges.'],
  ['callCount', 'calls', 'Embedded store: calls on record that are not over.'],
  ['finishedCallCount', 'finished_calls', 'Embedded store: calls that are over and remembered.'],
  ['mintCount', 'mints', 'Embedded store: decisions remembered for repeats.'],
  ['nonceCount', 'nonces', 'Embedded store: nonces whose counts are kept.'],
  ['recordCount', 'records', 'Embedded store: records that wait for a sink.'],
  ['accountCount', 'accounts', 'Embedded store: accounts.'],
  ['holdCount', 'holds', 'Embedded store: amounts held for calls.'],
  ['fraudSlotCount', 'fraud_slots', 'Embedded store: subjects with counters of rules against fraud.'],
  ['fraudEventCount', 'fraud_events', 'Embedded store: fraud events.'],
  ['failingUserCount', 'failing_users', 'Embedded store: users with wrong passwords.'],
  ['failingSourceCount', 'failing_sources', 'Embedded store: addresses with wrong passwords.'],
  ['goodMarkCount', 'good_marks', 'Embedded store: users who proved themselves lately.'],
  ['banCount', 'bans', 'Embedded store: bans.'],
  ['trunkPlaceCount', 'trunk_places', 'Embedded store: places of trunks that are taken.'],
  ['trunkNonceCount', 'trunk_nonces', 'Embedded store: nonces of trunks whose counts are kept.'],
  ['huntGroupsCount', 'hunt_groups', 'Embedded store: hunt groups of which turns, logins or idle times are kept.'],
  ['trunkStateCount', 'trunk_states', 'Embedded store: states of registrations at trunks.'],
  ['resourceRevisionCount', 'resource_revisions', 'Embedded store: revisions of the resources.'],
  ['resourceStageCount', 'resource_stages', 'Embedded store: revisions that are being written.'],
]

/** What only grows. */
const TOTALS: readonly Row[] = [
  ['redisScripts', 'scripts', 'Scripts sent to Redis.'],
  ['redisBatches', 'batches', 'Pipelines that they were sent in; scripts by batches is the size of one.'],
  ['redisRefused', 'refused_scripts', 'Scripts not sent: Redis is away, or too many are under way.'],
  ['redisUnknown', 'undecided_scripts', 'Scripts of which nobody knows whether they ran.'],
  [
    'redisLost',
    'connection_losses',
    'Times that Redis was lost: its connection ended, or no master of a Cluster was left.',
  ],
  ['redisMoved', 'new_masters', 'Masters found where none was before: failovers, and nodes added to a Cluster.'],
  ['recordsDropped', 'dropped_records', 'Records dropped because sinks are too far behind.'],
  ['aorsRefused', 'refused_aors', 'Embedded store: registrations refused because it is full.'],
  ['watchesRefused', 'refused_watches', 'Embedded store: watches refused because it is full.'],
  ['transactionsRefused', 'refused_transactions', 'Embedded store: calls refused because the directory is full.'],
  ['callsRefused', 'refused_calls', 'Embedded store: calls refused because it is full.'],
  ['mintsRefused', 'refused_mints', 'Embedded store: decisions refused because it is full.'],
  ['noncesRefused', 'refused_nonces', 'Embedded store: nonces refused because it is full.'],
  ['failuresDropped', 'dropped_failures', 'Embedded store: wrong passwords that it had no room to count.'],
]

/** The counts that have a metric; a test holds them against those of both stores. */
export const STORE_COUNTS: ReadonlySet<string> = new Set([...FILLS, ...TOTALS].map(([count]) => count))

function present(store: Store, count: string): Iterable<{ labels: Record<string, string>; value: number }> {
  const value = store.counts()[count]
  return value === undefined ? [] : [{ labels: {}, value }]
}

export function registerStoreMetrics(metrics: Metrics, store: Store): void {
  for (const [count, name, help] of FILLS)
    metrics.gaugeOf(`tandem_store_${name}`, help, [], () => present(store, count))
  for (const [count, name, help] of TOTALS)
    metrics.counterOf(`tandem_store_${name}_total`, help, [], () => present(store, count))
  metrics.gauge('tandem_store_ready', '1 while the store answers.', () => (store.status.state === 'ready' ? 1 : 0))
  const family = metrics.histogramFamily(
    'tandem_store_script_seconds',
    'From a script for Redis until its reply, waiting for company and repeats included.',
    'script',
    SHORT_SECONDS,
  )
  store.onScript?.((script, ms) => family.observe(script, ms / 1_000))
}
