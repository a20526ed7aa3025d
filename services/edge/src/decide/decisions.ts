// SPDX-License-Identifier: MIT
//
// How an edge asks policy for a decision, and what it makes of the answer: a sound one stands; of none, or of one that can't be used, the
// failure mode of the domain makes another, or the refusal that the caller gets (`edge.decide`, docs/custom-policy.md).
//
// Invariants [DESIGN §3.8]: without policy nobody registers, and nothing leaves the cluster or costs money, but an emergency.
// Plain path: two calls of functions and a look over the plan; one look-up of a map where domains have settings of their own.
import type { Caller, PolicyMethods, policy, Result } from '@tandem/rpc'
import { refused, unknown } from '@tandem/rpc'
import { BoundedLines, type EdgeConfig, type Logger } from '@tandem/service-kit'
import { METHOD, type SipMessage } from '@tandem/sip'
import type { TraceScope } from '@tandem/telemetry'
import type { Admission } from '../admission/index.ts'
import type { EdgeCounts } from '../counts.ts'
import type { EdgePeer } from '../listeners/peers.ts'
import { withDefaults } from './defaults.ts'
import { EmergencyPlans } from './emergency-plans.ts'
import { flawOf } from './flaws.ts'
import { LastKnown } from './last-known.ts'
import { planForEmergency, planWithin } from './on-net.ts'
import { type DecideScope, DecideScopes } from './scope.ts'

/** Each of them is a line about policy, not about a request. */
const MAX_LINES_PER_SECOND = 10

type Decision = Result<policy.DecideResponse>

export interface DecisionParts {
  readonly config: EdgeConfig
  readonly policy: Caller<PolicyMethods, policy.Push>
  readonly admission: Admission
  readonly counts: EdgeCounts
  readonly logger: Logger
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class Decisions {
  readonly scopes: DecideScopes
  /** Undefined where no failure mode needs it. */
  readonly lastKnown: LastKnown | undefined
  /** For when policy gives no answer. */
  readonly emergencyPlans: EmergencyPlans
  readonly #parts: DecisionParts
  readonly #lines: BoundedLines

  constructor(parts: DecisionParts) {
    this.#parts = parts
    this.#lines = new BoundedLines(parts.logger, 'no_decision', MAX_LINES_PER_SECOND)
    this.scopes = new DecideScopes(parts.config)
    this.lastKnown = this.scopes.remember ? new LastKnown(parts.config.decide.lastKnown) : undefined
    this.emergencyPlans = new EmergencyPlans((numbers) => parts.admission.useEmergencyNumbers(numbers))
    parts.policy.onPush(({ event }) => {
      if (event?.$case === 'emergencyPlans') this.#takeEmergencyPlans(event.value)
    })
  }

  #takeEmergencyPlans(plans: policy.EmergencyPlans): void {
    const flawed = this.emergencyPlans.take(plans)
    if (flawed === 0) return
    const { counts, logger } = this.#parts
    counts.decisionsFlawed += flawed
    logger.error({ flawed }, 'policy gave emergency plans that can not be carried out')
  }

  /** The settings for this request. */
  scopeOf(msg: SipMessage): DecideScope {
    return this.scopes.of(msg)
  }

  /** Asks. What comes is still to be judged by `settle`. @param onResult never called inside `ask` */
  ask(
    scope: DecideScope,
    request: policy.DecideRequest,
    onResult: (result: Decision) => void,
    trace?: TraceScope,
  ): void {
    const { policy, now } = this.#parts
    const { breaker, timeoutMs } = scope
    if (breaker === undefined) return policy.call('decide', request, timeoutMs, onResult, trace)
    if (!breaker.allows(now())) return queueMicrotask(() => onResult(CIRCUIT_OPEN))
    breaker.asked(now())
    const onAnswer = (result: Decision): void => {
      breaker.settled(result.outcome !== 'unknown' && !isFlawed(result), now())
      onResult(result)
    }
    policy.call('decide', request, timeoutMs, onAnswer, trace)
  }

  /**
   * @param request the same as was asked with
   * @param msg the request's message
   * @returns the decision, sound; else what the failure mode makes of it; else a refusal with a status from 400 to 699, or unknown
   */
  settle(
    scope: DecideScope,
    request: policy.DecideRequest,
    msg: SipMessage,
    peer: EdgePeer,
    result: Decision,
  ): Decision {
    if (result.outcome === 'done') {
      const flaw = flawOf(result.value)
      if (flaw !== '') return this.#onFlaw(scope, request, msg, peer, flaw)
      if (scope.whenAway === 'last-known') this.#remember(request, peer, result.value)
      const { verdict } = result.value
      const isBounded = verdict?.$case === 'admit' || verdict?.$case === 'watchRegistrations'
      return isBounded ? withDefaults(result, this.#parts.config.registration) : result
    }
    return this.#onNone(scope, request, msg, peer, result)
  }

  #onFlaw(scope: DecideScope, request: policy.DecideRequest, msg: SipMessage, peer: EdgePeer, flaw: string): Decision {
    const { counts, logger } = this.#parts
    counts.decisionsFlawed += 1
    if (this.#lines.admits(flaw))
      logger.error({ flaw, method: request.method }, 'policy gave a decision that can not be carried out')
    return this.#fallBack(scope, request, msg, peer) ?? refused('bad_decision', 500, flaw)
  }

  #onNone(
    scope: DecideScope,
    request: policy.DecideRequest,
    msg: SipMessage,
    peer: EdgePeer,
    none: Decision,
  ): Decision {
    const { counts, logger } = this.#parts
    if (none.outcome === 'refused') {
      const { sipStatus } = none.refusal
      if (sipStatus >= 400 && sipStatus < 500) return none
    } else if (none.outcome === 'unknown') {
      counts.decideUnknown += 1
      if (this.#lines.admits('unknown')) logger.warn({ detail: none.detail }, 'policy gave no decision')
    }
    return this.#fallBack(scope, request, msg, peer) ?? withStatus(none)
  }

  /** What is done without policy; undefined: nothing. */
  #fallBack(scope: DecideScope, request: policy.DecideRequest, msg: SipMessage, peer: EdgePeer): Decision | undefined {
    if (msg.method === METHOD.REGISTER) return undefined
    const found = this.#emergency(scope, msg) ?? this.#byMode(scope, request, msg, peer)
    return found && { outcome: 'done', value: found }
  }

  #emergency({ whenAway }: DecideScope, msg: SipMessage): policy.DecideResponse | undefined {
    const { admission, config, counts } = this.#parts
    const { emergencyTargets } = config.decide
    const asTold = this.emergencyPlans.find(msg)
    if (asTold === undefined && whenAway === 'closed' && emergencyTargets.length === 0) return undefined
    if (asTold === undefined && !admission.callsForHelp(msg)) return undefined
    const decision = asTold ?? planForEmergency(msg, emergencyTargets)
    if (decision !== undefined) counts.decidedEmergency += 1
    return decision
  }

  #byMode(scope: DecideScope, request: policy.DecideRequest, msg: SipMessage, peer: EdgePeer) {
    const { counts } = this.#parts
    if (scope.whenAway === 'closed') return undefined
    const isOpen = scope.whenAway === 'open'
    const decision = isOpen ? planWithin(msg, request.event) : this.#recall(request, msg, peer)
    if (decision === undefined) return undefined
    if (isOpen) counts.decidedOpen += 1
    else counts.decidedLastKnown += 1
    return decision
  }

  #remember(request: policy.DecideRequest, peer: EdgePeer, decision: policy.DecideResponse): void {
    const { lastKnown } = this
    const nowMs = this.#parts.now()
    if (decision.verdict?.$case === 'admit') lastKnown?.noteRegistered(callerKey(peer, request.to), nowMs)
    else if (decision.verdict?.$case !== 'challenge') lastKnown?.noteDecision(pairKey(request, peer), decision, nowMs)
  }

  #recall(request: policy.DecideRequest, msg: SipMessage, peer: EdgePeer): policy.DecideResponse | undefined {
    const { lastKnown } = this
    const nowMs = this.#parts.now()
    const decision = lastKnown?.decision(pairKey(request, peer), nowMs)
    if (decision !== undefined) return decision
    const isOurs = lastKnown?.isRegistered(callerKey(peer, request.from), nowMs) === true
    return isOurs ? planWithin(msg, request.event) : undefined
  }
}

const CIRCUIT_OPEN: Decision = unknown('circuit_open: policy failed too often for this domain')

const isFlawed = (result: Decision): boolean => result.outcome === 'done' && flawOf(result.value) !== ''

/** A refusal whose status can be sent. */
function withStatus(none: Decision): Decision {
  if (none.outcome !== 'refused') return none
  const { sipStatus } = none.refusal
  if (sipStatus >= 400 && sipStatus <= 699) return none
  return { outcome: 'refused', refusal: { ...none.refusal, sipStatus: 503 } }
}

const URI = /<([^>]*)>|^([^;]*)/

/** Where a request came from, and the URI of its From (or of a REGISTER's To). */
function callerKey(peer: EdgePeer, value: string): string {
  const [, inAngles, plain = ''] = URI.exec(value) ?? []
  return `${peer.address} ${(inAngles ?? plain).trim()}`
}

/** And whom it is for. */
function pairKey({ method, from, requestUri }: policy.DecideRequest, peer: EdgePeer): string {
  return `${callerKey(peer, from)} ${method} ${requestUri}`
}
