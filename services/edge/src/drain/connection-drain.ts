// SPDX-License-Identifier: MIT
//
// Phones that are connected to an edge that goes learn it by the end of their connection: a flow that has failed is opened anew, elsewhere, and
// registered [RFC5626-4.4] [RFC5626-4.5]. Not all at once, or they would all come to the others in the same second; and none in the middle of a
// request: whoever waits for a response, on either side, keeps his connection until it has come.
//
// Left out: connections that this edge has opened (to trunks); they end with it.

import type { EdgeCore } from '../core.ts'
import type { EdgeListeners } from '../listeners/listeners.ts'
import { type EdgePeer, StreamPeer } from '../listeners/peers.ts'

/** Where there are few, nothing is gained by taking longer. */
const LEAST_PER_SECOND = 100

export class ConnectionDrain {
  private readonly core: Pick<EdgeCore, 'config' | 'layer'>
  private readonly listeners: Pick<EdgeListeners, 'arrivedConnections'>
  private readonly beganMs: number
  private readonly perMs: number
  private closed = 0

  constructor(
    core: Pick<EdgeCore, 'config' | 'layer'>,
    listeners: Pick<EdgeListeners, 'arrivedConnections'>,
    nowMs: number,
  ) {
    this.core = core
    this.listeners = listeners
    this.beganMs = nowMs
    const { drain, drainMs } = core.config
    const overMs = Math.max(1, Math.min(drain.connectionsMs, drainMs))
    this.perMs = Math.max(LEAST_PER_SECOND / 1_000, listeners.arrivedConnections().length / overMs)
  }

  /** Closes those whose turn it is. @returns whether none is left */
  close(nowMs: number): boolean {
    const open = this.listeners.arrivedConnections()
    if (open.length === 0) return true
    const busy = this.busy()
    let room = Math.ceil((nowMs - this.beganMs) * this.perMs) - this.closed
    for (const connection of open) {
      if (room <= 0) return false
      const { context } = connection
      if (context instanceof StreamPeer && (context.clients.size > 0 || busy.has(context))) continue
      connection.close(true)
      this.closed += 1
      room -= 1
    }
    return false
  }

  /** Who waits for a response of ours. */
  private busy(): Set<EdgePeer> {
    const peers = new Set<EdgePeer>()
    this.core.layer.eachUnansweredServer((tx) => peers.add(tx.peer as EdgePeer))
    return peers
  }
}
