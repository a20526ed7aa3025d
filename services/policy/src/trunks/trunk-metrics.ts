// SPDX-License-Identifier: MIT
//
// Metrics of trunks, with the trunk as their only label. What the store holds for all nodes is read by one of them: take the maximum over nodes, not the sum.
import type { Labelled, Metrics, Series } from '@tandem/service-kit'
import type { TrunkView } from '@tandem/store'
import { ratiosOf } from './trunk-board.ts'
import type { TrunkDesk } from './trunk-desk.ts'
import type { TrunkTerms } from './trunk-terms.ts'

export interface TrunkCount {
  answered: number
  effective: number
  failed: number
}

type Read = (view: TrunkView, terms: TrunkTerms) => number | undefined

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000)

const GAUGES: readonly (readonly [name: string, help: string, read: Read])[] = [
  ['tandem_policy_trunk_calls', 'Places of the trunk that are taken, of the cluster.', ({ calls }) => calls],
  [
    'tandem_policy_trunk_calls_limit',
    'Places that it has; absent where it is without bound.',
    (_, terms) => terms.maxCalls,
  ],
  [
    'tandem_policy_trunk_rate_limit',
    'Attempts a second that it may get; absent where it is without bound.',
    (_, terms) => terms.callsPerSecond,
  ],
  ['tandem_policy_trunk_hosts', 'Hosts of the trunk.', (_, terms) => terms.hosts.length],
  [
    'tandem_policy_trunk_open_hosts',
    'Hosts of the trunk that are left alone: their breaker is open, or half open.',
    ({ hosts }) => hosts.filter(({ state }) => state !== 'closed').length,
  ],
  [
    'tandem_policy_trunk_asr_ratio',
    'Part of the attempts that were answered, in the window.',
    ({ quality }) => ratiosOf(quality).asr,
  ],
  [
    'tandem_policy_trunk_ner_ratio',
    'Part of the attempts in which the network did its part, in the window.',
    ({ quality }) => ratiosOf(quality).ner,
  ],
  [
    'tandem_policy_trunk_acd_seconds',
    'Mean talk of calls that ended in the window.',
    ({ quality }) => seconds(ratiosOf(quality).acdMs),
  ],
  [
    'tandem_policy_trunk_pdd_seconds',
    'Mean time until it rang, in the window.',
    ({ quality }) => seconds(ratiosOf(quality).pddMs),
  ],
]

const RESULTS: readonly (keyof TrunkCount)[] = ['answered', 'effective', 'failed']

function* seriesOf(desk: TrunkDesk, read: Read): Generator<Labelled> {
  for (const [trunk, terms] of desk.terms) {
    const view = desk.board.view(trunk)
    const value = view && read(view, terms)
    if (value !== undefined) yield [trunk, value]
  }
}

export function registerTrunkMetrics(metrics: Metrics, desk: TrunkDesk): void {
  for (const [name, help, read] of GAUGES) metrics.labelledGauge(name, help, 'trunk', () => seriesOf(desk, read))
  metrics.counterOf(
    'tandem_policy_trunk_outcomes_total',
    'Attempts at the trunk that were told to this node: answered, ended by the callee (busy, no answer, unknown: effective), or failed.',
    ['trunk', 'result'],
    () => attempts(desk),
  )
}

function* attempts(desk: TrunkDesk): Generator<Series> {
  for (const [trunk, count] of desk.counts) {
    for (const result of RESULTS) yield { labels: { trunk, result }, value: count[result] }
  }
}
