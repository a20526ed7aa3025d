// SPDX-License-Identifier: MIT
//
// Every metric that an edge can have, without an edge: what is registered is asked for its value at a scrape only, so a stand-in for the
// edge will do whose every property and result is itself.
import { type MetricDescription, Metrics } from '@tandem/service-kit'
import { registerCaptureMetrics } from '../capture/metrics.ts'
import type { EdgeTap } from '../capture/tap.ts'
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
  registerCaptureMetrics(metrics, ANYTHING as EdgeTap)
  return metrics.descriptions
}
