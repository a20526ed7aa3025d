// SPDX-License-Identifier: MIT
//
// Responses whose connection is gone (RFC 3261 section 18.2.2): a new connection to where the request came from, at the port of the
// sent-by; when that can't be opened, to where RFC 3263 section 5 leads from the sent-by. Then it is given up.
//
// Bounded: what waits to learn whether a connection opens, in number; one attempt of each kind.

import { parseVia, SCAN_ERROR, SipMessage, scan, TRANSPORT_NAMES, ViaView } from '@tandem/sip'
import { type LocateResult, responseTarget, type ServerLocator, type TransportName } from '@tandem/transport'
import type { EdgePeer } from '../listeners/peers.ts'
import type { Hops } from './hops.ts'

/** Responses that wait for the fate of a new connection. */
const MAX_WAITING = 1_000

interface Waiting {
  readonly bytes: Buffer
  readonly host: string
  readonly port: number
  readonly transport: TransportName
}

export class ResponseRetry {
  private readonly hops: Hops
  private readonly locator: ServerLocator
  private readonly onBug: (error: unknown) => void
  private readonly waiting = new Map<EdgePeer, Waiting>()
  private readonly msg = new SipMessage()
  private readonly via = new ViaView()

  constructor(hops: Hops, locator: ServerLocator, onBug: (error: unknown) => void) {
    this.hops = hops
    this.locator = locator
    this.onBug = onBug
  }

  /** What could not be sent to `peer`, once more by its Via. False: it is no response, or there is no way. */
  resend(buf: Buffer, start: number, end: number, peer: EdgePeer): boolean {
    const { msg, via } = this
    if (!peer.reliable || scan(msg, buf, start, end) !== SCAN_ERROR.NONE || msg.isRequest) return false
    if (!parseVia(buf, msg.viaStart, msg.viaEnd, via)) return false
    const transport = (TRANSPORT_NAMES[via.transport] as string).toLowerCase() as TransportName
    if (transport !== peer.transport) return false
    const host = msg.text(via.hostStart, via.hostEnd)
    const received = via.receivedValueStart < 0 ? undefined : msg.text(via.receivedValueStart, via.receivedEnd)
    const target = responseTarget({ transport, host, port: via.port, received, rport: -1 })
    const other = this.hops.toResponseTarget(target, peer.facing.internal, host)
    if (other === undefined || other === peer) return false
    this.keep(other, { bytes: Buffer.from(buf.subarray(start, end)), host, port: via.port, transport })
    return other.send(buf, start, end)
  }

  private keep(peer: EdgePeer, waiting: Waiting): void {
    if (this.waiting.size >= MAX_WAITING) this.waiting.clear()
    this.waiting.set(peer, waiting)
  }

  /** A connection has ended. @param isRefused it never opened */
  onLost(peer: EdgePeer, isRefused: boolean): void {
    const waiting = this.waiting.get(peer)
    if (waiting === undefined) return
    this.waiting.delete(peer)
    if (isRefused && !peer.facing.internal) this.locate(waiting)
  }

  /** [RFC3263-5] The name of the sent-by, its port, the transport of the Via. */
  private locate({ bytes, host, port, transport }: Waiting): void {
    const use = (located: LocateResult): void => {
      const first = located.found ? located.endpoints[0] : undefined
      if (first === undefined) return
      const target = { transport, host: first.address, port: first.port, isNumeric: true }
      this.hops.toResponseTarget(target, false, host)?.send(bytes, 0, bytes.length)
    }
    const located = this.locator.locate({ host, port: port < 0 ? undefined : port, transport })
    if (located instanceof Promise) located.then(use).catch(this.onBug)
    else use(located)
  }
}
