// SPDX-License-Identifier: MIT
//
// How hunt groups stand, for plans that depend on it: a plan notes which groups it wants, these are read, and the plan is made once more. One
// question to the store for each group, all at once; a group that can't be read is planned without (docs/resources.md, HuntGroup).
// Race: two calls at once get different turns, for the store gives each turn once. A decision that is asked for twice takes two turns, unless
// it is frozen with its call's record.
import type { GroupState } from '@tandem/resources'
import type { GroupView } from '@tandem/store'
import type { PolicyContext } from '../context.ts'

/** By key of the HuntGroup, whether the call takes a turn. */
export type GroupWants = ReadonlyMap<string, boolean>
/** undefined: it can't be read now. */
export type GroupStates = ReadonlyMap<string, GroupState | undefined>

/** A plan leads through at most 64 destinations. */
const MAX_GROUPS = 64

function stateOf({ turn, members }: GroupView): GroupState {
  const loggedIn = new Set<string>()
  const idleSince = new Map<string, number>()
  for (const { member, inMs, idleMs } of members) {
    if (inMs !== undefined) loggedIn.add(member)
    if (idleMs !== undefined) idleSince.set(member, idleMs)
  }
  return { turn, loggedIn, idleSince }
}

export async function readGroups(context: PolicyContext, wants: GroupWants): Promise<GroupStates> {
  const states = new Map<string, GroupState | undefined>()
  const reads = [...wants].slice(0, MAX_GROUPS).map(async ([key, takesTurn]) => {
    const view = await context.groups.lookAt(key, takesTurn)
    const isRead = context.health.see(view)
    if (!isRead) context.counts.groupsUnread++
    states.set(key, isRead ? stateOf(view.value) : undefined)
  })
  await Promise.all(reads)
  return states
}
