// SPDX-License-Identifier: MIT
//
// Messages of INVITE transactions that this edge does not run [DESIGN §4]: to the edge that does, or, where that one is gone, to this edge,
// which adopts the transaction by compare-and-set on (owner, epoch), rebuilds it and then takes the message.
//
// A claim stands for one transaction while the directory is asked or while it is being rebuilt; what comes meanwhile waits in it.
// Bounds: MAX_CLAIMS claims, MAX_WAITING messages in each, MAX_OWNERS remembered owners, MAX_ROUNDS turns of one message.
// Races: two edges adopt at once: one wins, the other relays to it. The owner lives after all: it is told to let go, and what it writes
// to the directory is refused. So of an owner that is silent and still a member nothing is taken that this edge could not go on with: policy is
// asked first. Else two edges under load would give one caller two final responses.

import type { location, Result } from '@tandem/rpc'
import type { IntHistogram } from '@tandem/service-kit'
import type { EdgeCore } from '../core.ts'
import { edgeHashOf } from '../membership/edge-hash.ts'
import { encodeSurrender } from './frame.ts'
import { type AskedAgain, askAgain, rebuild } from './rebuild.ts'
import type { RelayOutcome, Relays } from './relays.ts'

/** Nobody runs or ran it; it has ended, or nobody could go on with it: the entry says which; nobody can say. */
export type LeftReason = 'none' | 'ended' | 'unknown'

/** A message that belongs to an INVITE transaction elsewhere. */
export interface HandedMessage {
  /** Its own copy. */
  readonly bytes: Buffer
  /** A 2xx. */
  readonly isAnswer?: boolean
  /** Its transaction has it. */
  onTaken?(): void
  /** There is no transaction for it. */
  onLeft(why: LeftReason, entry: location.CallEntry | undefined): void
}

interface Waiting {
  readonly message: HandedMessage
  rounds: number
}

interface Claim {
  readonly key: string
  readonly waiting: Waiting[]
  /** An edge that was asked in vain. */
  readonly failed: number | undefined
  /** The callee is called again at once when it is adopted: nobody has heard of it for a while. */
  readonly resends: boolean
  readonly onEnd: (() => void) | undefined
  /** When it was first known that the owner does not answer. */
  readonly signMs: number
  rounds: number
}

/** What is to be adopted, and on what condition. */
interface Bid {
  readonly owner: string
  readonly epoch: number
  readonly asked: AskedAgain | undefined
}

const MAX_CLAIMS = 10_000
const MAX_WAITING = 16
const MAX_OWNERS = 20_000
const MAX_ROUNDS = 4
/** As for a call that begins here. */
export const ADOPTED_LEASE_MS = 240_000

export class Claims {
  /** From the first sign to a transaction that runs here, where somebody measures. */
  adoptions: IntHistogram | undefined
  private readonly core: EdgeCore
  private readonly relays: Relays
  /** Gives a message to the transaction that it belongs to; false when there is none. */
  private readonly take: (bytes: Buffer) => boolean
  private readonly byKey = new Map<string, Claim>()
  /** Hash of the edge that was last known to run a transaction of another edge. */
  private readonly owners = new Map<string, number>()

  constructor(core: EdgeCore, relays: Relays, take: (bytes: Buffer) => boolean) {
    this.core = core
    this.relays = relays
    this.take = take
  }

  get size(): number {
    return this.byKey.size
  }

  /** Whether another edge runs this transaction, or it is about to be adopted: asked for each new INVITE. */
  knows(key: string): boolean {
    return (this.byKey.size > 0 && this.byKey.has(key)) || (this.owners.size > 0 && this.owners.has(key))
  }

  /** @param hint hash of the edge that runs it as far as the message itself or BeginCall says; the directory overrides it */
  hand(key: string, message: HandedMessage, hint?: number): void {
    this.pass(key, { message, rounds: 0 }, this.owners.get(key) ?? hint)
  }

  /** Takes over a transaction of an edge that is gone since `signMs`, without any message of it. */
  takeOver(key: string, owner: string, signMs: number, onEnd: () => void): void {
    if (this.byKey.has(key) || this.byKey.size >= MAX_CLAIMS) return onEnd()
    const claim = this.open(key, [], undefined, true, signMs, onEnd)
    this.adopt(claim, owner, 1)
  }

  private pass(key: string, waiting: Waiting, owner: number | undefined): void {
    const claim = this.byKey.get(key)
    if (claim !== undefined) return this.wait(claim, waiting)
    waiting.rounds += 1
    if (waiting.rounds > MAX_ROUNDS) return waiting.message.onLeft('unknown', undefined)
    if (owner === undefined || owner === this.core.edgeHash || !this.relays.isReachable(owner)) {
      return this.lookUp(key, waiting, undefined)
    }
    this.relays.send(owner, 'message', waiting.message.bytes, (outcome) => this.onRelayed(key, waiting, owner, outcome))
  }

  private onRelayed(key: string, waiting: Waiting, owner: number, outcome: RelayOutcome): void {
    if (outcome !== 'taken') return this.lookUp(key, waiting, owner)
    this.remember(key, owner)
    waiting.message.onTaken?.()
  }

  private wait(claim: Claim, waiting: Waiting): void {
    if (claim.waiting.length < MAX_WAITING) claim.waiting.push(waiting)
    else this.core.counts.droppedRelay += 1
  }

  private lookUp(key: string, waiting: Waiting, failed: number | undefined): void {
    this.owners.delete(key)
    const claim = this.byKey.get(key)
    if (claim !== undefined) return this.wait(claim, waiting)
    if (this.byKey.size >= MAX_CLAIMS) {
      this.core.counts.droppedRelay += 1
      return
    }
    this.read(this.open(key, [waiting], failed, false, this.core.now(), undefined))
  }

  private open(
    key: string,
    waiting: Waiting[],
    failed: number | undefined,
    resends: boolean,
    signMs: number,
    onEnd: (() => void) | undefined,
  ): Claim {
    const claim: Claim = { key, waiting, failed, resends, onEnd, signMs, rounds: 0 }
    this.byKey.set(key, claim)
    return claim
  }

  private read(claim: Claim): void {
    const { core } = this
    const request = { transactionKey: claim.key }
    core.location.call('readCall', request, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return this.leave(claim, 'unknown', undefined)
      this.onEntry(claim, result.value.entry)
    })
  }

  private onEntry(claim: Claim, entry: location.CallEntry | undefined): void {
    if (entry === undefined) return this.leave(claim, 'none', undefined)
    const owner = edgeHashOf(entry.owner)
    // It is this edge's, and yet there is no transaction: it has just ended.
    if (entry.owner === this.core.edgeId) return this.deliver(claim, entry)
    if (owner !== claim.failed && this.relays.isReachable(owner)) return this.passOn(claim, owner)
    if (entry.finalStatus !== 0) return this.leave(claim, 'ended', entry)
    if (this.core.membership.find(owner) === undefined) return this.adopt(claim, entry.owner, entry.epoch)
    askAgain(this.core, entry, (asked) => {
      if (asked?.decision.verdict !== undefined) return this.adopt(claim, entry.owner, entry.epoch, asked)
      this.core.counts.adoptionsPutOff += 1
      this.leave(claim, 'unknown', undefined)
    })
  }

  private passOn(claim: Claim, owner: number): void {
    this.close(claim)
    this.remember(claim.key, owner)
    for (const waiting of claim.waiting) this.pass(claim.key, waiting, owner)
  }

  /** @param asked what policy says, where it was asked first */
  private adopt(claim: Claim, owner: string, epoch: number, asked?: AskedAgain): void {
    const { core } = this
    claim.rounds += 1
    if (claim.rounds > MAX_ROUNDS) return this.leave(claim, 'unknown', undefined)
    const newOwner = core.edgeId
    const request = { transactionKey: claim.key, owner, epoch, newOwner, leaseMs: ADOPTED_LEASE_MS }
    core.location.call('adoptCall', request, core.config.rpc.timeoutMs, (result) =>
      this.onAdopted(claim, { owner, epoch, asked }, result),
    )
  }

  private onAdopted(claim: Claim, { owner, epoch, asked }: Bid, result: Result<location.AdoptCallResponse>): void {
    if (result.outcome !== 'done') return this.leave(claim, 'unknown', undefined)
    const { adopted, entry } = result.value
    if (entry === undefined || entry.finalStatus !== 0) return this.onEntry(claim, entry)
    if (adopted) return this.takeIn(claim, owner, entry, asked)
    if (entry.owner === owner && entry.epoch !== epoch) return this.adopt(claim, owner, entry.epoch, asked)
    this.onEntry(claim, entry) // another edge was quicker
  }

  private takeIn(claim: Claim, owner: string, entry: location.CallEntry, asked: AskedAgain | undefined): void {
    this.core.counts.adoptions += 1
    this.relieve(owner, entry)
    if (asked !== undefined) return this.rebuild(claim, owner, entry, asked)
    askAgain(this.core, entry, (now) => this.rebuild(claim, owner, entry, now))
  }

  private rebuild(claim: Claim, owner: string, entry: location.CallEntry, asked: AskedAgain | undefined): void {
    const { core } = this
    const onDone = (isRunning: boolean): void => {
      if (!isRunning) core.counts.adoptionsFailed += 1
      else this.adoptions?.observe((core.now() - claim.signMs) / 1_000)
      this.deliver(claim, entry)
    }
    if (asked === undefined) return onDone(false)
    const isAnswered = (): boolean => claim.waiting.some(({ message }) => message.isAnswer === true)
    rebuild(core, entry, owner, claim.resends, asked, isAnswered, onDone)
  }

  /** Tells the owner, should it live after all. */
  private relieve(owner: string, entry: location.CallEntry): void {
    const hash = edgeHashOf(owner)
    if (this.core.membership.find(hash) === undefined) return
    // Who is told to let go may well be one that has been silent.
    this.relays.send(hash, 'surrender', encodeSurrender(entry.transactionKey, entry.epoch), ignoreOutcome, true)
  }

  private deliver(claim: Claim, entry: location.CallEntry): void {
    this.close(claim)
    for (const { message } of claim.waiting) {
      if (this.take(message.bytes)) message.onTaken?.()
      else message.onLeft('ended', entry)
    }
  }

  private leave(claim: Claim, why: LeftReason, entry: location.CallEntry | undefined): void {
    this.close(claim)
    for (const { message } of claim.waiting) message.onLeft(why, entry)
  }

  private close(claim: Claim): void {
    this.byKey.delete(claim.key)
    claim.onEnd?.()
  }

  private remember(key: string, owner: number): void {
    if (this.owners.size >= MAX_OWNERS) this.owners.delete(this.owners.keys().next().value as string)
    this.owners.set(key, owner)
  }
}

function ignoreOutcome(): void {
  // An owner that is gone needs no telling; one that lives hears it from the directory.
}
