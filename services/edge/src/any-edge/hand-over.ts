// SPDX-License-Identifier: MIT
//
// Requests of INVITE transactions that this edge does not run, given to the one that does [DESIGN §4]: a repeated INVITE, CANCEL, and the
// ACK of a failure. And what becomes of them when nobody does: the transaction has ended, or never was.

import type { location } from '@tandem/rpc'
import { encodeCancel, SCAN_ERROR, SipMessage, scan, tagOf } from '@tandem/sip'
import type { EdgeCore } from '../core.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { replyStateless } from '../own/replies.ts'
import type { LeftReason } from './claims.ts'

/** @param owner id of the edge that BeginCall named; undefined where it is known already */
export function handInvite(core: EdgeCore, key: string, bytes: Buffer, peer: EdgePeer, owner?: string): void {
  core.counts.relayedRequests += 1
  const hint = owner === undefined ? undefined : edgeHashOf(owner)
  core.anyEdge.claims.hand(key, { bytes, onLeft: (_why, entry) => answerEnded(core, key, bytes, peer, entry) }, hint)
}

/** A call that has failed fails again; of one that was answered the callee repeats its 200. */
function answerEnded(
  core: EdgeCore,
  key: string,
  bytes: Buffer,
  peer: EdgePeer,
  entry: location.CallEntry | undefined,
): void {
  const status = entry?.finalStatus ?? 0
  const invite = messageOf(bytes)
  if (status >= 300 && invite !== undefined) return replyStateless(core, invite, peer, status, '', tagOf(key))
  core.counts.droppedOwnedElsewhere += 1
}

/** [RFC3261-9.2] The 200 is given here: its tag is the same from every edge. @param onNone there is no such INVITE */
export function handCancel(
  core: EdgeCore,
  msg: SipMessage,
  key: string,
  peer: EdgePeer,
  onNone: (cancel: SipMessage) => void,
): void {
  core.counts.relayedRequests += 1
  const cancel = msg.clone()
  const answer = (): void => replyStateless(core, cancel, peer, 200, '', tagOf(key))
  core.anyEdge.claims.hand(key, {
    bytes: cancel.buf,
    onTaken: answer,
    onLeft: (why) => {
      if (why === 'none') onNone(cancel)
      else if (why === 'ended') answer()
      else core.counts.droppedLookup += 1 // its sender repeats it
    },
  })
}

const invite = new SipMessage()

/**
 * The caller has cancelled a copy of his INVITE that this edge had; the owner hears of it in his words.
 *
 * @param owner id of that edge, where it is known that there is one
 */
export function handCancelOf(core: EdgeCore, key: string, bytes: Buffer, owner?: string): void {
  if (scan(invite, bytes, 0, bytes.length) !== SCAN_ERROR.NONE) return
  core.counts.relayedRequests += 1
  const cancel = Buffer.from(core.out.subarray(0, encodeCancel(invite, core.out, 0, '')))
  core.anyEdge.claims.hand(key, { bytes: cancel, onLeft: ignore }, owner === undefined ? undefined : edgeHashOf(owner))
}

function ignore(): void {
  // The caller has his 200 and his 487 already.
}

/** The ACK of a failure: never answered. */
export function handAck(core: EdgeCore, msg: SipMessage, key: string): void {
  core.counts.relayedRequests += 1
  const bytes = Buffer.from(msg.buf.subarray(msg.start, msg.end))
  const onLeft = (why: LeftReason): void => {
    if (why === 'ended') core.counts.acksAbsorbed += 1
    else core.counts.droppedAck += 1
  }
  core.anyEdge.claims.hand(key, { bytes, onLeft })
}

export function messageOf(bytes: Buffer): SipMessage | undefined {
  const msg = new SipMessage()
  return scan(msg, bytes, 0, bytes.length) === SCAN_ERROR.NONE ? msg : undefined
}
