// SPDX-License-Identifier: MIT
//
// The unary method over fraud events: the newest of a time, or what came after a cursor.
import { done, type policy, type Result } from '@tandem/rpc'
import type { FraudEventItem, FraudEventStore } from '@tandem/store'
import type { PolicyContext } from '../context.ts'
import { refusal } from '../errors.ts'
import { toWire } from './event-wire.ts'

const MAX_LIMIT = 1_000
/** Events of one read of the store. */
const PAGE = 500
/** Reads of one request; with the store's bound on events it sees them all. */
const MAX_PAGES = 60
const CURSOR = /^\d{1,16}-\d{1,16}$/

type Asked = policy.ListFraudEventsRequest
type Events = Pick<FraudEventStore, 'after' | 'newest'>
type Context = Pick<PolicyContext, 'health' | 'fraudFeed'>

const isWanted = ({ event }: FraudEventItem, { account, rule }: Asked): boolean =>
  (account === '' || event.account === account) && (rule === '' || event.rule === rule)

const answer = (items: readonly FraudEventItem[], cursor: string): Result<policy.ListFraudEventsResponse> =>
  done({ events: items.map(({ event }) => toWire(event)), cursor })

export async function listFraudEvents(context: Context, asked: Asked): Promise<Result<policy.ListFraudEventsResponse>> {
  const events = context.fraudFeed?.store
  if (events === undefined) return answer([], asked.cursor)
  const limit = Math.min(asked.limit || MAX_LIMIT, MAX_LIMIT)
  if (asked.cursor === '') return newest(context, events, asked, limit)
  if (!CURSOR.test(asked.cursor)) return refusal('bad_cursor')
  const found: FraudEventItem[] = []
  let { cursor } = asked
  for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
    const read = await events.after(cursor, Math.min(PAGE, limit - found.length))
    if (!context.health.see(read)) return context.health.toResult(read)
    if (read.value.length === 0) break
    cursor = read.value.at(-1)?.id ?? cursor
    found.push(...read.value.filter((item) => isWanted(item, asked)))
  }
  return answer(found, cursor)
}

async function newest(
  context: Context,
  events: Events,
  asked: Asked,
  limit: number,
): Promise<Result<policy.ListFraudEventsResponse>> {
  const found: FraudEventItem[] = []
  let newestId = ''
  let before = ''
  for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
    const read = await events.newest(before, Number(asked.sinceMs), PAGE)
    if (!context.health.see(read)) return context.health.toResult(read)
    newestId ||= read.value[0]?.id ?? ''
    found.push(...read.value.filter((item) => isWanted(item, asked)))
    if (read.value.length < PAGE) break
    before = read.value.at(-1)?.id ?? ''
  }
  // With none there is everything to come.
  return answer(found.slice(0, limit).reverse(), newestId || '0-0')
}
