// SPDX-License-Identifier: MIT
//
// What an edge shows of policy as it finds it: each node's circuit, and each domain's that has one of its own.
import type { BreakerState, EndpointState } from '@tandem/rpc'
import type { Metrics } from '@tandem/service-kit'
import type { EdgeCore } from '../core.ts'

const VALUE: Readonly<Record<BreakerState | 'down', number>> = { closed: 0, 'half-open': 1, open: 2, down: 3 }

export function registerDecideMetrics(metrics: Metrics, { policy, decisions }: EdgeCore): void {
  const nodes = (): readonly EndpointState[] => policy.endpoints?.() ?? []
  metrics.labelledGauge(
    'tandem_edge_policy_circuit',
    'Circuit breaker of a policy node: 0 closed, 1 half open, 2 open, 3 without a connection.',
    'node',
    () => nodes().map(({ address, state }): [string, number] => [address, VALUE[state]]),
  )
  metrics.labelledCounter('tandem_edge_policy_circuit_opened_total', 'How often it opened.', 'node', () =>
    nodes().map(({ address, opened }): [string, number] => [address, opened]),
  )
  metrics.labelledGauge(
    'tandem_edge_domain_circuit',
    'Circuit breaker of a domain that has its own: 0 closed, 1 half open, 2 open.',
    'domain',
    () => [...decisions.scopes.breakers()].map(([name, { state }]): [string, number] => [name, VALUE[state]]),
  )
  metrics.gauge(
    'tandem_edge_last_known_entries',
    'Decisions and registrations remembered for edge.decide.whenAway: last-known.',
    () => decisions.lastKnown?.size ?? 0,
  )
}
