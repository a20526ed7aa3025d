// SPDX-License-Identifier: MIT
//
// What the location cache shows at /metrics.

import type { Metrics } from '@tandem/service-kit'
import type { LocationCache, LocationCacheCounts } from './location-cache.ts'

const HELP: Readonly<Record<keyof LocationCacheCounts, string>> = {
  hits: 'Look-ups that the cache answered: the call needed BeginCall only.',
  misses: 'Look-ups that it did not know, and location was asked.',
  bypasses: 'Look-ups while it was off, because the watch had been silent or its news were old; location was asked.',
  invalidations: 'Entries forgotten because their address changed.',
  flushes: 'Times that everything was forgotten: another stream of the watch, or changes that were missed.',
  evictions: 'Entries that made room for others: raise edge.locationCache.maxEntries or maxBytes.',
  expired: 'Entries forgotten because a binding may have run out, or its edge is no member.',
  overtaken: 'Answers of location that were not kept, because a change was told while they were on their way.',
}

export function registerLocationCacheMetrics(metrics: Metrics, cache: LocationCache): void {
  const prefix = 'tandem_edge_location_cache'
  metrics.counters(prefix, cache.counts, HELP)
  metrics.counter(`${prefix}_off_seconds_total`, 'Time in which the cache was off.', () => cache.offMs / 1000)
  metrics.gauge(`${prefix}_entries`, 'Addresses-of-record in the cache.', () => cache.size)
  metrics.gauge(`${prefix}_bytes`, 'Their size, estimated.', () => cache.bytes)
  metrics.gauge(`${prefix}_fresh`, '1 while the cache may be used.', () => (cache.isFresh ? 1 : 0))
}
