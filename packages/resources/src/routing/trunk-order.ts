// SPDX-License-Identifier: MIT
//
// In which order the trunks of a group, and the hosts of a trunk, are tried. Lots are drawn from one number that belongs to the
// call, so that whoever plans it again plans the same.
import type { OutCall, RoutingFacts } from './routed.ts'
import type { OutHost, OutTrunk } from './trunk-entry.ts'

export interface GroupMember {
  readonly trunk: OutTrunk
  readonly priority: number
  readonly weight: number
}

export interface OutGroup {
  readonly name: string
  readonly key: string
  readonly order: 'priority' | 'weight' | 'leastCost' | 'quality' | 'roundRobin'
  readonly maxAttempts: number
  readonly neverAtALoss: boolean
  /** By priority, then as written. */
  readonly members: readonly GroupMember[]
}

/** The next number of a series that begins with a draw. */
function nextDraw(draw: number): number {
  let bits = Math.imul(Math.floor(draw * 4_294_967_296) ^ 0x9e3779b9, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return ((bits ^ (bits >>> 16)) >>> 0) / 4_294_967_296
}

/** All of `items`, drawn one after another by weight; those without weight last, as they stand. [RFC2782] */
export function byLot<T extends { readonly weight: number }>(items: readonly T[], first: number): T[] {
  const left = items.filter(({ weight }) => weight > 0)
  let total = left.reduce((sum, { weight }) => sum + weight, 0)
  let draw = first
  const drawn: T[] = []
  while (left.length > 1) {
    let at = 0
    for (let rest = draw * total; at < left.length - 1; at++) {
      rest -= (left[at] as T).weight
      if (rest < 0) break
    }
    const [one] = left.splice(at, 1) as [T]
    drawn.push(one)
    total -= one.weight
    draw = nextDraw(draw)
  }
  return [...drawn, ...left, ...items.filter(({ weight }) => weight <= 0)]
}

function* groupsOf<T extends { readonly priority: number }>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; ) {
    const { priority } = items[from] as T
    let to = from + 1
    while (to < items.length && items[to]?.priority === priority) to++
    yield from === 0 && to === items.length ? items : items.slice(from, to)
    from = to
  }
}

/** [RFC3263-4.2] in kind: the lowest priority first, within one by weight. */
export function orderedHosts(hosts: readonly OutHost[], draw: number): readonly OutHost[] {
  if (hosts.length === 1) return hosts
  const ordered: OutHost[] = []
  for (const group of groupsOf(hosts)) ordered.push(...(group.length === 1 ? group : byLot(group, draw)))
  return ordered
}

/** Price of a minute; undefined where nothing says. */
export function costOf({ buyPlan }: OutTrunk, { number, nowMs }: OutCall): bigint | undefined {
  return buyPlan?.find(number, nowMs)?.rate.perMinute
}

const NO_PRICE = 1n << 62n

function byCost(members: readonly GroupMember[], call: OutCall): GroupMember[] {
  const priced = members.map((member) => ({ member, cost: costOf(member.trunk, call) ?? NO_PRICE }))
  return priced.sort((a, b) => (a.cost < b.cost ? -1 : a.cost > b.cost ? 1 : 0)).map(({ member }) => member)
}

/** Who has not had calls enough to tell comes first, until he has. */
function byQuality(members: readonly GroupMember[], facts: RoutingFacts): GroupMember[] {
  const judged = members.map((member) => {
    const { asr = 1, pddMs = 0 } = facts.trunk(member.trunk.name) ?? {}
    return { member, asr: Math.round(asr * 50), pddMs }
  })
  return judged.sort((a, b) => b.asr - a.asr || a.pddMs - b.pddMs).map(({ member }) => member)
}

function byTurn(members: readonly GroupMember[], turn: number): GroupMember[] {
  const at = turn % members.length
  return [...members.slice(at), ...members.slice(0, at)]
}

export const turnKey = (group: OutGroup): string => group.key

function orderedWithin(members: readonly GroupMember[], group: OutGroup, call: OutCall, facts: RoutingFacts) {
  switch (group.order) {
    case 'weight':
      return byLot(members, call.draw)
    case 'leastCost':
      return byCost(members, call)
    case 'quality':
      return byQuality(members, facts)
    case 'roundRobin':
      return byTurn(members, facts.turn(turnKey(group)) ?? Math.floor(call.draw * members.length))
    default:
      return members
  }
}

/** All trunks of the group. */
export function orderedTrunks(group: OutGroup, call: OutCall, facts: RoutingFacts): readonly GroupMember[] {
  if (group.members.length === 1 || group.order === 'priority') return group.members
  const ordered: GroupMember[] = []
  for (const one of groupsOf(group.members)) {
    ordered.push(...(one.length === 1 ? one : orderedWithin(one, group, call, facts)))
  }
  return ordered
}
