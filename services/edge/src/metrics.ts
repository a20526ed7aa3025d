// SPDX-License-Identifier: MIT
//
// What an edge shows at /metrics: plain integers of its parts, read at scrape. docs/reference/metrics.md lists them.

import { type Metrics, SHORT_SECONDS, snakeCase } from '@tandem/service-kit'
import { registerAdmissionMetrics } from './admission/metrics.ts'
import type { EdgeCore } from './core.ts'
import { registerDecideMetrics } from './decide/metrics.ts'
import { registerLocationCacheMetrics } from './location-cache/metrics.ts'
import { registerOutcomeMetrics } from './metrics/outcome-metrics.ts'
import { registerServiceMetrics } from './metrics/service-metrics.ts'
import { registerSipMetrics } from './metrics/sip-metrics.ts'
import { type MeasuredTransports, registerTransportMetrics } from './metrics/transport-metrics.ts'

export function registerEdgeMetrics(metrics: Metrics, core: EdgeCore, transports: () => MeasuredTransports): void {
  metrics.processMetrics()
  registerSipMetrics(metrics, core)
  registerOutcomeMetrics(metrics, core.counts)
  registerProxyMetrics(metrics, core)
  registerClusterMetrics(metrics, core)
  registerServiceMetrics(metrics, core)
  registerDecideMetrics(metrics, core)
  if (core.locationCache !== undefined) registerLocationCacheMetrics(metrics, core.locationCache)
  registerAdmissionMetrics(metrics, core.admission, core.now)
  registerTransportMetrics(metrics, transports)
}

function registerProxyMetrics(metrics: Metrics, { proxy, reporter, natPings, banned, now, hops }: EdgeCore): void {
  const events = (counts: object) => (): [string, number][] =>
    Object.entries(counts).map(([name, count]) => [snakeCase(name), Number(count)])
  metrics.labelledCounter(
    'tandem_edge_proxy_events_total',
    'Events of the proxy core: branches (forked), requests with more than one (forked_requests), ….',
    'event',
    events(proxy.counts),
  )
  metrics.gauge(
    'tandem_edge_requests_in_progress',
    'Forwarded requests without a final response yet.',
    () => proxy.inProgress,
  )
  metrics.labelledCounter('tandem_edge_reports_total', 'Reports to policy.', 'result', events(reporter.counts))
  metrics.gauge('tandem_edge_reports_pending', 'Reports that policy has not taken yet.', () => reporter.pending)
  metrics.gauge('tandem_edge_nat_bindings', 'Bindings behind a NAT that this edge keeps open.', () => natPings.size)
  metrics.gauge('tandem_edge_banned_sources', 'Sources that this edge takes nothing new from.', () =>
    banned.countAt(now()),
  )
  metrics.labelledCounter('tandem_edge_dns_events_total', 'Look-ups of names, and what became of them.', 'event', () =>
    events(hops.dnsCounts)(),
  )
}

function registerClusterMetrics(metrics: Metrics, { membership, anyEdge }: EdgeCore): void {
  metrics.gauge('tandem_edge_members', 'Edges that this one knows of.', () => membership.size)
  metrics.gauge(
    'tandem_edge_relays_under_way',
    'Messages to other edges that are not acknowledged yet.',
    () => anyEdge.relays.size,
  )
  metrics.gauge(
    'tandem_edge_calls_looked_up',
    'Calls of other edges that the directory is asked for, or that are being rebuilt.',
    () => anyEdge.claims.size,
  )
  anyEdge.claims.adoptions = metrics.histogram(
    'tandem_edge_adoption_seconds',
    'From the first sign that the owner of a call in set-up is gone until its transaction runs here.',
    SHORT_SECONDS,
  )
  anyEdge.relays.roundTrips = metrics.histogram(
    'tandem_edge_relay_seconds',
    'From a message to another edge until it is acknowledged.',
    SHORT_SECONDS,
  )
}
