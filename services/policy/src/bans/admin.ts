// SPDX-License-Identifier: MIT
//
// The unary methods over bans: who is banned, one more, one less.
import { done, type policy, type Result } from '@tandem/rpc'
import { sourceKeyOf } from '@tandem/service-kit'
import type { Ban, BanTarget } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import type { KnownBan } from './ban-book.ts'

const MAX_LISTED = 10_000
const MAX_BAN_MS = 30n * 86_400_000n

const toBan = ({ kind, source, user, cause, level, sinceMs, leftMs }: Ban, local = false): policy.Ban => ({
  kind,
  source,
  user,
  cause,
  level,
  sinceUnixMs: BigInt(sinceMs),
  leftMs: BigInt(Math.max(0, Math.ceil(leftMs))),
  local,
})

/** As this node knows them, once it has read what is new. */
export async function listBans(
  { bans, banFeed }: PolicyContext,
  { limit }: policy.ListBansRequest,
): Promise<Result<policy.ListBansResponse>> {
  await banFeed.poll()
  const all = bans.active().sort((a, b) => b.leftMs - a.leftMs)
  const most = limit === 0 ? MAX_LISTED : Math.min(limit, MAX_LISTED)
  return done({ bans: all.slice(0, most).map((ban) => toBan(ban, ban.isLocal)), truncated: all.length > most })
}

export async function addBan(
  context: PolicyContext,
  { address, forMs }: policy.AddBanRequest,
): Promise<Result<policy.Ban>> {
  const { bans, banStore, health, logger } = context
  const source = sourceKeyOf(address)
  if (source === '' || forMs < 1_000n || forMs > MAX_BAN_MS) return refusal('bad_ban')
  if (!bans.isOn || bans.isAllowed(address)) return refusal('ban_not_allowed')
  const target = { kind: 'source', source, user: '' } as const
  const result = await banStore.ban(target, { ...bans.terms, exactMs: Number(forMs) })
  if (!health.see(result)) return health.toResult(result)
  if (bans.take(result.value, false)) bans.onChange(result.value)
  logger.info({ event: 'ban', kind: 'source', source, forMs: Number(forMs), by: 'admin' }, 'banned by a person')
  return done(toBan(result.value))
}

/** What the text names: a source, or a user, with all that is banned of it. */
function targetsOf(text: string, known: readonly KnownBan[]): BanTarget[] {
  const source = sourceKeyOf(text.replace(/\/64$/, ''))
  const user = text.replace(/^sips?:/, '')
  const isMeant = (ban: BanTarget) => (source === '' ? ban.user === user : ban.source === source)
  const own: BanTarget = source === '' ? { kind: 'user', source: '', user } : { kind: 'source', source, user: '' }
  return [own, ...known.filter((ban) => ban.kind === 'pair' && isMeant(ban))]
}

export async function liftBan(
  context: PolicyContext,
  { target }: policy.LiftBanRequest,
): Promise<Result<policy.LiftBanResponse>> {
  const { bans, banFeed, banStore, localBans, health, logger } = context
  await banFeed.poll()
  let lifted = 0
  for (const one of targetsOf(target, bans.active())) {
    const own = await localBans.lift(one)
    const result = await banStore.lift(one)
    const isOwn = own.state === 'stored' && own.value
    if (isOwn) bans.forget(one)
    if (!health.see(result)) return health.toResult(result)
    if (result.value || isOwn) lifted++
  }
  await banFeed.poll()
  if (lifted > 0) logger.info({ event: 'ban_lifted', target, lifted }, 'bans lifted by a person')
  return done({ lifted })
}
