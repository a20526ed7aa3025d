// SPDX-License-Identifier: MIT
//
// What the stateful proxy keeps of one forwarded request, and what it and the one who opened it tell each other.
// Races: a lingering transaction holds its context until the proxy detaches it, so nothing large lives here for long:
// the request goes with the final response, the best failure with it.

import type { Buffer } from 'node:buffer'
import { METHOD, type SipMessage } from '../message/index.ts'
import type { ClientTransaction, Peer, ServerTransaction } from '../transaction/index.ts'
import type { Challenges } from './challenges.ts'
import { type EarlyDialogs, wantsEarlyEnds } from './early-dialogs.ts'
import type { RequestHistory } from './request-history.ts'
import { Branch, ResponseContext } from './response-context.ts'

/** Who a request came from: the address goes into received, the port into rport. */
export interface SourcePeer extends Peer {
  readonly address: string
  readonly port: number
}

/** One forwarded request: its server transaction, its branches, and what its user makes of it. */
export class ProxyContext extends ResponseContext<ProxyBranch> {
  readonly server: ServerTransaction
  readonly source: SourcePeer
  readonly method: number
  /** The request with bytes of its own; undefined once a final response is upstream. */
  request: SipMessage | undefined
  /** Best failure so far, as it goes upstream; undefined when it is ours to make. */
  best: Buffer | undefined
  /** Where the headers of `best` end. */
  bestHeadersEnd = 0
  /** What 401 and 407 of the branches ask for; undefined while none was kept. */
  challenges: Challenges | undefined
  /** CANCEL came. */
  cancelled = false
  /** What responses of our own say to a `keep` parameter in the top Via [RFC6223-4.4]; -1: nothing. */
  keepS = -1
  /** `Reason: …\r\n` of the CANCELs that this context still sends, or ''. */
  cancelReason = ''
  private earlyEnds: boolean | undefined
  /** Who sent it is within the trust domain: identities go up to him, and his are believed [RFC3325-5]. */
  sourceTrusted = false
  /** Identities of the trust domain go up to others too, where the one who answered asks for no privacy. */
  tellsUntrusted = true
  /** A 2xx ends the other branches; false where the caller wants them to go on [RFC3841-9.1]. */
  cancelsOnSuccess = true
  /** Where the request has been, when somebody asked for it [RFC7044-9]. */
  history: RequestHistory | undefined
  /** Whoever watches how it goes; undefined where nobody does. */
  trace: ContextTrace | undefined = undefined
  /** Code of why it is refused, for who writes it down; '' where the status says it all. */
  refusal = ''
  /** Whose request it is. */
  readonly user: ContextUser

  constructor(server: ServerTransaction, request: SipMessage, source: SourcePeer, user: ContextUser) {
    super(request.method === METHOD.INVITE)
    this.server = server
    this.source = source
    this.method = request.method
    this.request = request
    this.user = user
  }

  /** [RFC6228-6] The caller is told of early dialogs that end; found out at the first that begins. */
  get tellsEarlyEnds(): boolean {
    this.earlyEnds ??= this.isInvite && this.request !== undefined && wantsEarlyEnds(this.request)
    return this.earlyEnds
  }
}

export class ProxyBranch extends Branch {
  readonly context: ProxyContext
  readonly peer: Peer
  client: ClientTransaction | undefined
  /** Ring time of its step, 0 for Timer C alone. */
  readonly ringMs: number
  /** Time for its first provisional response beyond 100; 0 where none is set, or there was one. */
  firstMs = 0
  /** How much of the ring time is over when the user is told so, by `onWave`; 0: he is not, or was. */
  waveMs = 0
  /** Timer C or the ring time has ended it: the 487 that answers our CANCEL stands for "no answer". */
  timedOut = false
  /** Its connection was lost or never opened: the 503 that it counts as is nobody's word. */
  lost = false
  /** The next hop is within the trust domain. */
  trusted = false
  /** When it left; -1 where that is not known, or it has been answered. */
  sentMs = -1
  /** Kept where the caller wants to hear of their ends. */
  earlyDialogs: EarlyDialogs | undefined

  constructor(context: ProxyContext, id: string, uri: string, peer: Peer, ringMs: number) {
    super(id, uri)
    this.context = context
    this.peer = peer
    this.ringMs = ringMs
  }
}

/** What a context asks of and tells the one that opened it. */
export interface ContextUser {
  /** A provisional response but 100 is about to go upstream. */
  onProvisional(context: ProxyContext, branch: ProxyBranch, status: number): void
  /** A 2xx came. True: the user holds it (and its retransmissions) back and calls `release` when it may go. */
  holdSuccess(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): boolean
  /** A 2xx came that can't go upstream any more: the request has failed there, or ended. [RFC6026-8.3] */
  onLateSuccess?(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): void
  /**
   * A branch ended in a transport error or without any response (status 503 and 408, no message), or in 401, 407, 430 or 503.
   * True: the user has forked another in its place, or will, or calls `finish` later; this one counts for nothing.
   */
  failOver(context: ProxyContext, branch: ProxyBranch, status: number): boolean
  /**
   * A 3xx came. Undefined: it counts as it is. Else the user goes on to Contacts of it (or has tried them all), and these
   * lines (`Contact: …\r\n`) are those that are left of them; '' when none is: then the response counts for nothing.
   */
  recurse(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): string | undefined
  /** All branches have failed. True: the user forks again or calls `finish` later. */
  forkMore(context: ProxyContext, status: number): boolean
  /** The final response is about to go upstream, or none ever will (status 408 of a non-INVITE). Not for a 2xx held back. Before onEnd. */
  onFinal(context: ProxyContext, status: number): void
  /** The part of a branch's ring time is over that `wakeAfter` has named. It rings on. */
  onWave?(context: ProxyContext, branch: ProxyBranch): void
  /** An ACK for the 2xx that matched the INVITE's transaction (RFC 2543 senders): to be forwarded. */
  onAck(msg: SipMessage): void
  /** A branch has failed, whatever comes of it. `msg`: its response, where it had one. Before what the failure leads to. */
  onBranchFailed?(context: ProxyContext, branch: ProxyBranch, msg: SipMessage | undefined): void
  /** Another edge runs the transaction from now on: nothing more may be sent or reported for it. */
  onSurrender?(context: ProxyContext): void
  /** The server transaction is gone. */
  onEnd(context: ProxyContext): void
}

/** Watches one context: it is told, after the fact, and decides nothing. */
export interface ContextTrace {
  /** Of the W3C. */
  readonly traceId: string
  /** A branch has left, or is gone on with here. */
  onForked(branch: ProxyBranch): void
  /** Any provisional response, 100 too. */
  onProvisional(branch: ProxyBranch, status: number): void
  /** `isReplaced`: another branch stands in for it. */
  onBranchEnd(branch: ProxyBranch, status: number, isReplaced: boolean): void
  /** 100 goes upstream. */
  onTrying(): void
  onCancel(): void
  /** The final response goes upstream, or is let go of. Perhaps again: a further 2xx. */
  onFinal(status: number): void
  /** It ended here without a response of ours: another edge has it. */
  onGone(): void
}

export interface ProxyTimers {
  /** [RFC3261-16.6.11] more than three minutes. */
  readonly timerCMs: number
  /** [RFC3261-9.1] how long a cancelled branch may stay without a final response: 64*T1. */
  readonly cancelMs: number
  /** [RFC4320-4.1] when a non-INVITE request without an answer gets its 100: as Timer E reaches T2, 3.5 s where absent. */
  readonly lateTryingMs?: number
}

/** [RFC4320-4.1] The sum of the intervals of Timer E before the one that is T2. */
export function lateTryingMs(t1Ms: number, t2Ms: number): number {
  let sum = 0
  for (let interval = t1Ms; interval < t2Ms; interval *= 2) sum += interval
  return sum
}
