// SPDX-License-Identifier: MIT
//
// Metrics of trunks, with the trunk as their only label. What the store holds for all nodes is read by one of them: take the maximum over nodes, not the sum.
import type { Labelled, Metrics } from '@tandem/service-kit'
import type { TrunkView } from '@tandem/store'
import { ratiosOf } from './trunk-board.ts'
import type { TrunkDesk } from './trunk-desk.ts'

export interface TrunkCount {
  answered: number
  effective: number
  failed: number
}

type Read = (view: TrunkView) => number | undefined

const GAUGES: readonly (readonly [name: string, help: string, read: Read])[] = [
  ['tandem_policy_trunk_calls', 'Places of the trunk that are taken, of the cluster.', ({ calls }) => calls],
  [
    'tandem_policy_trunk_open_hosts',
    'Hosts of the trunk that are left alone.',
    ({ hosts }) => hosts.filter(({ state }) => state !== 'closed').length,
  ],
  [
    'tandem_policy_trunk_asr',
    'Part of the attempts that were answered, in the window.',
    ({ quality }) => ratiosOf(quality).asr,
  ],
  [
    'tandem_policy_trunk_ner',
    'Part of the attempts in which the network did its part, in the window.',
    ({ quality }) => ratiosOf(quality).ner,
  ],
  [
    'tandem_policy_trunk_acd_ms',
    'Mean talk of calls that ended in the window.',
    ({ quality }) => ratiosOf(quality).acdMs,
  ],
  ['tandem_policy_trunk_pdd_ms', 'Mean time until it rang, in the window.', ({ quality }) => ratiosOf(quality).pddMs],
]

const COUNTERS: readonly (readonly [name: keyof TrunkCount, help: string])[] = [
  ['answered', 'Attempts at the trunk that were answered, told to this node.'],
  ['effective', 'Attempts at the trunk that ended by the callee: busy, no answer, unknown. Told to this node.'],
  ['failed', 'Attempts at the trunk that failed, told to this node.'],
]

function* seriesOf(desk: TrunkDesk, read: Read): Generator<Labelled> {
  for (const trunk of desk.terms.keys()) {
    const view = desk.board.view(trunk)
    const value = view && read(view)
    if (value !== undefined) yield [trunk, value]
  }
}

export function registerTrunkMetrics(metrics: Metrics, desk: TrunkDesk): void {
  for (const [name, help, read] of GAUGES) metrics.labelledGauge(name, help, 'trunk', () => seriesOf(desk, read))
  for (const [name, help] of COUNTERS) {
    metrics.labelledCounter(`tandem_policy_trunk_attempts_${name}_total`, help, 'trunk', () =>
      Array.from(desk.counts, ([trunk, count]): Labelled => [trunk, count[name]]),
    )
  }
}
