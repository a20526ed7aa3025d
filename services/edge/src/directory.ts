// SPDX-License-Identifier: MIT
//
// The entry of one INVITE in the directory of calls in set-up [DESIGN §4]: made before its first branch leaves, told of each further
// branch before that leaves, ended with the final response. Only the edge that holds the entry runs the INVITE's client transactions.

import type { Result } from '@tandem/rpc'
import type { ProxyContext } from '@tandem/sip'
import { branchesOf, type PlannedBranch } from './branches.ts'
import type { EdgeCore } from './core.ts'
import { type EdgePeer, flowOf } from './peers.ts'

/** How long the directory keeps an entry after the final response: Timers H, I, L and M. */
const DIRECTORY_KEEP_MS = 64_000
/** The entry's lease while it rings; renewed by every update. */
const DIRECTORY_LEASE_MS = 240_000

/** Ours; another edge's; nobody can say. */
export type DirectoryOutcome = 'held' | 'elsewhere' | 'unknown'

export class DirectoryEntry {
  private readonly core: EdgeCore
  private readonly peer: EdgePeer
  private readonly callRef: string
  private epoch = 0
  private isHeld = false

  constructor(core: EdgeCore, peer: EdgePeer, callRef: string) {
    this.core = core
    this.peer = peer
    this.callRef = callRef
  }

  /** Enters branches that are about to leave. */
  record(
    context: ProxyContext,
    step: number,
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    if (this.isHeld) this.update(context, step, planned, onOutcome)
    else this.begin(context, step, planned, onOutcome)
  }

  private begin(
    context: ProxyContext,
    step: number,
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    const { core, peer, callRef } = this
    const entry = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      invite: context.request?.buf ?? NO_BYTES,
      upstream: flowOf(peer, core.edgeId),
      plan: NO_BYTES,
      step,
      branches: branchesOf(context, planned),
      callRef,
      leaseMs: DIRECTORY_LEASE_MS,
    }
    core.location.call('beginCall', entry, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return onOutcome(this.unknown(result))
      if (!result.value.created && result.value.owner !== core.edgeId) return onOutcome('elsewhere')
      this.isHeld = true
      this.epoch = result.value.epoch
      onOutcome('held')
    })
  }

  private update(
    context: ProxyContext,
    step: number,
    planned: readonly PlannedBranch[],
    onOutcome: (outcome: DirectoryOutcome) => void,
  ): void {
    const { core, epoch } = this
    const update = {
      transactionKey: context.server.key,
      owner: core.edgeId,
      epoch,
      step,
      branches: branchesOf(context, planned),
    }
    core.location.call('updateCall', update, core.config.rpc.timeoutMs, (result) => {
      if (result.outcome !== 'done') return onOutcome(this.unknown(result))
      onOutcome(result.value.held ? 'held' : 'elsewhere')
    })
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
    core.location.call('endCall', end, core.config.rpc.timeoutMs, ignoreResult) // else its lease ends it
  }
}

const NO_BYTES = Buffer.alloc(0)

function ignoreResult(): void {
  // The lease of the entry does what this message would have done.
}
