// SPDX-License-Identifier: MIT
//
// @tandem/edge: SIP transports, transactions and the proxy core, in front of location and policy.
export { EDGE_COUNT_HELP, EdgeCounts } from './counts.ts'
export { createEdgeService, type EdgeService, type EdgeServiceOptions } from './service.ts'
