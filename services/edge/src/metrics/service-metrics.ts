// SPDX-License-Identifier: MIT
//
// What an edge shows of location and policy as it finds them: items, batches, queues, how long answers take.
import { type HistogramFamily, type Metrics, SHORT_SECONDS } from '@tandem/service-kit'
import type { EdgeCore } from '../core.ts'

const COUNTERS = [
  ['items', 'items', 'Items sent to a service.'],
  ['batches', 'batches', 'Messages that they were sent in; items by batches is the size of one.'],
  ['refused', 'refused', 'Items that the service refused.'],
  ['unknown', 'unknown', 'Items without a result.'],
  ['repeated', 'repeated', 'Items sent once more, to another node, because the one that had them was lost.'],
  ['hedged', 'hedged', 'Items given to another node because the first was silent for half of their time.'],
  ['shunned', 'shunned', 'Items that ended at once because no node was fit to be asked.'],
  ['late', 'late', 'Results that nobody waited for: too late, given twice, or of no item.'],
] as const

const PEERS = ['location', 'policy'] as const

export function registerServiceMetrics(metrics: Metrics, core: EdgeCore): void {
  for (const [name, field, help] of COUNTERS) {
    metrics.labelledCounter(`tandem_edge_rpc_${name}_total`, help, 'peer', () =>
      PEERS.map((peer): [string, number] => [peer, core[peer].counts[field]]),
    )
  }
  metrics.labelledGauge('tandem_edge_rpc_queued_items', 'Items that wait to be sent to a service.', 'peer', () =>
    PEERS.map((peer): [string, number] => [peer, core[peer].counts.queued]),
  )
  metrics.labelledGauge('tandem_edge_rpc_waiting_items', 'Items sent to a service and not answered yet.', 'peer', () =>
    PEERS.map((peer): [string, number] => [peer, core[peer].counts.inFlight]),
  )
  const times: readonly [EdgeCore['location' | 'policy'], string, string][] = [
    [core.location, 'location', 'From an item for location until its result, by kind: locate, register, beginCall, ….'],
    [core.policy, 'policy', 'From an item for policy until its result, by kind: decide, report, ….'],
  ]
  for (const [caller, peer, help] of times) {
    const family = metrics.histogramFamily(`tandem_edge_${peer}_seconds`, help, 'method', SHORT_SECONDS)
    caller.onTimed?.(observerOf(family))
  }
}

function observerOf(family: HistogramFamily): (method: string, ms: number) => void {
  return (method, ms) => family.observe(method, ms / 1_000)
}
