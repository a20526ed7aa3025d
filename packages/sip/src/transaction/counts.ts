// SPDX-License-Identifier: MIT
// The transaction layer's plain integer counters; metrics read them at scrape time.

export interface TransactionCounts {
  inviteClients: number
  nonInviteClients: number
  inviteServers: number
  nonInviteServers: number
  /** Requests and responses sent again, by Timer A, E, G or because the other side repeated itself. */
  resent: number
  /** Events that the machine has no row for: they changed nothing. */
  stays: number
  /** Retransmitted requests that matched a server transaction. */
  repeatedRequests: number
  acksSent: number
  acksReceived: number
  /** Timer B or F. */
  clientTimeouts: number
  timerB: number
  timerF: number
  /** Timer H. */
  missingAcks: number
  transportErrors: number
  aborted: number
  /** Not created because a limit was reached. */
  refusedServers: number
  refusedClients: number
  /** Not created because the key or branch was in use. */
  duplicateServers: number
  duplicateClients: number
  /** Failures of an INVITE that could not be acknowledged: the kept INVITE did not scan or the ACK had no room. */
  unbuildableAcks: number
}

export const createCounts = (): TransactionCounts => ({
  inviteClients: 0,
  nonInviteClients: 0,
  inviteServers: 0,
  nonInviteServers: 0,
  resent: 0,
  stays: 0,
  repeatedRequests: 0,
  acksSent: 0,
  acksReceived: 0,
  clientTimeouts: 0,
  timerB: 0,
  timerF: 0,
  missingAcks: 0,
  transportErrors: 0,
  aborted: 0,
  refusedServers: 0,
  refusedClients: 0,
  duplicateServers: 0,
  duplicateClients: 0,
  unbuildableAcks: 0,
})
