// SPDX-License-Identifier: MIT
//
// `tandem group`: who of a hunt group has logged in, and how long each has had no call (`list`); logs a member in or out.
import type { policy } from '@tandem/rpc'
import type { Config } from '@tandem/service-kit'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { formatTime } from './bans.ts'
import { callPolicy } from './targets.ts'

const COLUMNS = ['member', 'in', 'idle']

const ago = (ms: bigint | undefined, never: string): string => (ms === undefined ? never : formatTime(Number(ms)))

export async function listGroup(config: Config, group: string, format: Format): Promise<string> {
  const response = await callPolicy(config, 'listGroup', { group })
  const rowOf = ({ member, loggedInMs, idleMs }: policy.GroupMember) => ({
    member,
    in: ago(loggedInMs, response.login ? 'no' : 'always'),
    idle: ago(idleMs, ''),
  })
  return render(format, response, COLUMNS, response.members.map(rowOf))
}

/** @param group '' for all of which he is a member and that have logins */
export async function setGroupLogin(
  config: Config,
  asked: { readonly member: string; readonly group: string; readonly loggedIn: boolean },
  format: Format,
): Promise<string> {
  const response = await callPolicy(config, 'setGroupLogin', asked)
  if (format !== 'table') return render(format, response, [], [])
  const { groups, changed } = response
  const done = asked.loggedIn ? 'logged in to' : 'logged out of'
  return changed === 0
    ? `${asked.member} was ${done} ${groups.join(', ')} already.`
    : `${asked.member} is ${done} ${groups.join(', ')}.`
}
