// SPDX-License-Identifier: MIT
//
// A decision about a telephone number: which number is meant, who calls, what he shows, and the plan for it. Asked only where
// nobody of the domain has what was dialled.
import {
  NO_PLAN_FACTS,
  networkNumber,
  type OutCall,
  type OutCaller,
  ownsNumber,
  type PlanAt,
  type PlanFacts,
  type PlanVerdict,
  parsePhoneNumber,
  planToNumber,
  type ResourceIndex,
  readNumber,
  shownNumber,
  type UserEntry,
} from '@tandem/resources'
import type { PolicyContext } from '../context.ts'
import { isAnonymous } from '../decide/identity.ts'
import type { Judgement } from '../decide/judgement.ts'
import { addressOf, splitUri, type UriParts } from '../decide/uri-parts.ts'

const NOBODY: OutCaller = Object.freeze({ aor: '', domain: '', labels: {}, trunk: '', number: '' })

const NO_DIVERSIONS: readonly string[] = Object.freeze([])
const MAX_DIVERSIONS = 20

/** Anything that a number could lead to. */
export function routesNumbers({ routing }: ResourceIndex): boolean {
  return routing.numbers.size > 0 || routing.routes.size > 0 || routing.trunks.size > 0
}

/** 0 <= draw < 1, the same for the same transaction wherever it is planned. */
export function drawOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 13)) >>> 0) / 4_294_967_296
}

const numberIn = ({ telephone, user }: UriParts): string => parsePhoneNumber(telephone || user)?.number ?? ''

/** Trunk by which a call comes that its trunk may bring; '' for none. */
export function inboundTrunk({ trunk, known }: Pick<Judgement, 'trunk' | 'known'>): string {
  return trunk !== undefined && known === undefined && (trunk.inbound || trunk.trusted) ? trunk.name : ''
}

/** As the cluster has it: in E.164 where the caller's number plan, or the trunk's form, gives it. */
export function normalNumber(
  index: ResourceIndex,
  judgement: Judgement,
  dialled: string,
  sender: UserEntry | undefined,
) {
  const trunk = sender === undefined ? index.routing.trunks.get(inboundTrunk(judgement)) : undefined
  if (trunk !== undefined) return readNumber(dialled, trunk.numbersIn, trunk.numberPlan)
  return networkNumber((sender?.domain ?? judgement.own ?? judgement.domain)?.numberPlan, dialled)
}

export const dialledNumberOf = ({ number, uri }: Judgement): string => number?.number ?? numberIn(uri)

/** What he shows: what he prefers where it is his, else what stands in From, or what a trusted sender asserts. */
export function shownBy(index: ResourceIndex, judgement: Judgement, sender: UserEntry | undefined): string {
  const { request, from, trusted } = judgement
  const normal = (uri: UriParts) => normalNumber(index, judgement, numberIn(uri), sender)
  const wished = sender === undefined && trusted ? request.assertedIdentities : request.preferredIdentities
  for (const value of wished) {
    const number = normal(splitUri(addressOf(value)))
    if (number !== '' && (sender === undefined ? trusted : ownsNumber(index, sender, number))) return number
  }
  return isAnonymous(from) ? '' : normal(from)
}

function callerOf(index: ResourceIndex, judgement: Judgement, sender: UserEntry | undefined): OutCaller {
  if (sender === undefined) {
    const trunk = inboundTrunk(judgement)
    return trunk === '' ? NOBODY : { ...NOBODY, trunk }
  }
  const { aor, domain, subscriber } = sender
  return {
    aor,
    domain: domain.name,
    labels: subscriber?.metadata.labels ?? NOBODY.labels,
    trunk: '',
    number: shownNumber(index, sender),
  }
}

/** Turns that this node has given, by key: each node gives its own. As many as there are groups. */
const turns = new WeakMap<PolicyContext, Map<string, number>>()

/** @param peeks nobody takes a turn */
export function planFacts(context: PolicyContext, peeks = false, judgement?: Judgement): PlanFacts {
  return {
    ...NO_PLAN_FACTS,
    // Only who tries a call is told why.
    silent: !peeks,
    trunk: (name) => context.trunks.board.facts(name),
    group(key, takesTurn) {
      if (judgement === undefined || judgement.groups !== undefined) return judgement?.groups?.get(key)
      judgement.wants ??= new Map()
      judgement.wants.set(key, takesTurn && !peeks)
      return undefined
    },
    turn(key) {
      const given = turns.get(context) ?? new Map<string, number>()
      turns.set(context, given)
      const turn = given.get(key) ?? 0
      // A plan that waits for hunt groups is made once more: its turn is taken then.
      if (!peeks && judgement?.wants === undefined) given.set(key, (turn + 1) % Number.MAX_SAFE_INTEGER)
      return turn
    },
  }
}

function sellOf({ state }: Judgement, sender: UserEntry | undefined, number: string, unixMs: number) {
  const ratePlan = sender && state.index.accounts.get(sender.account)?.ratePlan
  const found = ratePlan?.find(number, unixMs)
  return ratePlan && found && { perMinute: found.rate.perMinute, currency: ratePlan.currency }
}

/** @param sender the authenticated user */
export function outCall(
  judgement: Judgement,
  sender: UserEntry | undefined,
  dialled: string,
  nowMs = judgement.context.now(),
): OutCall {
  const { state, request, from } = judgement
  const { index } = state
  const number = normalNumber(index, judgement, dialled, sender)
  const shown = shownBy(index, judgement, sender)
  return {
    number,
    dialled,
    caller: callerOf(index, judgement, sender),
    shown,
    ownsShown: sender !== undefined && ownsNumber(index, sender, shown),
    hides: isAnonymous(from) && request.privacy === '',
    nowMs,
    draw: drawOf(request.transactionKey),
    sellPerMinute: sellOf(judgement, sender, number, nowMs),
  }
}

/**
 * @param verdict of the planner where nobody of the domain has the name
 * @param sender the authenticated user: nobody else's call leaves the cluster, but a trunk's by a route for it
 */
export function numberVerdict(judgement: Judgement, verdict: PlanVerdict, sender: UserEntry | undefined): PlanVerdict {
  const { state, domain } = judgement
  const dialled = dialledNumberOf(judgement)
  if (dialled === '') return verdict
  const called = sender === undefined ? domain : (state.index.homes.get(sender.domain.name)?.entry ?? domain)
  return planToNumber(planAt(judgement, sender, dialled), called)
}

/** Who was called before, as far as those who forwarded it say. [RFC5806-4] [RFC7044-5] */
function divertedBefore({ request: { forwarded } }: Judgement): readonly string[] {
  if (forwarded === undefined) return NO_DIVERSIONS
  return [...forwarded.diversions, ...forwarded.history].slice(0, MAX_DIVERSIONS).flatMap((value) => {
    const { user, host } = splitUri(addressOf(value))
    return host === '' ? [] : [`sip:${user}@${host}`]
  })
}

/** For plans that depend on the call. @param dialled '' where a name was called */
export function planAt(judgement: Judgement, sender: UserEntry | undefined, dialled: string): PlanAt {
  const { context, state, trial } = judgement
  return {
    index: state.index,
    call: outCall(judgement, sender, dialled, trial?.nowMs),
    facts: planFacts(context, trial !== undefined, judgement),
    diverted: divertedBefore(judgement),
    depth: 0,
    method: judgement.request.method,
  }
}
