// SPDX-License-Identifier: MIT
//
// A request of the edge's own: a client transaction that no request of anybody stands behind, and its one outcome. Its branch
// proves itself as those of forwarded requests do, with nothing in the place of the Via below ours, so that an edge that gets
// the response of another one's request can tell, and hand it over.

import {
  type ClientTransaction,
  encodeBranch,
  type KeyRing,
  type SipMessage,
  type TransactionUser,
  ViaView,
  verifyBranch,
} from '@tandem/sip'
import { StreamPeer } from '../listeners/peers.ts'

export class OwnRequest {
  private readonly onFinal: (status: number, response: SipMessage | undefined) => void
  private isOver = false

  /** @param onFinal called once: 408 without a response, 503 when it could not be sent */
  constructor(onFinal: (status: number, response: SipMessage | undefined) => void) {
    this.onFinal = onFinal
  }

  end(status: number, response?: SipMessage): void {
    if (this.isOver) return
    this.isOver = true
    this.onFinal(status, response)
  }
}

/** The same user, but for transactions whose context is an OwnRequest: those end there. */
export function withOwnRequests(user: TransactionUser): TransactionUser {
  return {
    ...user,
    onResponse: (tx, msg) => {
      if (!(tx.context instanceof OwnRequest)) user.onResponse(tx, msg)
      else if (msg.status >= 200) tx.context.end(msg.status, msg)
    },
    onClientTimeout: (tx) => {
      if (tx.context instanceof OwnRequest) tx.context.end(408)
      else user.onClientTimeout(tx)
    },
    onClientTransportError: (tx) => {
      if (tx.context instanceof OwnRequest) tx.context.end(503)
      else user.onClientTransportError(tx)
    },
    onClientTerminated: (tx) => {
      if (tx.context instanceof OwnRequest) forget(tx)
      else user.onClientTerminated(tx)
    },
  }
}

function forget(tx: ClientTransaction): void {
  if (tx.peer instanceof StreamPeer) tx.peer.clients.delete(tx)
}

/** A Via of no bytes. */
const noVia = new ViaView()
noVia.branchStart = 0
noVia.branchEnd = 0
noVia.hostStart = 0
noVia.hostEnd = 0
noVia.port = -1

/** @param request its Via is not looked at; changed here. The same for the same request from any edge. */
export function ownBranch(ring: KeyRing, request: SipMessage, attempt: number): string {
  request.viaBranchStart = 0
  request.viaBranchEnd = 0
  request.viaHostStart = 0
  request.viaHostEnd = 0
  request.viaPort = -1
  return encodeBranch(ring, request, attempt & 255, 0, 0)
}

/** Whether this response answers a request of some edge's own. */
export function answersOwnRequest(ring: KeyRing, response: SipMessage): boolean {
  return verifyBranch(ring, response, noVia) !== undefined
}
