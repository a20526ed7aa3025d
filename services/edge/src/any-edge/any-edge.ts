// SPDX-License-Identifier: MIT
//
// Any edge, any message [DESIGN §4]: what an edge has for messages of INVITE transactions that other edges run, or ran. The picture and
// the ladders are in docs/any-edge.md.

import { isRelayProof, METHOD, type ProxyContext, reasonLines, SCAN_ERROR, SipMessage, scan } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import { pinCallee } from '../in-dialog/callee-pin.ts'
import { surrenderInitialRequest } from '../initial/initial-request.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { refuseAs, replyStateless } from '../own/replies.ts'
import type { PeerSource } from '../receive.ts'
import { Claims } from './claims.ts'
import { type FrameKind, frameId, frameKind, frameProof, parseSurrender } from './frame.ts'
import { Relays } from './relays.ts'
import { Takeover } from './takeover.ts'

export class AnyEdge {
  readonly relays: Relays
  readonly claims: Claims
  readonly takeover: Takeover
  private readonly core: EdgeCore
  private readonly inner = new SipMessage()

  constructor(core: EdgeCore) {
    this.core = core
    this.relays = new Relays(core)
    this.claims = new Claims(core, this.relays, (bytes) => this.take(bytes, 0, bytes.length))
    this.takeover = new Takeover(core, this.claims)
  }

  tick(nowMs: number): void {
    this.relays.tick(nowMs)
    this.takeover.tick(nowMs)
  }

  /** What another edge says, on the internal listener. */
  receiveFrame(msg: SipMessage, source: Pick<PeerSource, 'peer'>): void {
    if (!msg.isRequest) return this.relays.onAnswer(msg)
    const peer = source.peer(msg)
    const kind = frameKind(msg)
    const coveredEnd = kind === 'message' ? msg.bodyStart : msg.end
    const isOurs = isRelayProof(this.core.ring, frameProof(msg), frameId(msg), msg.buf, msg.bodyStart, coveredEnd)
    if (kind === undefined || !isOurs) return refuseAs(this.core, 'refusedForgedToken', msg, peer, 403)
    const isTaken = kind === 'message' ? this.takeRelayed(msg) : this.takeOrder(kind, msg)
    replyStateless(this.core, msg, peer, isTaken ? 200 : 481, '', frameId(msg))
  }

  private takeRelayed(msg: SipMessage): boolean {
    const isTaken = this.take(msg.buf, msg.bodyStart, msg.end)
    if (isTaken) this.core.counts.relaysTaken += 1
    else this.core.counts.relaysRefused += 1
    return isTaken
  }

  private takeOrder(kind: FrameKind, msg: SipMessage): boolean {
    if (kind === 'surrender') return this.surrender(msg)
    return this.core.natPings.heirs.take(this.core, msg.text(msg.bodyStart, msg.end))
  }

  private surrender(msg: SipMessage): boolean {
    const order = parseSurrender(msg.text(msg.bodyStart, msg.end))
    const context = order && (this.core.layer.findServerByKey(order.key)?.context as ProxyContext | undefined)
    const isDone = context !== undefined && surrenderInitialRequest(this.core, context, order?.epoch ?? 0)
    if (isDone) this.core.counts.surrenders += 1
    return isDone
  }

  /** Gives a message to the transaction of this edge that it belongs to; false when there is none. */
  private take(buf: Buffer, start: number, end: number): boolean {
    const { inner: msg, core } = this
    if (scan(msg, buf, start, end) !== SCAN_ERROR.NONE) return false
    if (!msg.isRequest) return takeResponse(core, msg)
    if (msg.method === METHOD.CANCEL) return takeCancel(core, msg)
    const known = core.layer.findServer(msg)
    if (known === undefined) return false
    // An adopted one has not said anything yet.
    if (known.lastStatus === 0 && msg.method === METHOD.INVITE)
      tryAgain(core, known.context as ProxyContext | undefined)
    else core.layer.receiveRequest(known, msg)
    return true
  }
}

function tryAgain(core: EdgeCore, context: ProxyContext | undefined): void {
  if (context !== undefined) core.proxy.trying(context)
}

function takeResponse(core: EdgeCore, msg: SipMessage): boolean {
  const client = core.layer.findClient(msg)
  const peer = client?.peer as EdgePeer | undefined
  if (client === undefined || peer === undefined || !peer.facing.isSentBy(msg)) return false
  core.layer.receiveResponse(client, pinCallee(core, msg, peer) ?? msg)
  return true
}

/** Whoever got it answers it. */
function takeCancel(core: EdgeCore, msg: SipMessage): boolean {
  const invite = core.layer.findInviteOfCancel(msg)
  if (invite === undefined) return false
  core.proxy.cancel(invite.context as ProxyContext | undefined, reasonLines(msg))
  return true
}
