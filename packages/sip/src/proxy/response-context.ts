// SPDX-License-Identifier: MIT
//
// The response context (RFC 3261 section 16.7): the branches of one forwarded request and what their responses mean.
// Pure bookkeeping over integers: no message, no clock. The stateful proxy asks it what to do with each response.
//
// Invariants: after `closed` no branch is added; a final response other than a 2xx goes up at most once;
// every 2xx to INVITE goes up, however many there are. A branch has one final response; its 2xx retransmissions pass.

import { rankResponse } from './best-response.ts'
import { Deadline } from './deadline-list.ts'

/** What a response asks of the proxy; flags. */
export const STEP = {
  NONE: 0,
  /** This response goes upstream now. */
  FORWARD: 1,
  /** This response is the best so far: keep its bytes. */
  KEEP: 2,
  /** Cancel every other branch that is pending. */
  CANCEL_OTHERS: 4,
  /** No branch is pending: the kept response is the result, unless more branches are forked. */
  EXHAUSTED: 8,
} as const

/** One branch of the context: one client transaction. */
export class Branch extends Deadline {
  /** The Via branch on the wire. */
  readonly id: string
  /** The Request-URI of the branch. */
  readonly uri: string
  /** Highest provisional status seen, 0 for none. */
  provisional = 0
  /** First final status seen, 0 for none. */
  final = 0
  /** A CANCEL shall go out as soon as a provisional response allows it. */
  cancelWanted = false
  cancelSent = false
  /** Another branch stands in its place: what it ended with counts for nothing. */
  replaced = false

  constructor(id: string, uri: string) {
    super()
    this.id = id
    this.uri = uri
  }
}

export class ResponseContext<B extends Branch = Branch> {
  branches: readonly B[] = []
  readonly isInvite: boolean
  /** Final status that went upstream, 0 for none. */
  finalSent = 0
  /** Set once a 2xx or 6xx has been seen or the caller gave up: nothing more is forked. */
  closed = false
  bestStatus = 0
  private pendingCount = 0

  constructor(isInvite: boolean) {
    this.isInvite = isInvite
  }

  get pending(): number {
    return this.pendingCount
  }

  addBranch(branch: B): void {
    // Most have one: an array that grows by push has room for seventeen, and lingers with its transaction.
    this.branches = this.branches.length === 0 ? [branch] : [...this.branches, branch]
    this.pendingCount += 1
  }

  /** @returns true when the provisional response goes upstream. */
  onProvisional(branch: Branch, status: number): boolean {
    if (branch.final !== 0) return false
    if (status > branch.provisional) branch.provisional = status
    // [RFC3261-16.7.5] any provisional but 100 goes up at once, until a final response has
    return status !== 100 && this.finalSent === 0
  }

  /**
   * @param status 200 to 699
   * @returns STEP flags
   */
  onFinal(branch: Branch, status: number): number {
    if (status < 300) return this.onSuccess(branch, status)
    if (branch.final !== 0) return STEP.NONE
    this.finish(branch, status)
    if (this.finalSent !== 0) return STEP.NONE
    let step: number = STEP.NONE
    if (this.bestStatus === 0 || rankResponse(status) < rankResponse(this.bestStatus)) {
      this.bestStatus = status
      step |= STEP.KEEP
    }
    if (status >= 600) {
      this.closed = true // [RFC3261-16.7.5] no new branch after a 6xx, and the pending ones are cancelled
      step |= STEP.CANCEL_OTHERS
    }
    return this.pendingCount === 0 ? step | STEP.EXHAUSTED : step
  }

  /** A branch ended with `status`, and the user goes on in its place. */
  onReplaced(branch: Branch, status: number): void {
    branch.replaced = true
    this.finish(branch, status)
  }

  private onSuccess(branch: Branch, status: number): number {
    const repeated = branch.final !== 0
    if (!repeated) this.finish(branch, status)
    if (!this.isInvite && this.finalSent !== 0) return STEP.NONE
    // [RFC3261-16.7.5] every 2xx to an INVITE is forwarded, after any other final response too
    if (this.finalSent === 0) this.finalSent = status
    this.closed = true
    return repeated ? STEP.FORWARD : STEP.FORWARD | STEP.CANCEL_OTHERS
  }

  private finish(branch: Branch, status: number): void {
    branch.final = status
    this.pendingCount -= 1
  }
}
