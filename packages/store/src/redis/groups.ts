// SPDX-License-Identifier: MIT
// Hunt groups in Redis: arguments and replies of scripts/groups.ts.
import {
  type GroupMemberState,
  type GroupStore,
  type GroupView,
  isGroup,
  isMember,
  MAX_GROUP_FIELDS,
} from '../group-store.ts'
import { notStored, type Stored } from '../result.ts'
import type { Argument, Reply } from './batcher.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { LOOK_AT_GROUP, NOTE_CALL_END, SET_LOGIN, TAKE_TURN } from './scripts/groups.ts'
import type { Script } from './scripts/script.ts'

const INVALID = notStored('invalid', 'a hunt group or member that can not be kept')
const FULL = notStored('full', `the store holds ${MAX_GROUP_FIELDS} logins of a group, its bound`)
const ALL = ['turn', 'in', 'idle']

export class RedisGroups implements GroupStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  async lookAt(group: string, takesTurn: boolean): Promise<Stored<GroupView>> {
    if (!isGroup(group)) return INVALID
    return this.#of(group, takesTurn ? TAKE_TURN : LOOK_AT_GROUP, ALL, [], readView)
  }

  async setLogin(group: string, member: string, isIn: boolean): Promise<Stored<boolean>> {
    if (!isGroup(group) || !isMember(member)) return INVALID
    const done = await this.#of(group, SET_LOGIN, ['in'], [member, isIn ? 1 : 0], numberOf)
    if (done.state !== 'stored') return done
    return done.value < 0 ? FULL : { ...done, value: done.value === 1 }
  }

  async noteCallEnd(group: string, member: string): Promise<Stored<void>> {
    if (!isGroup(group) || !isMember(member)) return INVALID
    return this.#of(group, NOTE_CALL_END, ['idle', 'in'], [member], () => undefined)
  }

  #of<T>(
    group: string,
    script: Script,
    parts: readonly string[],
    args: readonly Argument[],
    read: (reply: Reply) => T,
  ) {
    const tag = `g:${group}`
    const keys = parts.map((part) => `{${tag}}:${part}`)
    return this.#runner.run(script, tag, keys, args, read)
  }
}

function readView(reply: Reply): GroupView {
  const [turn, ins, idle] = listOf(reply)
  const [inMs, idleMs] = [timesOf(listOf(ins)), timesOf(listOf(idle))]
  const names = [...new Set([...inMs.keys(), ...idleMs.keys()])].sort()
  const members: GroupMemberState[] = names.map((member) => ({
    member,
    inMs: inMs.get(member),
    idleMs: idleMs.get(member),
  }))
  return { turn: Number(textOf(turn)), members }
}

function timesOf(flat: readonly Reply[]): Map<string, number> {
  const times = new Map<string, number>()
  for (let i = 0; i + 1 < flat.length; i += 2) times.set(textOf(flat[i]), Number(textOf(flat[i + 1])))
  return times
}
