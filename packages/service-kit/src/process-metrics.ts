// SPDX-License-Identifier: MIT
//
// What a process tells of itself, once per process however many services run in it: prom-client's `process_*` and `nodejs_*` (CPU, memory,
// heap, garbage collection), and of the event loop what rates can be taken of: busy and idle seconds, and a histogram of how late a timer was.
// Left out of prom-client's: gauges that call themselves totals.
import { performance } from 'node:perf_hooks'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import { IntHistogram } from './histogram.ts'

export interface ProcessFigures {
  /** prom-client's own metrics. */
  readonly standard: readonly Metric[]
  /** How late timers are, in seconds. */
  readonly lag: IntHistogram
  /** Seconds since the start in which the event loop worked, and waited. */
  busySeconds(): number
  idleSeconds(): number
}

const PROBE_MS = 100
const LAG_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

let figures: ProcessFigures | undefined

/** The same each time. */
export function processFigures(): ProcessFigures {
  figures ??= {
    standard: standardMetrics(),
    lag: watchLag(),
    busySeconds: () => performance.eventLoopUtilization().active / 1_000,
    idleSeconds: () => performance.eventLoopUtilization().idle / 1_000,
  }
  return figures
}

function standardMetrics(): readonly Metric[] {
  const register = new Registry()
  collectDefaultMetrics({ register })
  for (const name of MISNAMED) register.removeSingleMetric(name)
  return register.getMetricsAsArray() as unknown as Metric[]
}

/** A timer that keeps nothing alive. What blocks the loop for seconds is one observation of seconds. */
function watchLag(): IntHistogram {
  const lag = new IntHistogram(LAG_SECONDS)
  let dueMs = performance.now() + PROBE_MS
  const probe = setInterval(() => {
    const now = performance.now()
    lag.observe(Math.max(0, now - dueMs) / 1_000)
    dueMs = now + PROBE_MS
  }, PROBE_MS)
  probe.unref()
  return lag
}
