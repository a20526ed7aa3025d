// SPDX-License-Identifier: MIT
//
// Feature codes: a user dials `*50` to log in to all of his hunt groups, `*50sales` or `*50600` for one, `*51` to log out. A proxy has no voice to
// confirm it with: the INVITE is answered with 480 and a reason phrase that phones show. No record, no charge. A repeat
// changes nothing.
import type { UserEntry } from '@tandem/resources'
import { done, type policy, type Result } from '@tandem/rpc'
import type { PolicyContext } from '../context.ts'
import type { Judgement } from '../decide/judgement.ts'
import { callerOf, reject } from '../decide/verdicts.ts'
import { loginsOf, setLogins } from './logins.ts'

export interface FeatureCode {
  readonly isIn: boolean
  /** User part of the group; '' for all. */
  readonly group: string
}

/** What the user asks for; undefined: it is a call like others. */
export function featureCodeOf({ request, uri, domain }: Judgement, user: UserEntry): FeatureCode | undefined {
  const { featureCodes } = user.domain
  if (featureCodes === undefined || request.method !== 'INVITE' || domain?.name !== user.domain.name) return undefined
  const { groupLogin, groupLogout } = featureCodes
  if (uri.user.startsWith(groupLogin)) return { isIn: true, group: uri.user.slice(groupLogin.length) }
  if (uri.user.startsWith(groupLogout)) return { isIn: false, group: uri.user.slice(groupLogout.length) }
  return undefined
}

const MAX_NAMES = 5

function answer(user: UserEntry, isIn: boolean, names: readonly string[]): policy.DecideResponse {
  const response = reject(isIn ? 'logged_in' : 'logged_out', callerOf(user))
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''
  const reason = `${isIn ? 'Logged in to' : 'Logged out of'} ${names.slice(0, MAX_NAMES).join(' ')}${more}`
  if (response.verdict?.$case !== 'reject') return response
  return {
    ...response,
    verdict: { $case: 'reject', value: { ...response.verdict.value, reason: reason.slice(0, 200) } },
  }
}

export async function runFeatureCode(
  context: PolicyContext,
  user: UserEntry,
  { isIn, group }: FeatureCode,
): Promise<Result<policy.DecideResponse>> {
  const domain = context.state.index.homes.get(user.domain.name)?.entry
  const queues = loginsOf(domain, user.aor, group)
  if (queues === undefined) return done(reject('not_a_member', callerOf(user)))
  const changed = await setLogins(context, queues, user.aor, isIn)
  if (typeof changed !== 'number') return context.health.toResult(changed)
  const names = queues.map(({ user: name }) => name.replace(/[^\w.+-]/g, '_'))
  return done(answer(user, isIn, names))
}
