// SPDX-License-Identifier: MIT
//
// Messages on their way to the edge that runs their transaction [DESIGN §4]. Each is acknowledged; one that is refused, or met by silence
// for SILENCE_MS, or whose connection is lost, is the sender's business again.
//
// An edge whose event loop is late lives. So silence is judged only after what this edge's own sockets hold has been read (one that is late
// itself finds the acknowledgement there), and one that acknowledges other messages meanwhile gets LONGEST_MS.
//
// Bounds: MAX_UNDER_WAY messages under way, beyond which a message is dropped and counted; each is under way for LONGEST_MS and two ticks at
// most. An edge that did not answer is not asked again for a moment, so that what follows need not wait for it.
// Race: an acknowledgement that comes too late changes nothing: the message has been dealt with otherwise, and its owner may have taken
// it too. A response may so go upstream twice, which its receiver takes for a retransmission.

import type { IntHistogram } from '@tandem/service-kit'
import type { SipMessage } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { encodeFrame, type FrameKind, frameId, frameProof } from './frame.ts'

/** Taken; no such transaction there; nobody answers. */
export type RelayOutcome = 'taken' | 'unknown' | 'gone'

interface UnderWay {
  readonly edgeHash: number
  readonly kind: FrameKind
  readonly peer: EdgePeer
  readonly proof: string
  readonly sentMs: number
  deadlineMs: number
  readonly onOutcome: (outcome: RelayOutcome) => void
}

export const SILENCE_MS = 50
/** For an edge that acknowledges other messages. */
const LONGEST_MS = 100
const MAX_UNDER_WAY = 10_000
/** Edges whose acknowledgements are remembered; beyond it all are forgotten, and nobody is waited for longer. */
const MAX_EDGES = 1_024
/** After a connection that was refused or lost. */
const LOST_PAUSE_MS = 1_000
/** After silence, which may have been no more than a pause. */
const SILENT_PAUSE_MS = 250

export class Relays {
  private readonly core: EdgeCore
  /** Of each message that was acknowledged, where somebody measures. */
  roundTrips: IntHistogram | undefined
  /** In the order of their deadlines. */
  private readonly underWay = new Map<string, UnderWay>()
  /** Until when an edge is passed over, by its hash. */
  private readonly passedOver = new Map<number, number>()
  /** When an edge has acknowledged anything, by its hash. */
  private readonly heardMs = new Map<number, number>()
  private lastTickMs = 0
  private serial = 0

  constructor(core: EdgeCore) {
    this.core = core
  }

  get size(): number {
    return this.underWay.size
  }

  /** A member that is worth asking. */
  isReachable(edgeHash: number): boolean {
    const until = this.passedOver.get(edgeHash)
    if (until !== undefined && until > this.core.now()) return false
    if (until !== undefined) this.passedOver.delete(edgeHash)
    return this.core.membership.find(edgeHash) !== undefined
  }

  /**
   * `onOutcome` is told once, perhaps at once; never when there was no room, and the message is dropped.
   *
   * @param insists sends it though that edge has just been silent: nobody else can do what it does with it
   */
  send(
    edgeHash: number,
    kind: FrameKind,
    body: Buffer,
    onOutcome: (outcome: RelayOutcome) => void,
    insists = false,
  ): void {
    const { core } = this
    if (this.underWay.size >= MAX_UNDER_WAY) {
      core.counts.droppedRelay += 1
      return
    }
    const peer = insists || this.isReachable(edgeHash) ? core.hops.toEdge(edgeHash) : undefined
    if (peer === undefined) return onOutcome('gone')
    this.serial += 1
    const id = `${core.edgeHash.toString(36)}.${this.serial.toString(36)}`
    const { bytes, proof } = encodeFrame(core.ring, peer, kind, id, body)
    if (!peer.send(bytes, 0, bytes.length)) {
      this.passOver(edgeHash, LOST_PAUSE_MS)
      return onOutcome('gone')
    }
    const sentMs = core.now()
    this.underWay.set(id, { edgeHash, kind, peer, proof, sentMs, deadlineMs: sentMs + SILENCE_MS, onOutcome })
  }

  /** An acknowledgement. */
  onAnswer(msg: SipMessage): void {
    const id = frameId(msg)
    const sent = this.underWay.get(id)
    if (sent === undefined || sent.proof !== frameProof(msg)) return
    this.underWay.delete(id)
    const now = this.core.now()
    if (this.heardMs.size >= MAX_EDGES) this.heardMs.clear()
    this.heardMs.set(sent.edgeHash, now)
    this.roundTrips?.observe((now - sent.sentMs) / 1_000)
    sent.onOutcome(msg.status >= 200 && msg.status < 300 ? 'taken' : 'unknown')
  }

  /** A connection has ended. */
  onLost(peer: EdgePeer): void {
    for (const [id, sent] of this.underWay) {
      if (sent.peer === peer) this.fail(id, sent, LOST_PAUSE_MS)
    }
  }

  tick(nowMs: number): void {
    const readUntilMs = this.lastTickMs
    this.lastTickMs = nowMs
    for (const [id, sent] of this.underWay) {
      if (sent.deadlineMs > readUntilMs) return
      if (!this.waitsOn(id, sent)) this.fail(id, sent, SILENT_PAUSE_MS)
    }
  }

  /** Whether that edge is at work, and gets the rest of LONGEST_MS. */
  private waitsOn(id: string, sent: UnderWay): boolean {
    const { sentMs, deadlineMs, edgeHash } = sent
    if (deadlineMs - sentMs >= LONGEST_MS || (this.heardMs.get(edgeHash) ?? 0) < sentMs) return false
    this.core.counts.relaysWaitedOn += 1
    sent.deadlineMs = sentMs + LONGEST_MS
    this.underWay.delete(id)
    this.underWay.set(id, sent)
    return true
  }

  private fail(id: string, sent: UnderWay, pauseMs: number): void {
    this.underWay.delete(id)
    if (sent.kind !== 'message') return sent.onOutcome('gone')
    this.core.counts.relaysLost += 1
    this.passOver(sent.edgeHash, pauseMs)
    sent.onOutcome('gone')
  }

  private passOver(edgeHash: number, pauseMs: number): void {
    this.passedOver.set(edgeHash, this.core.now() + pauseMs)
  }
}
