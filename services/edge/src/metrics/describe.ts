// SPDX-License-Identifier: MIT
//
// Every metric that an edge can have, without an edge: what is registered is asked for its value at a scrape only, so a stand-in for the
// edge will do whose every property and result is itself.
import { type MetricDescription, Metrics } from '@tandem/service-kit'
import type { EdgeCore } from '../core.ts'
import { registerEdgeMetrics } from '../metrics.ts'

const ANYTHING: unknown = new Proxy(() => undefined, {
  get: (_target, name) => (name === Symbol.iterator ? undefined : ANYTHING),
  set: () => true,
  apply: () => ANYTHING,
})

export function describeEdgeMetrics(): readonly MetricDescription[] {
  const metrics = new Metrics()
  registerEdgeMetrics(metrics, ANYTHING as EdgeCore, () => ({ udp: [], tcp: [] }))
  return metrics.descriptions
}
