// SPDX-License-Identifier: MIT
//
// A trunk is about to be tried, or an attempt at it is over. A beginning takes a place in the store where the trunk's bounds let it; at a host whose
// breaker is half open it also takes the one trial. An end frees the place unless the call was answered, and counts for breaker and quality, once.
// Store away: a beginning is refused or let through by setting (`policy.trunks.withoutStore`); an end is tried again by the edge.
// Race: a beginning of which nobody knows whether it was stored is taken back; where that is lost too, the place is looked at when its
// lease is over, and freed with its call.
import { done, type policy, type Result } from '@tandem/rpc'
import { type AttemptRefusal, MAX_ATTEMPTS, type Stored, shardOfReference } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import { judgeAttempt } from './outcome.ts'
import { PLACE_LEASE_MS } from './trunk-board.ts'
import { NO_BREAKER, type TrunkTerms } from './trunk-terms.ts'

type Attempted = Result<policy.TrunkAttemptResponse>

/** A trial call has this long to say something. */
const TRIAL_LEASE_MS = 20_000
const LET_THROUGH: Attempted = done({ refused: false, code: '' })
const NOTED = LET_THROUGH

export const TRUNK_CODES = {
  calls: 'trunk_calls',
  rate: 'trunk_rate',
  over: 'trunk_over',
  open: 'trunk_open',
  store: 'trunk_store',
  unknown: 'trunk_unknown',
} as const

const refused = (code: (typeof TRUNK_CODES)[keyof typeof TRUNK_CODES]): Attempted => done({ refused: true, code })

function refuseFor(context: PolicyContext, why: Exclude<AttemptRefusal, ''>): Attempted {
  if (why === 'calls') context.counts.trunkRefusedCalls++
  if (why === 'rate') context.counts.trunkRefusedRate++
  return refused(TRUNK_CODES[why])
}

/** Nobody knows whether a place was taken: if so, it is not. */
function takeBack(context: PolicyContext, request: policy.TrunkAttemptRequest): void {
  const nothing = { keeps: false, seized: false, answered: false, effective: false, pddMs: undefined } as const
  const { trunk, host, callRef: ref, attempt } = request
  const windowMs = context.settings.trunks.qualityWindowMs
  const end = { trunk, host, ref, attempt, ...nothing, health: 'neutral', breaker: NO_BREAKER, windowMs } as const
  Promise.resolve(context.trunkStore.endAttempt(end)).then(
    (result) => context.health.see(result),
    () => undefined,
  )
}

function withoutStore(
  context: PolicyContext,
  request: policy.TrunkAttemptRequest,
  failure: Exclude<Stored<unknown>, { state: 'stored' }>,
): Attempted {
  context.counts.trunkWithoutStore++
  if (context.settings.trunks.withoutStore === 'allow') return LET_THROUGH
  if (failure.state === 'unknown') takeBack(context, request)
  return refused(TRUNK_CODES.store)
}

/** Whether the host may be tried for its breaker; undefined: the store does not say. */
async function mayTry(context: PolicyContext, { trunk, host }: policy.TrunkAttemptRequest) {
  const facts = context.trunks.board.facts(trunk)
  if (facts?.openHosts.has(host) === true) return false
  if (facts?.trialHosts.has(host) !== true) return true
  const claimed = await context.trunkStore.claimTrial(trunk, host, TRIAL_LEASE_MS)
  if (!context.health.see(claimed)) return undefined
  if (claimed.value) return true
  // Another call has the trial; or it has closed since this node looked.
  await context.trunks.board.look(trunk)
  const now = context.trunks.board.facts(trunk)
  return now !== undefined && !now.trialHosts.has(host) && !now.openHosts.has(host)
}

async function begin(
  context: PolicyContext,
  terms: TrunkTerms,
  request: policy.TrunkAttemptRequest,
): Promise<Attempted> {
  const { trunk, callRef: ref, attempt } = request
  const { maxCalls, callsPerSecond } = terms
  if (!((await mayTry(context, request)) ?? true)) {
    context.counts.trunkRefusedOpen++
    return refused(TRUNK_CODES.open)
  }
  const bounds = { maxCalls, callsPerSecond, leaseMs: PLACE_LEASE_MS }
  const begun = await context.trunkStore.beginAttempt({ trunk, ref, attempt, ...bounds })
  if (!context.health.see(begun)) return withoutStore(context, request, begun)
  context.trunks.board.noteCalls(trunk, begun.value.calls)
  return begun.value.refused === '' ? LET_THROUGH : refuseFor(context, begun.value.refused)
}

async function end(
  context: PolicyContext,
  terms: TrunkTerms | undefined,
  request: policy.TrunkAttemptRequest,
  told: policy.TrunkAttemptEnd,
): Promise<Attempted> {
  const { trunk, host, callRef: ref, attempt } = request
  const verdict = judgeAttempt(told)
  const breaker = terms?.breaker ?? NO_BREAKER
  const windowMs = context.settings.trunks.qualityWindowMs
  const noted = await context.trunkStore.endAttempt({ trunk, host, ref, attempt, ...verdict, breaker, windowMs })
  if (!context.health.see(noted)) return context.health.toResult(noted)
  context.trunks.board.noteCalls(trunk, noted.value.calls)
  if (noted.value.isFirst) context.trunks.count(trunk, verdict)
  if (noted.value.changed) await context.trunks.changed(trunk, host)
  return NOTED
}

const isReadable = ({ callRef, attempt }: policy.TrunkAttemptRequest): boolean =>
  shardOfReference(callRef) >= 0 && attempt < MAX_ATTEMPTS

export function trunkAttempt(
  context: PolicyContext,
  request: policy.TrunkAttemptRequest,
): Attempted | Promise<Attempted> {
  const terms = context.trunks.terms.get(request.trunk)
  const { phase } = request
  if (phase === undefined || !isReadable(request)) return refusal('bad_attempt')
  if (phase.$case === 'end') return end(context, terms, request, phase.value)
  context.counts.trunkAttempts++
  return terms === undefined ? refused(TRUNK_CODES.unknown) : begin(context, terms, request)
}
