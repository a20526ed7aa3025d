// SPDX-License-Identifier: MIT
// Hunt groups in memory. Bounds: groups, and what is kept of each.
import {
  GROUP_KEEP_MS,
  type GroupMemberState,
  type GroupStore,
  type GroupView,
  isGroup,
  isMember,
  MAX_GROUP_FIELDS,
} from '../group-store.ts'
import { notStored, type Stored, stored } from '../result.ts'
import { full, type MemoryContext } from './context.ts'

interface Group {
  turn: number
  readonly ins: Map<string, number>
  readonly idle: Map<string, number>
  touchedMs: number
}

const INVALID = notStored('invalid', 'a hunt group or member that can not be kept')

export class MemoryGroups implements GroupStore {
  readonly #context: MemoryContext
  readonly #groups = new Map<string, Group>()

  constructor(context: MemoryContext) {
    this.#context = context
  }

  lookAt(name: string, takesTurn: boolean): Stored<GroupView> {
    if (!isGroup(name)) return INVALID
    const group = takesTurn ? this.#touch(name) : this.#groups.get(name)
    if (group === undefined && takesTurn) return this.#full()
    const turn = group?.turn ?? 0
    if (takesTurn && group !== undefined) group.turn++
    return stored({ turn, members: membersOf(group?.ins ?? new Map(), group?.idle ?? new Map()) })
  }

  setLogin(name: string, member: string, isIn: boolean): Stored<boolean> {
    if (!isGroup(name) || !isMember(member)) return INVALID
    if (!isIn) return stored(this.#groups.get(name)?.ins.delete(member) ?? false)
    const group = this.#touch(name)
    if (group === undefined) return this.#full()
    if (group.ins.has(member)) return stored(false)
    if (group.ins.size >= MAX_GROUP_FIELDS) return full('logins of a group', MAX_GROUP_FIELDS)
    group.ins.set(member, this.#now())
    return stored(true)
  }

  noteCallEnd(name: string, member: string): Stored<void> {
    if (!isGroup(name) || !isMember(member)) return INVALID
    const group = this.#touch(name)
    if (group === undefined) return this.#full()
    if (group.idle.size >= MAX_GROUP_FIELDS && !group.idle.has(member)) group.idle.clear()
    group.idle.set(member, this.#now())
    return stored(undefined)
  }

  counts(): Record<string, number> {
    return { huntGroupsCount: this.#groups.size }
  }

  tick(): void {
    const oldest = this.#now() - GROUP_KEEP_MS
    for (const [name, { touchedMs }] of this.#groups) if (touchedMs <= oldest) this.#groups.delete(name)
  }

  #full(): Stored<never> {
    return full('hunt groups', this.#context.limits.maxGroups)
  }

  /** undefined: there is no room for one more. */
  #touch(name: string): Group | undefined {
    const known = this.#groups.get(name)
    if (known === undefined && this.#groups.size >= this.#context.limits.maxGroups) return undefined
    const group = known ?? { turn: 0, ins: new Map(), idle: new Map(), touchedMs: 0 }
    group.touchedMs = this.#now()
    this.#groups.set(name, group)
    return group
  }

  #now(): number {
    return Math.floor(this.#context.now())
  }
}

function membersOf(ins: ReadonlyMap<string, number>, idle: ReadonlyMap<string, number>): GroupMemberState[] {
  const names = [...new Set([...ins.keys(), ...idle.keys()])].sort()
  return names.map((member) => ({ member, inMs: ins.get(member), idleMs: idle.get(member) }))
}
