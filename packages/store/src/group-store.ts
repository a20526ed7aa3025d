// SPDX-License-Identifier: MIT
// What all nodes share of a hunt group: whose turn it is, who has logged in, and since when a member has had no call. Everything of one group
// lies in one slot, so that one question answers a plan. Who is a member and what follows from all this is not the store's business: what
// is kept of former members lies there until room is needed. All times are the store's.
import type { Eventual } from './result.ts'

export interface GroupMemberState {
  /** Address-of-record. */
  readonly member: string
  /** When he logged in; undefined: he has not, or has logged out. */
  readonly inMs: number | undefined
  /** End of his last call; undefined: none is known. */
  readonly idleMs: number | undefined
}

export interface GroupView {
  /** 0 for the first; each one that is taken is given once, to whichever node asks. */
  readonly turn: number
  readonly members: readonly GroupMemberState[]
}

export interface GroupStore {
  /** @param takesTurn false: the turn is the next one, and stays it */
  lookAt(group: string, takesTurn: boolean): Eventual<GroupView>
  /** Whether that changed anything. `full` where more are logged in than a group may have. */
  setLogin(group: string, member: string, isIn: boolean): Eventual<boolean>
  /** A call of the member has ended now. */
  noteCallEnd(group: string, member: string): Eventual<void>
}

/** Logins, and ends of calls, of a group. A group has a hundred members. */
export const MAX_GROUP_FIELDS = 512
/** A group of which nothing is heard for so long is forgotten, logins too. */
export const GROUP_KEEP_MS = 400 * 86_400_000

const GROUP = /^[^{}\s]{1,512}$/
const MEMBER = /^[^\s]{1,512}$/

export const isGroup = (group: string): boolean => GROUP.test(group)
export const isMember = (member: string): boolean => MEMBER.test(member)
