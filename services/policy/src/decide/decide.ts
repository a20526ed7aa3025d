// SPDX-License-Identifier: MIT
//
// Decide: WHETHER a request may pass and WHITHER it goes. [RFC3261-16.3.6] [RFC3261-22a]
// Order: a readable Request-URI, a domain of ours or a user of ours who may send elsewhere (no open relay), who speaks
// (digest), is it who it says (From), the plan. For an INVITE with accounting the answer is frozen in the store under the transaction's key.
// Idempotent by transaction key: the same request through another edge gets the same answer; only a challenge differs, in
// its nonce, and leaves nothing behind. Answers without a promise wherever the store does.
// Race: resources replaced meanwhile. A decision reads `context.state` once.
import {
  type DigestAlgorithm,
  type DomainSettings,
  findDomain,
  findUser,
  type PlanVerdict,
  plan,
  planInstance,
  planNumber,
  planned,
  planRelay,
  type UserEntry,
} from '@tandem/resources'
import { type Done, done, policy, type Result } from '@tandem/rpc'
import { parseGruu } from '@tandem/sip'
import { banUserOf } from '../bans/bans.ts'
import { accountCall } from '../calls/account-call.ts'
import { factsOf, nameTrunks } from '../calls/facts-of.ts'
import type { PolicyContext } from '../context.ts'
import {
  type Authentication,
  authenticate,
  type DigestProof,
  offersCredentials,
  type TrunkProof,
} from '../digest/authenticate.ts'
import { challenge, offeredAlgorithms } from '../digest/challenge.ts'
import { type NonceUse, useNonce } from '../digest/use-nonce.ts'
import { refusal } from '../errors.ts'
import { refuseAgent } from '../fraud/agents.ts'
import { featureCodeOf, runFeatureCode } from '../groups/feature-code.ts'
import { readGroups } from '../groups/group-facts.ts'
import { judgeToken, offersBearer, type TokenError, tokenIn } from '../jwt/judge-token.ts'
import { unlessBlocked } from '../routing/blocked.ts'
import { decideEmergency, emergencyOf } from '../routing/emergency.ts'
import { numberVerdict, planAt, routesNumbers } from '../routing/number-call.ts'
import { withRoutingEdits } from '../routing/routing-edits.ts'
import type { PolicyState } from '../state.ts'
import type { Failure } from '../store-health.ts'
import { decideRegister } from './decide-register.ts'
import { asksForRegistrations, decideWatch, endsHere } from './decide-watch.ts'
import { forwardedLegs, NO_LEGS } from './forwarded-legs.ts'
import { identityEdits, maySay, TRUSTED_EDITS, UNPROVEN_EDITS } from './identity.ts'
import { askingDomain, believesStranger, isRegistrars, type Judgement, judge } from './judgement.ts'
import type { Proven } from './proven.ts'
import { speakerOf } from './speaker.ts'
import { withoutUnpaid } from './unpaid-legs.ts'
import { paramOf, splitUri, type UriParts } from './uri-parts.ts'
import { callerOf, NOBODY, type PlanAdditions, reject, toResponse } from './verdicts.ts'

type Decision = Result<policy.DecideResponse>
type EventualDecision = Decision | Promise<Decision>

const { REMOVE } = policy.HeaderEdit_Operation

const BAD_URI = done(reject('bad_uri'))
const UNSUPPORTED_SCHEME = done(reject('unsupported_scheme'))
const RELAY_REFUSED = done(reject('relay_refused'))
const INSECURE_TOKEN = done(reject('insecure_transport'))
const BANNED = done(reject('banned'))
const NOT_DECIDED = done(reject('not_decided'))
const NO_ALGORITHMS: readonly DigestAlgorithm[] = []
const NO_KEY = refusal('bad_request')

/** Nobody of the domain is asked who he is, and no call leaves a record: the answer is there already. */
function openAnswer(state: PolicyState, request: policy.DecideRequest, { host, user, params }: UriParts) {
  const domain = host === '' ? undefined : findDomain(state.index, host)
  const { method } = request
  if (domain === undefined || method === 'REGISTER' || (domain.accounting && method === 'INVITE')) return undefined
  if (asksForRegistrations(request) || (params !== '' && namesAnother(params))) return undefined
  const entry = domain.users.get(user)
  return entry && state.openPlans.get(entry)
}

/** A parameter that makes the Request-URI another target than its user. */
const namesAnother = (params: string): boolean =>
  paramOf(params, 'gr') !== undefined || paramOf(params, 'maddr') !== undefined

/** A Request-URI that nobody can read, or of a scheme that nobody here routes. */
function refuseAtOnce({ scheme, host, telephone }: UriParts): Done<policy.DecideResponse> | undefined {
  if (scheme === '') return BAD_URI
  // [RFC3261-16.3.2] [RFC3261-8.2.2.1c]
  return host === '' && telephone === '' ? UNSUPPORTED_SCHEME : undefined
}

/** Calls of the domain leave records. */
function isAccounted({ method }: policy.DecideRequest, domain: DomainSettings | undefined): boolean {
  return method === 'INVITE' && domain !== undefined && domain.accounting
}

/** Algorithms of digest; none where the domain takes tokens alone. */
const algorithmsOf = (context: PolicyContext, domain: DomainSettings) =>
  domain.schemes.includes('digest') ? offeredAlgorithms(domain, context.challengeOrder) : NO_ALGORITHMS

interface Asked {
  readonly stale: boolean
  /** What was wrong with a token that came, '' where none did. */
  readonly tokenError?: TokenError | ''
  /** With a nonce for this node alone; absent: where the store is away. */
  readonly oneTime?: boolean
}

function ask(judgement: Judgement, domain: DomainSettings, { stale, tokenError = '', oneTime }: Asked): Decision {
  const { context, request } = judgement
  const algorithms = algorithmsOf(context, domain)
  const bearer = offersBearer(domain, request.source)
  if (algorithms.length === 0 && !bearer) return INSECURE_TOKEN
  const isOneTime = oneTime ?? (context.health.away && context.settings.replayWithoutStore === 'oneTime')
  if (isOneTime) context.counts.oneTimeNonces++
  const source = context.bans.sourceOf(request.source)
  const proxy = !endsHere(judgement)
  return done(
    challenge(context.nonces, domain, { algorithms, bearer, proxy, stale, tokenError, source, oneTime: isOneTime }),
  )
}

/** Credentials that have done their work. */
function removed({ proxy, value }: policy.Credentials): policy.HeaderEdit {
  return { operation: REMOVE, name: proxy ? 'Proxy-Authorization' : 'Authorization', value }
}

/** Identity headers, and the credentials of our realm, which go no further; those of others pass. [RFC3261-22.3d] */
function additionsFor(judgement: Judgement, proven: Proven | undefined, accounting: boolean): PlanAdditions {
  const { state, request, from, domain, trusted } = judgement
  if (proven !== undefined) {
    const { user, used } = proven
    const wishes = { from, preferred: request.preferredIdentities, privacy: request.privacy }
    const edits = identityEdits(state.index, user, wishes)
    if (used !== undefined) edits.push(removed(used))
    return { edits, accounting, sourceTrusted: user.domain.identity === 'off' }
  }
  const off = domain?.identity === 'off'
  const sourceTrusted = trusted || believesStranger(judgement) || off
  const edits = trusted || believesStranger(judgement) ? TRUSTED_EDITS : off ? [] : UNPROVEN_EDITS
  const { trunkLogin } = judgement
  return { edits: trunkLogin === undefined ? edits : [...edits, removed(trunkLogin)], accounting, sourceTrusted }
}

/** [RFC5627-6.1a] undefined: the Request-URI is no GRUU. */
function gruuVerdict({ context, uri, domain }: Judgement): PlanVerdict | undefined {
  const gr = paramOf(uri.params, 'gr')
  if (gr === undefined || domain === undefined) return undefined
  const gruu = parseGruu(context.gruuKeys, uri.user, domain.name, gr)
  const user = gruu && findUser(domain, splitUri(gruu.aor).user)
  return planInstance(user, gruu)
}

/** @param sender the authenticated user: nobody else's request leaves the cluster */
export function verdictFor(judgement: Judgement, sender: UserEntry | undefined): PlanVerdict {
  const { state, request, uri, domain, maddr } = judgement
  if (judgement.away && sender !== undefined) {
    return planRelay({ uri: request.requestUri, host: uri.host, maddr }, sender.domain, state.index)
  }
  if (uri.telephone !== '') return orNumber(judgement, planNumber(judgement.number?.number ?? '', domain), sender)
  const { method } = request
  const verdict = gruuVerdict(judgement) ?? plan({ method, user: uri.user, host: uri.host }, state.index)
  return orNumber(judgement, verdict, sender)
}

/** What nobody of the domain has may be a number; what depends on the call is asked. */
function orNumber(judgement: Judgement, verdict: PlanVerdict, sender: UserEntry | undefined): PlanVerdict {
  if (verdict.later !== undefined) return planned(verdict, planAt(judgement, sender, ''))
  if (verdict.code !== 'unknown_user' && verdict.code !== 'unknown_number') return verdict
  return routesNumbers(judgement.state.index) ? numberVerdict(judgement, verdict, sender) : verdict
}

/** The plan, and for an INVITE with accounting its record. */
function planFor(judgement: Judgement, proven: Proven | undefined, accounting: boolean): EventualDecision {
  const { context, request } = judgement
  const speaker = accounting || judgement.trusted || proven ? speakerOf(judgement, proven?.user) : undefined
  const planned = unlessBlocked(judgement, verdictFor(judgement, proven?.user), speaker ?? proven?.user)
  const { wants } = judgement
  if (wants !== undefined) {
    return readGroups(context, wants).then((groups) =>
      planFor({ ...judgement, wants: undefined, groups }, proven, accounting),
    )
  }
  const isMetered = accounting && judgement.state.metersAccounts
  const { index } = judgement.state
  const verdict = isMetered ? withoutUnpaid(planned, index.accounts) : planned
  if (verdict !== planned) context.counts.unpaidLegs++
  if (judgement.away && verdict.kind === 'plan') context.counts.relays++
  const caller = speaker === undefined ? NOBODY : callerOf(speaker)
  const additions = withRoutingEdits(judgement, proven, additionsFor(judgement, proven, accounting))
  const maxDurationS = accounting ? ((proven?.user.domain ?? judgement.domain)?.maxDurationS ?? 0) : 0
  const response = toResponse(verdict, caller, maxDurationS === 0 ? additions : { ...additions, maxDurationS })
  // Strangers can't fill the records with calls to nobody: what is rejected leaves one only for a caller who is known.
  const isKnown = proven !== undefined || judgement.trunk !== undefined
  const recorded = accounting && (verdict.kind === 'plan' || (verdict.kind === 'reject' && isKnown))
  if (!recorded) return done(response)
  nameTrunks(judgement, response)
  const facts = factsOf(judgement, proven, speaker, verdict)
  const legs = isMetered ? forwardedLegs(index, verdict, response) : NO_LEGS
  return accountCall(context, request, { ...response, facts }, { judgement, proven, speaker, askAgain, legs })
}

/** For rules against fraud: a caller who was known otherwise shows his credentials. */
const askAgain = (judgement: Judgement, domain: DomainSettings, stale: boolean): EventualDecision =>
  stale ? ask(judgement, domain, { stale: true }) : decideAsking(judgement, domain)

function decideProven(judgement: Judgement, proven: Proven): EventualDecision {
  const { state, request, from, context } = judgement
  const { user } = proven
  if (isRegistrars(judgement)) return done(decideRegister(state, request, user))
  const accounting = isAccounted(request, user.domain)
  if (maySay(state.index, from, user)) {
    if (asksForRegistrations(request) && !judgement.away) return done(decideWatch(judgement, user))
    const code = featureCodeOf(judgement, user)
    if (code !== undefined) return runFeatureCode(context, user, code)
    return planFor(judgement, proven, accounting)
  }
  const response = reject('not_your_identity', callerOf(user))
  if (!accounting) return done(response)
  return accountCall(context, request, { ...response, facts: factsOf(judgement, proven, user) })
}

/** Calls of his account have a price even within the cluster. [DESIGN-3.8] */
function costsMoney({ state, request }: Judgement, { user }: Proven): boolean {
  return request.method === 'INVITE' && state.index.accounts.get(user.account)?.ratePlan?.ratesOnNet === true
}

/** Some target is a trunk: the call may cost money. */
const leavesByTrunk = ({ steps }: PlanVerdict): boolean =>
  steps.some(({ targets }) => targets.some(({ trunkLeg }) => trunkLeg !== undefined))

/**
 * The store can't say whether the nonce is used up. With one-time nonces it need not: one is given out. Else the check is left out, but
 * not for REGISTER and for what leaves the cluster, which may cost money.
 */
function withoutStore(
  judgement: Judgement,
  asking: DomainSettings,
  proven: Proven,
  failure: Failure,
): EventualDecision {
  const { context, request, state, from } = judgement
  if (context.settings.replayWithoutStore === 'oneTime') return ask(judgement, asking, { stale: true, oneTime: true })
  const closed =
    costsMoney(judgement, proven) || isRegistrars(judgement) || asksForRegistrations(request) || judgement.away
  if (closed || leavesByTrunk(verdictFor(judgement, proven.user))) return context.health.toResult(failure)
  if (!maySay(state.index, from, proven.user)) return done(reject('not_your_identity', callerOf(proven.user)))
  context.counts.admittedWithoutStore++
  return planFor(judgement, proven, false)
}

function afterNonce(
  judgement: Judgement,
  asking: DomainSettings,
  proven: DigestProof,
  use: NonceUse,
): EventualDecision {
  const { counts, bans } = judgement.context
  if (use === 'fresh') {
    counts.authenticated++
    bans.succeeded(bans.sourceOf(judgement.request.source), banUserOf(proven.username, asking.realm))
    return decideProven(judgement, proven)
  }
  if (use !== 'replay') return withoutStore(judgement, asking, proven, use)
  counts.replayedNonces++
  return ask(judgement, asking, { stale: true })
}

/**
 * [RFC3261-22.2] A trunk that shows its login may send calls from wherever it sends. It is nobody of ours: it registers nobody, and
 * nothing leaves the cluster for it but by Routes that name it.
 */
function decideTrunk(judgement: Judgement, { trunk, used }: TrunkProof): EventualDecision {
  if (judgement.request.method === 'REGISTER') return done(reject('not_your_identity'))
  const trusted = judgement.trusted || trunk.trusted
  return decideUnasked({ ...judgement, trunk: { ...trunk, inbound: true }, trusted, trunkLogin: used })
}

function afterTrunkNonce(
  judgement: Judgement,
  asking: DomainSettings,
  proof: TrunkProof,
  use: NonceUse,
): EventualDecision {
  const { counts, bans, settings, health } = judgement.context
  if (use === 'fresh') {
    counts.authenticated++
    bans.succeeded(bans.sourceOf(judgement.request.source), banUserOf(proof.username, asking.realm))
    return decideTrunk(judgement, proof)
  }
  if (use === 'replay') {
    counts.replayedNonces++
    return ask(judgement, asking, { stale: true })
  }
  if (settings.replayWithoutStore === 'oneTime') return ask(judgement, asking, { stale: true, oneTime: true })
  return health.toResult(use)
}

/** A token is judged elsewhere and later; nobody else waits. [RFC8898-2.2] [RFC8898-2.3] */
async function decideBearer(
  judgement: Judgement,
  asking: DomainSettings,
  token: policy.Credentials,
): Promise<Decision> {
  const { context, state } = judgement
  const result = await judgeToken(context, state.index, asking, token)
  if (result.outcome === 'proven') {
    context.counts.bearerCallers++
    return decideProven(judgement, result)
  }
  context.counts.badTokens++
  if (result.isForged === true) context.bans.forgedToken(forgeryOf(judgement, asking, token))
  return ask(judgement, asking, { stale: false, tokenError: result.outcome })
}

function decideAsking(judgement: Judgement, asking: DomainSettings): EventualDecision {
  const { context, state, request, uri } = judgement
  const { method, credentials } = request
  const token = asking.bearer && tokenIn(request, asking)
  const source = context.bans.sourceOf(request.source)
  // The edge drops what comes from there once it knows; here a guess is not looked at any more.
  const isBanned = context.bans.isSourceBanned(source)
  if (isBanned && (token !== undefined || offersCredentials(credentials, asking))) return refuseBanned(context)
  if (token !== undefined) return decideBearer(judgement, asking, token)
  const algorithms = algorithmsOf(context, asking)
  const proxy = !endsHere(judgement)
  const scope = {
    index: state.index,
    credentials: state.credentials,
    nonces: context.nonces,
    maxCredentials: context.tuning.maxCredentials,
    source,
    isBarred: context.bans.barrier(source, asking.realm),
  }
  const result = authenticate(scope, asking, algorithms, { method, uri, proxy, credentials })
  if (result.outcome === 'proven' || result.outcome === 'trunk') {
    const user = banUserOf(result.username, asking.realm)
    const use = useNonce(context, result, request, { user, source })
    const next = (known: NonceUse) =>
      result.outcome === 'trunk'
        ? afterTrunkNonce(judgement, asking, result, known)
        : afterNonce(judgement, asking, result, known)
    return use instanceof Promise ? use.then(next) : next(use)
  }
  countFailure(context, result.outcome)
  if (result.outcome === 'barred') return decideBarred(judgement, asking, result)
  if (result.outcome === 'guessed') context.bans.failed(failureOf(judgement, asking, result))
  if (result.outcome === 'otherUri') return done(reject('digest_uri_mismatch'))
  return ask(judgement, asking, { stale: result.outcome === 'stale' || result.outcome === 'forged' }) // [RFC7616-3.3]
}

/** Nobody else's address is in a connection: over UDP a forged token says nothing of where it came from. */
function forgeryOf({ context, request }: Judgement, { realm }: DomainSettings, { value }: policy.Credentials) {
  const source = request.source?.transport === 'udp' ? '' : context.bans.sourceOf(request.source)
  return { source, user: banUserOf('token', realm), attempt: `${request.transactionKey}|${value.slice(-32)}` }
}

type Guess = Extract<Authentication, { outcome: 'guessed' | 'barred' }>

function failureOf({ context, request }: Judgement, { realm }: DomainSettings, { username, response }: Guess) {
  const source = context.bans.sourceOf(request.source)
  return { source, user: banUserOf(username, realm), attempt: `${request.transactionKey}|${response}` }
}

/** A user who is banned from there, or from everywhere but where he proved himself lately. */
async function decideBarred(judgement: Judgement, asking: DomainSettings, guess: Guess): Promise<Decision> {
  const { bans } = judgement.context
  const failure = failureOf(judgement, asking, guess)
  if (await bans.isSpared(failure.source, failure.user)) return decideAsking(judgement, asking)
  bans.triedOn(failure)
  return refuseBanned(judgement.context)
}

function refuseBanned({ counts }: PolicyContext): Decision {
  counts.refusedBanned++
  return BANNED
}

function countFailure(
  { counts }: PolicyContext,
  outcome: Exclude<Authentication['outcome'], 'proven' | 'trunk'>,
): void {
  if (outcome === 'guessed' || outcome === 'wrong' || outcome === 'otherUri') counts.badCredentials++
  if (outcome === 'forged') counts.forgedNonces++
  if (outcome === 'stale') counts.staleNonces++
}

/** Known by address or certificate: nothing is asked, and credentials are not looked at. */
function decideKnown(judgement: Judgement, known: Proven): EventualDecision {
  const { counts } = judgement.context
  if (known.method === 'acl') counts.aclCallers++
  else counts.certificateCallers++
  return decideProven(judgement, known)
}

/** Nobody is asked who he is. */
function decideUnasked(judgement: Judgement): EventualDecision {
  const { context, state, request, domain, trunk } = judgement
  if (judgement.away) return RELAY_REFUSED
  if (request.method === 'REGISTER') return done(decideRegister(state, request, undefined))
  if (judgement.trusted) context.counts.trusted++
  else if (trunk !== undefined) context.counts.trunkCallers++
  if (asksForRegistrations(request)) return done(decideWatch(judgement, speakerOf(judgement, undefined)))
  return planFor(judgement, undefined, isAccounted(request, domain))
}

/** OPTIONS for the cluster itself is answered to anybody. [RFC3261-11.1] */
const asksAboutUs = ({ uri, request, away }: Judgement): boolean =>
  request.method === 'OPTIONS' && uri.user === '' && uri.host !== '' && !away

export function decide(context: PolicyContext, request: policy.DecideRequest): EventualDecision {
  const { state } = context
  const { method } = request
  const uri = splitUri(request.requestUri)
  const stopped = state.fraud.agents.length === 0 ? undefined : refuseAgent(context, request)
  if (stopped !== undefined) return stopped
  if (!state.index.anyAuthenticated) {
    const open = openAnswer(state, request, uri)
    if (open !== undefined) return open
  }
  // [RFC3261-22.1f] [RFC3261-22.1g] ACK and CANCEL can't be challenged; they never come here from an edge that keeps to
  // the design.
  if (method === 'ACK' || method === 'CANCEL') return NOT_DECIDED
  const refused = refuseAtOnce(uri)
  if (refused !== undefined) return refused
  if (request.transactionKey === '') return NO_KEY
  const judgement = judge(context, state, request, uri)
  if (asksAboutUs(judgement)) return planFor(judgement, undefined, false)
  const emergency = emergencyOf(judgement)
  if (emergency !== undefined) return decideEmergency(judgement, emergency)
  if (judgement.known !== undefined) return decideKnown(judgement, judgement.known)
  const asking = askingDomain(judgement)
  return asking === undefined ? decideUnasked(judgement) : decideAsking(judgement, asking)
}
