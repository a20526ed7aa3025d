// SPDX-License-Identifier: MIT
//
// What an edge shows at /metrics: plain integers of its parts, read at scrape.

import type { Metrics } from '@tandem/service-kit'
import type { StreamTransport, UdpListener } from '@tandem/transport'
import { registerAdmissionMetrics } from './admission/metrics.ts'
import type { EdgeCore } from './core.ts'
import { EDGE_COUNT_HELP } from './counts.ts'
import { registerDecideMetrics } from './decide/metrics.ts'
import { registerLocationCacheMetrics } from './location-cache/metrics.ts'

export interface MeasuredTransports {
  readonly udp: readonly UdpListener[]
  readonly tcp: readonly StreamTransport[]
}

/** Bounds of histograms: 0.5 ms to 1 s. */
const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.5, 1]

export function registerEdgeMetrics(metrics: Metrics, core: EdgeCore, transports: () => MeasuredTransports): void {
  metrics.processMetrics()
  metrics.counters('tandem_edge', core.counts, EDGE_COUNT_HELP)
  metrics.labelledCounter('tandem_edge_transaction_events_total', 'Events of the transaction layer.', 'event', () =>
    Object.entries(core.layer.counts).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  )
  metrics.labelledCounter('tandem_edge_proxy_events_total', 'Events of the proxy core.', 'event', () =>
    Object.entries(core.proxy.counts),
  )
  metrics.labelledCounter('tandem_edge_reports_total', 'Reports to policy.', 'result', () =>
    Object.entries(core.reporter.counts),
  )
  metrics.gauge('tandem_edge_reports_pending', 'Reports that policy has not taken yet.', () => core.reporter.pending)
  metrics.gauge('tandem_edge_server_transactions', 'Server transactions alive.', () => core.layer.serverCount)
  metrics.gauge('tandem_edge_client_transactions', 'Client transactions alive.', () => core.layer.clientCount)
  metrics.gauge(
    'tandem_edge_transaction_kept_bytes',
    'Bytes of messages that transactions keep.',
    () => core.layer.keptBytes,
  )
  metrics.gauge(
    'tandem_edge_nat_bindings',
    'Bindings behind a NAT that this edge keeps open.',
    () => core.natPings.size,
  )
  metrics.gauge('tandem_edge_banned_sources', 'Sources that this edge takes nothing new from.', () =>
    core.banned.countAt(core.now()),
  )
  metrics.gauge('tandem_edge_members', 'Edges that this one knows of.', () => core.membership.size)
  metrics.gauge(
    'tandem_edge_relays_under_way',
    'Messages to other edges that are not acknowledged yet.',
    () => core.anyEdge.relays.size,
  )
  metrics.gauge(
    'tandem_edge_calls_looked_up',
    'Calls of other edges that the directory is asked for, or that are being rebuilt.',
    () => core.anyEdge.claims.size,
  )
  core.anyEdge.claims.adoptions = metrics.histogram(
    'tandem_edge_adoption_seconds',
    'From the first sign that the owner of a call in set-up is gone until its transaction runs here.',
    SECONDS,
  )
  core.anyEdge.relays.roundTrips = metrics.histogram(
    'tandem_edge_relay_seconds',
    'From a message to another edge until it is acknowledged.',
    SECONDS,
  )
  metrics.labelledCounter('tandem_edge_rpc_items_total', 'Items sent to a service.', 'service', () => [
    ['location', core.location.counts.items],
    ['policy', core.policy.counts.items],
  ])
  metrics.labelledCounter('tandem_edge_rpc_unknown_total', 'Items without a result.', 'service', () => [
    ['location', core.location.counts.unknown],
    ['policy', core.policy.counts.unknown],
  ])
  metrics.labelledCounter(
    'tandem_edge_rpc_repeated_total',
    'Items sent once more, to another node, because the one that had them was lost.',
    'service',
    () => [
      ['location', core.location.counts.repeated],
      ['policy', core.policy.counts.repeated],
    ],
  )
  registerDecideMetrics(metrics, core)
  if (core.locationCache !== undefined) registerLocationCacheMetrics(metrics, core.locationCache)
  registerAdmissionMetrics(metrics, core.admission, core.now)
  registerTransportMetrics(metrics, transports)
}

function registerTransportMetrics(metrics: Metrics, transports: () => MeasuredTransports): void {
  metrics.labelledCounter('tandem_edge_udp_events_total', 'Datagrams by what became of them.', 'event', () =>
    sumByName(transports().udp.map((listener) => listener.counters)),
  )
  for (const [name, title] of STREAMS) {
    const help = `Connections and messages of ${title}.`
    metrics.labelledCounter(`tandem_edge_${name}_events_total`, help, 'event', () =>
      sumByName(
        transports()
          .tcp.filter(({ transport }) => transport === name)
          .map(({ counters }) => counters),
      ),
    )
  }
  const sum = (count: (transport: StreamTransport) => number): number =>
    transports().tcp.reduce((total, transport) => total + count(transport), 0)
  metrics.gauge('tandem_edge_connections', 'TCP, TLS, WebSocket and SCTP connections open.', () =>
    sum(({ connectionCount }) => connectionCount),
  )
  metrics.gauge('tandem_edge_handshakes', 'Connections that have not come to SIP yet.', () =>
    sum(({ arrivalCount }) => arrivalCount),
  )
}

const STREAMS = [
  ['tcp', 'TCP'],
  ['tls', 'TLS'],
  ['ws', 'WebSocket'],
  ['wss', 'secure WebSocket'],
  ['sctp', 'SCTP'],
] as const

function sumByName(all: readonly object[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const counters of all) {
    for (const [name, value] of Object.entries(counters)) sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums
}
