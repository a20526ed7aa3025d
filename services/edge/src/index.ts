// SPDX-License-Identifier: MIT
//
// @tandem/edge: SIP transports, transactions and the proxy core, in front of location and policy.
export { EDGE_COUNT_HELP, EdgeCounts } from './counts.ts'
export { trySctp } from './listeners/try-sctp.ts'
export { describeEdgeMetrics } from './metrics/describe.ts'
export type { EdgeServiceOptions, WarmUpCallers } from './options.ts'
export { createEdgeService, type EdgeService } from './service.ts'
