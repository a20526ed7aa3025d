// SPDX-License-Identifier: MIT
//
// The command as a library: for tests that run a cluster in their own process.
export { type Listener, listenersOf } from './addresses.ts'
export { type MetricReference, metricReference, type ServiceMetrics } from './parts/metric-reference.ts'
export { type CliReference, cliReference } from './reference/cli-reference.ts'
export { type Composition, composeSingle } from './up/single.ts'
