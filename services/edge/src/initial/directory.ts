// SPDX-License-Identifier: MIT
//
// The entry of one INVITE in the directory of calls in set-up [DESIGN §4]: made before its first branch leaves, told of each further
// branch before that leaves, ended with the final response. Only the edge that holds the entry runs the INVITE's client transactions.

import type { location, Result } from '@tandem/rpc'
import type { ProxyContext } from '@tandem/sip'
import { concludeElsewhere } from '../any-edge/conclude.ts'
import type { EdgeCore } from '../core.ts'
import { type EdgePeer, flowOf } from '../listeners/peers.ts'
import { traceOf } from '../tracing/edge-tracing.ts'
import { branchesOf, type PlannedBranch } from './branches.ts'

/** How long the directory keeps an entry after the final response: Timers H, I, L and M. */
export const DIRECTORY_KEEP_MS = 64_000
/** The entry's lease while it rings; renewed by every update. */
const DIRECTORY_LEASE_MS = 240_000

/** Ours; another edge's; nobody can say. */
export type DirectoryOutcome = 'held' | 'elsewhere' | 'unknown'

const NO_BYTES = Buffer.alloc(0)

export class DirectoryEntry {
  private readonly core: EdgeCore
  private readonly peer: EdgePeer
  private readonly callRef: string
  private isHeld = false
  /** Of the entry as this edge holds it. */
  epoch = 0
  /** Who holds it, where BeginCall has found it; '' where this edge does, or did. */
  otherOwner = ''
  /** What was to be entered. */
  invite: Buffer = NO_BYTES

  constructor(core: EdgeCore, peer: EdgePeer, callRef: string) {
    this.core = core
    this.peer = peer
    this.callRef = callRef
  }

  /** It has been adopted. */
  resume(epoch: number): void {
    this.isHeld = true
    this.epoch = epoch
  }

  /** Enters branches that are about to leave, besides those that have: `sent`, one for each branch of the context. */
  record(
    context: ProxyContext,
    step: number,
    sent: readonly PlannedBranch[],
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    if (this.isHeld) this.update(context, step, sent, planned, onOutcome)
    else this.begin(context, step, sent, planned, onOutcome)
  }

  private begin(
    context: ProxyContext,
    step: number,
    sent: readonly PlannedBranch[],
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    const { core, peer, callRef } = this
    this.invite = context.request?.buf ?? NO_BYTES
    const entry = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      invite: this.invite,
      upstream: flowOf(peer, core.edgeId),
      plan: NO_BYTES,
      step,
      branches: branchesOf(context, sent, planned),
      callRef,
      leaseMs: DIRECTORY_LEASE_MS,
    }
    const onResult = (result: Result<location.BeginCallResponse>): void => {
      if (result.outcome !== 'done') return onOutcome(this.unknown(result))
      if (!result.value.created && result.value.owner !== core.edgeId) {
        this.otherOwner = result.value.owner
        return onOutcome('elsewhere')
      }
      this.invite = NO_BYTES
      this.isHeld = true
      this.epoch = result.value.epoch
      onOutcome('held')
    }
    core.location.call('beginCall', entry, core.config.rpc.timeoutMs, onResult, traceOf(context))
  }

  private update(
    context: ProxyContext,
    step: number,
    sent: readonly PlannedBranch[],
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    const { core, epoch } = this
    const update = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      epoch,
      step,
      branches: branchesOf(context, sent, planned),
    }
    const onResult = (result: Result<location.UpdateCallResponse>): void => {
      if (result.outcome !== 'done') return onOutcome(this.unknown(result))
      this.isHeld = result.value.held
      onOutcome(result.value.held ? 'held' : 'elsewhere')
    }
    core.location.call('updateCall', update, core.config.rpc.timeoutMs, onResult, traceOf(context))
  }

  private unknown(result: Result<unknown>): DirectoryOutcome {
    this.core.counts.directoryUnknown += 1
    this.core.logger.warn({ result }, 'location did not enter the call into the directory')
    return 'unknown'
  }

  /** The final response goes upstream, or has gone. Once; nothing where there is no entry. */
  end(context: ProxyContext, finalStatus: number): void {
    if (!this.isHeld) return
    this.isHeld = false
    const { core, epoch } = this
    const end = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      epoch,
      finalStatus,
      keepMs: DIRECTORY_KEEP_MS,
    }
    const onResult = (result: Result<location.EndCallResponse>): void => {
      // Without an answer, the lease of the entry ends it.
      if (result.outcome === 'done' && !result.value.held)
        concludeElsewhere(core, end.transactionKey, finalStatus, DIRECTORY_KEEP_MS)
    }
    core.location.call('endCall', end, core.config.rpc.timeoutMs, onResult, traceOf(context))
  }
}
