// SPDX-License-Identifier: MIT
//
// What edges say to one another about INVITE transactions, over the internal listener: a SIP request RELAY whose body is either a message
// as it came, for the edge that runs its transaction, or the order to let go of a transaction, or what an edge leaves to another one's pings. The response is the acknowledgement:
// 200 taken, 481 no such transaction here, 403 not from one of us.
//
// The branch of its Via is the proof (packages/sip/src/proxy/relay-proof.ts). It covers an order's body; a message that is handed on needs
// no proof of its own, for anybody may send it to any edge, and it is taken only for a transaction that is there.

import { type KeyRing, METHOD, relayProof, type SipMessage } from '@tandem/sip'
import type { EdgePeer } from '../listeners/peers.ts'

export type FrameKind = 'message' | 'surrender' | 'pings'

export interface Frame {
  readonly bytes: Buffer
  /** Proof that comes back with the acknowledgement. */
  readonly proof: string
}

const METHOD_NAME = 'RELAY'
const COOKIE = 'z9hG4bK'

/** A request of this kind, or the answer to one. */
export function isFrame(msg: SipMessage): boolean {
  return msg.method === METHOD.OTHER && msg.text(msg.cseqMethodStart, msg.cseqMethodEnd) === METHOD_NAME
}

/** @param id unique among those that this edge has under way */
export function encodeFrame(ring: KeyRing, peer: EdgePeer, kind: FrameKind, id: string, body: Buffer): Frame {
  const covered = kind === 'message' ? 0 : body.length
  const proof = relayProof(ring, id, body, 0, covered)
  const head =
    `${METHOD_NAME} sip:${kind}@tandem SIP/2.0\r\n${peer.facing.via(COOKIE + proof)}Max-Forwards: 1\r\n` +
    `From: <sip:edge@tandem>;tag=${id}\r\nTo: <sip:edge@tandem>\r\nCall-ID: ${id}\r\nCSeq: 1 ${METHOD_NAME}\r\n` +
    `Content-Length: ${body.length}\r\n\r\n`
  const bytes = Buffer.allocUnsafe(head.length + body.length)
  bytes.latin1Write(head, 0)
  body.copy(bytes, head.length)
  return { bytes, proof }
}

/** Kind of a request; undefined for one that nobody of ours says. */
export function frameKind(msg: SipMessage): FrameKind | undefined {
  const user = /^sip:(message|surrender|pings)@/.exec(msg.text(msg.uriStart, msg.uriEnd))?.[1]
  return user as FrameKind | undefined
}

export function frameId(msg: SipMessage): string {
  return msg.text(msg.callIdStart, msg.callIdEnd)
}

/** '' without one. */
export function frameProof(msg: SipMessage): string {
  return msg.viaBranchStart < 0 ? '' : msg.text(msg.viaBranchStart + COOKIE.length, msg.viaBranchEnd)
}

/** The content of an order: this transaction, and the epoch that the entry has from now on. */
export function encodeSurrender(key: string, epoch: number): Buffer {
  return Buffer.from(`${epoch} ${key}`, 'latin1')
}

export function parseSurrender(text: string): { readonly key: string; readonly epoch: number } | undefined {
  const space = text.indexOf(' ')
  const epoch = Number(text.slice(0, space))
  return space > 0 && Number.isSafeInteger(epoch) ? { key: text.slice(space + 1), epoch } : undefined
}
