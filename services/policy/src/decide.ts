// SPDX-License-Identifier: MIT
//
// Decide: WHETHER a request may pass and WHITHER it goes. [RFC3261-16.3] [RFC3261-22.3]
// Order: a readable Request-URI, a domain of ours (no open relay), who speaks (digest), is it who it says (From), the
// plan. For an INVITE with accounting the answer is frozen in the store under the transaction's key.
// Idempotent by transaction key: the same request through another edge gets the same answer; only a challenge differs, in
// its nonce, and leaves nothing behind. Answers without a promise wherever the store does.
// Race: resources replaced meanwhile. A decision reads `context.state` once.
import { type DomainEntry, findDomain, plan } from '@tandem/resources'
import { type Done, done, policy, type Result } from '@tandem/rpc'
import { accountCall } from './account-call.ts'
import { type Authentication, authenticate, offersCredentials } from './authenticate.ts'
import { challenge, offeredAlgorithms } from './challenge.ts'
import type { PolicyContext } from './context.ts'
import { decideRegister } from './decide-register.ts'
import { refusal } from './errors.ts'
import { identityEdits, maySay, UNPROVEN_EDITS } from './identity.ts'
import type { PolicyState } from './state.ts'
import type { Failure } from './store-health.ts'
import { addressOf, splitUri, type UriParts } from './uri-parts.ts'
import { type NonceUse, useNonce } from './use-nonce.ts'
import { type Caller, callerOf, NOBODY, reject, toResponse } from './verdicts.ts'

type Decision = Result<policy.DecideResponse>
type EventualDecision = Decision | Promise<Decision>
type Proven = Extract<Authentication, { outcome: 'proven' }>

/** One request on its way through the steps below. */
interface Judgement {
  readonly context: PolicyContext
  readonly state: PolicyState
  readonly request: policy.DecideRequest
  readonly uri: UriParts
  readonly from: UriParts
  /** Of the Request-URI; undefined for a tel: URI. */
  readonly domain: DomainEntry | undefined
}

const { REMOVE } = policy.HeaderEdit_Operation

const BAD_URI = done(reject('bad_uri'))
const UNSUPPORTED_SCHEME = done(reject('unsupported_scheme'))
const RELAY_REFUSED = done(reject('relay_refused'))
const NOT_DECIDED = done(reject('not_decided'))
const NO_KEY = refusal('bad_request')

/** Nobody of the domain is asked who he is, and no call leaves a record: the answer is there already. */
function openAnswer(state: PolicyState, method: string, domain: DomainEntry, user: string) {
  if (domain.authenticated || method === 'REGISTER' || (domain.accounting && method === 'INVITE')) return undefined
  const entry = domain.users.get(user)
  return entry && state.openPlans.get(entry)
}

/** Refusals that need no look at who speaks. */
function refuseAtOnce(
  { scheme, host }: UriParts,
  domain: DomainEntry | undefined,
): Done<policy.DecideResponse> | undefined {
  if (scheme === '') return BAD_URI
  // [RFC3261-16.3.2]
  if (host === '') return scheme === 'tel' ? undefined : UNSUPPORTED_SCHEME
  return domain === undefined ? RELAY_REFUSED : undefined
}

/**
 * The domain whose credentials are asked for: the caller's own when it is one of ours that asks, else the one that is
 * called; so a name of ours is never taken in vain. undefined: nobody asks.
 */
function askingDomain({ state, request, from, domain }: Judgement): DomainEntry | undefined {
  if (request.method === 'REGISTER') return domain?.authenticated ? domain : undefined
  const own = findDomain(state.index, from.host)
  if (own?.authenticated) return own
  if (domain === undefined || !domain.authenticated) return undefined
  const stranger = own === undefined && domain.anonymous && !offersCredentials(request.credentials, domain)
  return stranger ? undefined : domain
}

/** Without authentication, From is believed, as the setting says; it gives a call its account. */
function believedCaller({ state, from }: Judgement): Caller {
  const user = findDomain(state.index, from.host)?.users.get(from.user)
  return user === undefined || user.domain.authenticated ? NOBODY : callerOf(user)
}

function callerFor(judgement: Judgement, proven: Proven | undefined, accounting: boolean): Caller {
  if (proven !== undefined) return callerOf(proven.user)
  return accounting ? believedCaller(judgement) : NOBODY
}

/** Calls of the domain leave records. */
function isAccounted({ method }: policy.DecideRequest, domain: DomainEntry | undefined): boolean {
  return method === 'INVITE' && domain !== undefined && domain.accounting
}

function ask(judgement: Judgement, domain: DomainEntry, stale: boolean): Decision {
  const { context, request } = judgement
  const algorithms = offeredAlgorithms(domain, context.challengeOrder)
  return done(challenge(context.nonces, domain, algorithms, { proxy: request.method !== 'REGISTER', stale }))
}

/** Identity headers, and the credentials of our realm, which go no further; those of others pass. [RFC3261-22.3] */
function editsFor({ from, domain }: Judgement, proven: Proven | undefined): policy.HeaderEdit[] {
  if (proven === undefined) return domain?.identity === 'off' ? [] : UNPROVEN_EDITS
  const used = { operation: REMOVE, name: 'Proxy-Authorization', value: proven.value }
  return [...identityEdits(from, proven.user), used]
}

/** The plan, and for an INVITE with accounting its record. */
function planFor(judgement: Judgement, proven: Proven | undefined, accounting: boolean): EventualDecision {
  const { context, state, request, uri } = judgement
  const caller = callerFor(judgement, proven, accounting)
  const verdict = plan({ method: request.method, user: uri.user, host: uri.host }, state.index)
  const response = toResponse(verdict, caller, { edits: editsFor(judgement, proven), accounting })
  // Strangers can't fill the records with calls to nobody: what is rejected leaves one only for a proven caller.
  const recorded = accounting && (verdict.kind === 'plan' || (verdict.kind === 'reject' && proven !== undefined))
  return recorded ? accountCall(context, request, response) : done(response)
}

function decideProven(judgement: Judgement, proven: Proven): EventualDecision {
  const { state, request, from, context } = judgement
  const { user } = proven
  if (request.method === 'REGISTER') return done(decideRegister(state, request, user))
  const accounting = isAccounted(request, user.domain)
  if (maySay(state.index, from, user)) return planFor(judgement, proven, accounting)
  const response = reject('not_your_identity', callerOf(user))
  return accounting ? accountCall(context, request, response) : done(response)
}

/** The store can't say whether the nonce is used up. Fails closed for REGISTER; for calls by setting. */
function withoutStore(judgement: Judgement, proven: Proven, failure: Failure): EventualDecision {
  const { context, request, state, from } = judgement
  const closed = request.method === 'REGISTER' || context.tuning.callsWithoutStore === 'refuse'
  if (closed) return context.health.toResult(failure)
  if (!maySay(state.index, from, proven.user)) return done(reject('not_your_identity', callerOf(proven.user)))
  context.counts.admittedWithoutStore++
  return planFor(judgement, proven, false)
}

function afterNonce(judgement: Judgement, asking: DomainEntry, proven: Proven, use: NonceUse): EventualDecision {
  const { counts } = judgement.context
  if (use === 'fresh') {
    counts.authenticated++
    return decideProven(judgement, proven)
  }
  if (use !== 'replay') return withoutStore(judgement, proven, use)
  counts.replayedNonces++
  return ask(judgement, asking, true)
}

function decideAsking(judgement: Judgement, asking: DomainEntry): EventualDecision {
  const { context, state, request, uri } = judgement
  const { method, credentials } = request
  const algorithms = offeredAlgorithms(asking, context.challengeOrder)
  const proxy = method !== 'REGISTER'
  const scope = {
    index: state.index,
    credentials: state.credentials,
    nonces: context.nonces,
    maxCredentials: context.tuning.maxCredentials,
  }
  const result = authenticate(scope, asking, algorithms, { method, uri, proxy, credentials })
  if (result.outcome === 'proven') {
    const use = useNonce(context, result, request.transactionKey)
    const next = (known: NonceUse) => afterNonce(judgement, asking, result, known)
    return use instanceof Promise ? use.then(next) : next(use)
  }
  countFailure(context, result.outcome)
  if (result.outcome === 'otherUri') return done(reject('digest_uri_mismatch'))
  return ask(judgement, asking, result.outcome === 'stale')
}

function countFailure({ counts }: PolicyContext, outcome: Exclude<Authentication['outcome'], 'proven'>): void {
  if (outcome === 'wrong' || outcome === 'otherUri') counts.badCredentials++
  if (outcome === 'forged') counts.forgedNonces++
  if (outcome === 'stale') counts.staleNonces++
}

/** OPTIONS for the cluster itself is answered to anybody. [RFC3261-11] */
const asksAboutUs = (method: string, { user, host }: UriParts): boolean =>
  method === 'OPTIONS' && user === '' && host !== ''

export function decide(context: PolicyContext, request: policy.DecideRequest): EventualDecision {
  const { state } = context
  const { method } = request
  const uri = splitUri(request.requestUri)
  const domain = uri.host === '' ? undefined : findDomain(state.index, uri.host)
  if (domain !== undefined && !state.index.anyAuthenticated) {
    const open = openAnswer(state, method, domain, uri.user)
    if (open !== undefined) return open
  }
  // [RFC3261-22.1] ACK and CANCEL can't be challenged; they never come here from an edge that keeps to the design.
  if (method === 'ACK' || method === 'CANCEL') return NOT_DECIDED
  const refused = refuseAtOnce(uri, domain)
  if (refused !== undefined) return refused
  if (request.transactionKey === '') return NO_KEY
  const judgement = { context, state, request, uri, from: splitUri(addressOf(request.from)), domain }
  if (asksAboutUs(method, uri)) return planFor(judgement, undefined, false)
  const asking = askingDomain(judgement)
  if (asking !== undefined) return decideAsking(judgement, asking)
  if (method === 'REGISTER') return done(decideRegister(state, request, undefined))
  return planFor(judgement, undefined, isAccounted(request, domain))
}
