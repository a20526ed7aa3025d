// SPDX-License-Identifier: MIT
//
// The plan of a HuntGroup: its members in the order of its strategy, as steps; round after round; then the overflow. A member that is a
// group of its own rings as that one says where members take turns, and with all its members where all ring at once.
// Race: turns are counted for each call when it is planned, so that two calls at once take different ones.
import type { DomainSettings } from '../domain-entry.ts'
import type { HuntGroup, HuntGroupMember } from '../hunt-group.ts'
import {
  aorTarget,
  NO_REASONS,
  type PlanReason,
  type PlanStep,
  type PlanTarget,
  type PlanVerdict,
  planOfCall,
  stepOf,
  verdictOf,
} from '../plan-verdict.ts'
import type { GroupState, PlanAt } from '../planner/plan-at.ts'
import { deeper, inTurn, MAX_STEPS } from './compose.ts'
import { type FlowSource, goTo } from './destinations.ts'
import { atRandom, byTurn, byWeight } from './member-order.ts'
import { dynamic, withOverflow } from './user-plans.ts'

type Spec = HuntGroup['spec']

/** A member as it is rung. */
interface Ringing {
  /** Of a subscriber of the domain; '' for others. */
  readonly aor: string
  readonly weight: number
  readonly steps: readonly PlanStep[]
}

/** Members and steps are of the wire: 1,000 targets in a plan. */
const MAX_TARGETS = 1_000

/**
 * Members ring because their group was called, whatever state they are in. Of the reasons of RFC 5806 that is
 * `unconditional`: the others name a state of the one who was called, or, as `follow-me`, another place of the same one.
 */
const REASON = 'unconditional'

export interface GroupOf {
  readonly source: FlowSource
  readonly spec: Spec
  readonly domain: DomainSettings
  /** Address-of-record of a Subscriber of the same domain. */
  readonly aorOf: (name: string) => string | undefined
}

/** Address-of-record of a member that is a Subscriber of the same domain. */
export function memberAor(member: HuntGroupMember, aorOf: GroupOf['aorOf']): string | undefined {
  const name = subscriberOf(member)
  return name === undefined ? undefined : aorOf(name)
}

const subscriberOf = (member: HuntGroupMember): string | undefined => {
  if (typeof member === 'string') return member
  const { subscriber } = member.to
  return subscriber?.includes('@') === false ? subscriber : undefined
}

function ownTarget({ source, domain, aorOf }: GroupOf, member: HuntGroupMember): PlanTarget | undefined {
  const aor = memberAor(member, aorOf)
  return aor === undefined
    ? undefined
    : aorTarget(aor, domain.trustsPhones, Object.freeze({ from: source.aor, reason: REASON }))
}

const ringOf = ({ spec, domain }: GroupOf, member: HuntGroupMember): number =>
  (typeof member === 'string' ? undefined : member.ringMs) ?? spec.ringMs ?? domain.ringMs

const weightOf = (member: HuntGroupMember): number => (typeof member === 'string' ? 1 : member.weight)

/** Who is in it and how it rings is known beforehand: members are subscribers of the domain. */
function staticMembers(group: GroupOf): readonly Ringing[] | undefined {
  const members: Ringing[] = []
  for (const member of group.spec.members) {
    const target = ownTarget(group, member)
    if (target === undefined) return undefined
    const steps = [stepOf([target], ringOf(group, member), 'parallel')]
    members.push({ aor: target.aor ?? '', weight: weightOf(member), steps })
  }
  return members
}

function ringing(at: PlanAt, group: GroupOf, member: HuntGroupMember, reasons: PlanReason[]): Ringing {
  const ringMs = ringOf(group, member)
  const weight = weightOf(member)
  const target = ownTarget(group, member)
  if (target !== undefined) return { aor: target.aor ?? '', weight, steps: [stepOf([target], ringMs, 'parallel')] }
  if (typeof member === 'string') return { aor: '', weight, steps: [] }
  // Members ring whatever forwardings they have: of another domain's too.
  const found = goTo({ ...at, method: 'MEMBER' }, member.to, group.source, 'rings a member', REASON)
  if (at.facts.silent !== true) reasons.push(...deeper(found.reasons))
  if (found.kind !== 'plan') return { aor: '', weight, steps: [] }
  const steps = found.steps.map((step) => (step.ringMs === 0 ? { ...step, ringMs } : step))
  return { aor: '', weight, steps }
}

const reachable = (at: PlanAt, group: GroupOf, reasons: PlanReason[]): readonly Ringing[] =>
  group.spec.members.map((member) => ringing(at, group, member, reasons)).filter(({ steps }) => steps.length > 0)

/** Everybody who would ring for these, at once. */
function together(members: readonly Ringing[], ringMs: number): readonly PlanStep[] {
  const targets = members.flatMap(({ steps }) => steps.flatMap((step) => step.targets)).slice(0, MAX_TARGETS)
  return targets.length === 0 ? [] : [stepOf(targets, ringMs, 'parallel')]
}

/** Each wave rings with those before it. Where a member is several targets, those are called anew with each wave. */
function waves({ spec, domain }: GroupOf, members: readonly Ringing[]): readonly PlanStep[] {
  const { waveSize = members.length, ringMs = domain.ringMs } = spec
  const all = together(members, ringMs)
  if (all[0]?.targets.length === members.length) return [Object.freeze({ ...all[0], waveSize })]
  const parts: (readonly PlanStep[])[] = []
  for (let to = waveSize; ; to += waveSize) {
    parts.push(anew(together(members.slice(0, to), ringMs), parts.length))
    if (to >= members.length) return inTurn(parts)
  }
}

/** What of it must be known before it can be planned. */
const isLive = ({ strategy, login }: Spec): boolean =>
  login || strategy === 'round-robin' || strategy === 'longest-idle'

/** Those without a call first, then by the end of the last one; of the same the order as written. */
function byIdleTime(members: readonly Ringing[], state: GroupState | undefined): readonly Ringing[] {
  const since = ({ aor }: Ringing): number => state?.idleSince.get(aor) ?? 0
  return members.toSorted((a, b) => since(a) - since(b))
}

/** Members that are no subscribers have nothing to log in with: they are always there. */
const present = (members: readonly Ringing[], { login }: Spec, state: GroupState | undefined): readonly Ringing[] =>
  login && state !== undefined ? members.filter(({ aor }) => aor === '' || state.loggedIn.has(aor)) : members

function ordered(
  { call: { draw } }: PlanAt,
  { spec }: GroupOf,
  members: readonly Ringing[],
  state: GroupState | undefined,
): readonly Ringing[] {
  switch (spec.strategy) {
    case 'round-robin':
      return byTurn(members, state?.turn ?? Math.floor(draw * members.length))
    case 'longest-idle':
      return byIdleTime(members, state)
    case 'random':
      return atRandom(members, draw)
    case 'weighted':
      return byWeight(members, draw)
    default:
      return members
  }
}

/** One round. */
function roundOf(group: GroupOf, members: readonly Ringing[]): readonly PlanStep[] {
  const { spec, domain } = group
  if (spec.strategy === 'ring-all') return together(members, spec.ringMs ?? domain.ringMs)
  if (spec.strategy === 'waves') return waves(group, members)
  return inTurn(members.map(({ steps }) => steps))
}

/** What was called in earlier rounds is called again. */
function anew(steps: readonly PlanStep[], round: number): readonly PlanStep[] {
  return round === 0 ? steps : steps.map((step, k) => (k === 0 ? Object.freeze({ ...step, again: true }) : step))
}

function allRounds(group: GroupOf, members: readonly Ringing[]): readonly PlanStep[] {
  const round = roundOf(group, members)
  const { rounds } = group.spec
  if (rounds === 1 || round.length === 0) return round
  const count = Math.min(rounds, Math.max(1, Math.floor(MAX_STEPS / round.length)))
  return inTurn(Array.from({ length: count }, (_, k) => anew(round, k)))
}

const TEXTS = {
  'ring-all': 'at once',
  sequential: 'one after another',
  'round-robin': 'one after another, by turn',
  random: 'one after another, at random',
  weighted: 'one after another, by weight',
  'longest-idle': 'one after another, the longest idle first',
  waves: 'in waves',
} as const satisfies Record<Spec['strategy'], string>

function textOf({ strategy, login, members: { length }, rounds }: Spec, ringing = length): string {
  const who = login ? `${ringing} of ${length} members, who are logged in,` : `all ${length} members`
  return `rings ${who} ${TEXTS[strategy]}${rounds === 1 ? '' : `, ${rounds} times`}`
}

const NOBODY = { kind: 'reject', status: 480, code: 'nobody_to_ring' } as const

function planOf(
  group: GroupOf,
  steps: readonly PlanStep[],
  reasons: readonly PlanReason[],
  ringing?: number,
): PlanVerdict {
  const { source, spec, domain } = group
  const parts =
    steps.length === 0 ? NOBODY : ({ kind: 'plan', steps: Object.freeze(steps), mode: domain.mode } as const)
  const verdict = verdictOf(parts, source.key, textOf(spec, ringing))
  return reasons.length === 0 ? verdict : { ...verdict, reasons: [...verdict.reasons, ...reasons] }
}

/** Built once where nothing depends on the call. */
export function huntGroupPlan(group: GroupOf): PlanVerdict {
  const { spec, source, domain } = group
  const known = staticMembers(group)
  if (domain.redirects && known !== undefined) {
    const contacts = Object.freeze(
      known.flatMap(({ steps }) => steps.flatMap(({ targets }) => targets.map(({ aor }) => `<${aor}>`))),
    )
    return verdictOf(
      { kind: 'redirect', status: 300, contacts },
      source.key,
      `answers with its ${contacts.length} members`,
    )
  }
  const first = planOf(group, known === undefined ? [] : allRounds(group, known), [])
  const isFixed = spec.strategy === 'ring-all' || spec.strategy === 'sequential' || spec.strategy === 'waves'
  const isKnown = known !== undefined && isFixed && !isLive(spec)
  if (isKnown && spec.overflow === undefined) return first
  if (isKnown) return dynamic(first, (at) => withOverflow(at, first, spec.overflow, source))
  return dynamic(first, (at) => {
    const reasons: PlanReason[] = []
    const state = isLive(spec) ? at.facts.group(source.key, spec.strategy === 'round-robin') : undefined
    const members = present(known ?? reachable(at, group, reasons), spec, state)
    const steps = allRounds(group, ordered(at, group, members, state))
    const own = at.facts.silent === true && steps.length > 0 ? planOfCall(steps, domain.mode, NO_REASONS) : undefined
    return withOverflow(at, own ?? planOf(group, steps, reasons, members.length), spec.overflow, source)
  })
}
