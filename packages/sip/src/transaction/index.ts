// SPDX-License-Identifier: MIT
// The transaction layer: RFC 3261 §17, RFC 6026, RFC 4320.
export { ClientTransaction } from './client-transaction.ts'
export { isUnanswered } from './client-transactions.ts'
export type { TransactionCounts } from './counts.ts'
export { INVITE_CLIENT } from './invite-client.ts'
export { INVITE_SERVER } from './invite-server.ts'
export { TransactionLayer } from './layer.ts'
export { type Machine, type Row, STATE } from './machine.ts'
export { answeredInviteKey, hasMagicCookie } from './matching.ts'
export { NON_INVITE_CLIENT } from './non-invite-client.ts'
export { NON_INVITE_SERVER } from './non-invite-server.ts'
export { ServerTransaction } from './server-transaction.ts'
export type { StateCount } from './state-counts.ts'
export { DEFAULT_TIMERS, type TimerLetter, type TimerValues } from './timers.ts'
export { SipTraffic, type TrafficCount } from './traffic.ts'
export {
  DEFAULT_TRANSACTION_LIMITS,
  type Peer,
  type TransactionIo,
  type TransactionLayerOptions,
  type TransactionLimits,
  type TransactionUser,
} from './types.ts'
