// SPDX-License-Identifier: MIT
//
// Members of hunt groups log in and out, by feature code or by an administrator; and the end of a member's call is noted.
import {
  type DomainEntry,
  findDomain,
  findUser,
  type Queue,
  type ResourceIndex,
  type UserEntry,
} from '@tandem/resources'
import { done, type policy, type Result } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import { splitUri } from '../decide/uri-parts.ts'
import { type PolicyErrorCode, refusal } from '../errors.ts'
import type { Failure } from '../store-health.ts'

const NONE: readonly Queue[] = []

/** Those of which the user is a member, by his domain. */
function queuesOf(domain: DomainEntry | undefined, aor: string): readonly Queue[] {
  return domain?.queues?.get(aor) ?? NONE
}

/**
 * @param group user part of one; '' for all that have logins
 * @returns those that are meant; undefined: he is no member, or has nothing to log in to
 */
export function loginsOf(domain: DomainEntry | undefined, aor: string, group: string): readonly Queue[] | undefined {
  const meant = queuesOf(domain, aor).filter(({ login, user }) => login && (group === '' || user === group))
  return meant.length === 0 ? undefined : meant
}

/** How many it changed. */
export async function setLogins(
  context: PolicyContext,
  queues: readonly Queue[],
  aor: string,
  isIn: boolean,
): Promise<number | Failure> {
  let changed = 0
  for (const { key } of queues) {
    const result = await context.groups.setLogin(key, aor, isIn)
    if (!context.health.see(result)) return result
    if (result.value) changed++
  }
  context.counts.groupLogins += changed
  return changed
}

/** Nobody waits for it: one that is lost only moves a member to where he was before. */
export function noteCallEnd(context: PolicyContext, aor: string): void {
  const domain = findDomain(context.state.index, splitUri(aor).host)
  for (const { key, idle } of queuesOf(domain || undefined, aor)) {
    if (!idle) continue
    Promise.resolve(context.groups.noteCallEnd(key, aor)).then(
      (result) => context.health.see(result),
      (error: unknown) => {
        context.counts.bugs++
        context.logger.error({ err: error }, 'a bug in policy')
      },
    )
  }
}

interface Found {
  readonly domain: DomainEntry
  readonly user: UserEntry
}

function find(index: ResourceIndex, name: string): Found | undefined {
  const { user, host } = splitUri(/^sips?:/.test(name) ? name : `sip:${name}`)
  const domain = findDomain(index, host)
  const entry = domain && findUser(domain, user)
  return domain && entry && { domain, user: entry }
}

const bare = (aor: string): string => aor.slice(aor.indexOf(':') + 1)

function queueOf({ domain, user }: Found): Queue | undefined {
  for (const queues of domain.queues?.values() ?? []) for (const one of queues) if (one.key === user.key) return one
  return undefined
}

const refused = (code: PolicyErrorCode): Result<never> => refusal(code)

/** The unary method behind `tandem group list`. */
export async function listGroup(
  context: PolicyContext,
  { group }: policy.ListGroupRequest,
): Promise<Result<policy.ListGroupResponse>> {
  const found = find(context.state.index, group)
  const queue = found && queueOf(found)
  if (found === undefined || queue === undefined) return refused('unknown_group')
  const view = await context.groups.lookAt(queue.key, false)
  if (!context.health.see(view)) return context.health.toResult(view)
  const known = new Map(view.value.members.map((one) => [one.member, one]))
  const ago = (ms: number | undefined) =>
    ms === undefined ? undefined : BigInt(Math.max(0, Math.round(context.now() - ms)))
  return done({
    group: bare(found.user.aor),
    login: queue.login,
    members: queue.members.map((member) => {
      const { inMs, idleMs } = known.get(member) ?? {}
      return { member: bare(member), loggedInMs: ago(inMs), idleMs: ago(idleMs) }
    }),
  })
}

/** The unary method behind `tandem group login` and `logout`. */
export async function setGroupLogin(
  context: PolicyContext,
  { group, member, loggedIn }: policy.SetGroupLoginRequest,
): Promise<Result<policy.SetGroupLoginResponse>> {
  const { index } = context.state
  const who = find(index, member)
  if (who === undefined || who.user.kind !== 'Subscriber') return refused('unknown_user')
  const where = group === '' ? undefined : find(index, group)
  if (group !== '' && where?.user.kind !== 'HuntGroup') return refused('unknown_group')
  const all = loginsOf(who.domain, who.user.aor, '')
  const queues = where === undefined ? all : all?.filter(({ key }) => key === where.user.key)
  if (queues === undefined || queues.length === 0) return refused('not_a_member')
  const changed = await setLogins(context, queues, who.user.aor, loggedIn)
  if (typeof changed !== 'number') return context.health.toResult(changed)
  return done({ groups: queues.map(({ user }) => `${user}@${who.domain.name}`), changed })
}
