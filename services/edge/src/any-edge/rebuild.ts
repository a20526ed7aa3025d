// SPDX-License-Identifier: MIT
//
// An adopted INVITE transaction on its feet again [DESIGN §4]: the server transaction out of the INVITE's bytes, a client transaction for
// each branch without a final response, the account of the call, and the rest of the plan. The plan is policy's, asked again: for a call
// on record it is frozen under the transaction's key.
//
// Leaves out: what nobody keeps: early dialogs for 199, history, challenges of branches that had failed, and whether the caller has
// cancelled. Without a plan nothing is rebuilt, for the INVITE could not be repeated as it was: the caller gets 503, unless the callee has
// answered, whose 2xx then goes its way without a transaction.

import type { location, policy, Result } from '@tandem/rpc'
import { SipMessage as Message, SCAN_ERROR, type SipMessage, scan } from '@tandem/sip'
import type { TransportName } from '@tandem/transport'
import type { EdgeCore } from '../core.ts'
import { LostPeer } from '../hops/hop-kinds.ts'
import { describeRequest } from '../initial/describe.ts'
import { resumeInitialRequest } from '../initial/initial-request.ts'
import { leadingOwnRoutes } from '../initial/own-routes.ts'
import { type Candidate, resolveTargets } from '../initial/targets.ts'
import type { EdgePeer } from '../listeners/peers.ts'

/** An adopted transaction and what is known of it. */
export interface Resumption {
  readonly entry: location.CallEntry
  readonly message: SipMessage
  readonly peer: EdgePeer
  readonly popRoutes: number
  readonly decision: policy.DecideResponse
  /** The edge that sent its branches. */
  readonly begunBy: string
  /** Every target of the step at hand, tried or not. */
  readonly candidates: readonly Candidate[]
  /** Sends open branches once more at once, instead of at Timer A. */
  readonly resends: boolean
}

const NO_DECISION: policy.DecideResponse = { verdict: undefined, callRef: '', identity: '', account: '' }

/** The INVITE of an entry, the way to its caller, and what policy says of it now. */
export interface AskedAgain {
  readonly message: SipMessage
  readonly peer: EdgePeer
  readonly popRoutes: number
  /** Without a verdict where policy gives none. */
  readonly decision: policy.DecideResponse
}

/** @param onDecision undefined: the entry can't be used */
export function askAgain(
  core: EdgeCore,
  entry: location.CallEntry,
  onDecision: (asked: AskedAgain | undefined) => void,
): void {
  const message = new Message()
  const bytes = Buffer.from(entry.invite)
  const peer = upstreamPeer(core, entry.upstream)
  if (peer === undefined || scan(message, bytes, 0, bytes.length) !== SCAN_ERROR.NONE) return onDecision(undefined)
  const popRoutes = leadingOwnRoutes(core, message)
  const request = describeRequest(message, entry.transactionKey, peer, core.edgeId)
  const scope = core.decisions.scopeOf(message)
  core.decisions.ask(scope, request, (result) => {
    const decision = decisionOf(entry, core.decisions.settle(scope, request, message, peer, result))
    onDecision({ message, peer, popRoutes, decision })
  })
}

/**
 * @param isAnswered a 2xx of it waits: then no 503 is sent
 * @param onDone told once whether the transaction runs here now
 */
export function rebuild(
  core: EdgeCore,
  entry: location.CallEntry,
  begunBy: string,
  resends: boolean,
  asked: AskedAgain,
  isAnswered: () => boolean,
  onDone: (isRunning: boolean) => void,
): void {
  const { message, peer, popRoutes, decision } = asked
  if (decision.verdict === undefined && isAnswered()) return onDone(false)
  const resume = (candidates: readonly Candidate[]): void =>
    onDone(resumeInitialRequest(core, { entry, message, peer, popRoutes, decision, begunBy, candidates, resends }))
  const step = decision.verdict?.$case === 'plan' ? decision.verdict.value.steps[entry.step] : undefined
  if (step === undefined) resume([])
  else resolveTargets(core, message, step.targets, resume)
}

/** The call keeps its reference whatever policy says now. */
function decisionOf({ callRef }: location.CallEntry, result: Result<policy.DecideResponse>): policy.DecideResponse {
  const decision = result.outcome === 'done' ? result.value : NO_DECISION
  return { ...decision, callRef }
}

/** Over UDP the caller is reached from any edge. A connection ended with its edge: responses try the place that the Via names. */
function upstreamPeer(core: EdgeCore, flow: location.Flow | undefined): EdgePeer | undefined {
  if (flow === undefined) return undefined
  const { address, port } = flow
  const transport = flow.transport as TransportName
  const reached = core.hops.toResponseTarget({ transport: 'udp', host: address, port, isNumeric: true }, false)
  if (transport === 'udp' || reached === undefined) return reached
  return new LostPeer({ transport, address, port }, reached.facing)
}
