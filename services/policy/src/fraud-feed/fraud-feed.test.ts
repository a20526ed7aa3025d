// SPDX-License-Identifier: MIT
//
// From rules over a real store of events to those who ask: lists, schedules and countries as resources give them, the list of
// events, the feed for records, and calls that are only tried. Not tested here: what rules count (fraud/), the store
// (its contract).
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type policy, type Result, records } from '@tandem/rpc'
import { createMemoryStore, type Store } from '@tandem/store'
import { countryDatabase } from '@tandem/test-kit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ruleOf } from '../fraud/fraud-fixture.ts'
import type { PolicyService } from '../options.ts'
import { DOCUMENTS, decideOn, outcomeOf, request, resourcesOf, SETTINGS } from '../policy-fixture.ts'
import { createPolicyService } from '../service.ts'

const LONG_MS = 10_000
const CONTEXT = { msLeft: 2_000, peer: 'tandem-cli' }
/** Monday noon in Berlin. */
const NOON_MS = Date.parse('2026-01-05T11:00:00Z')

const resource = (kind: string, name: string, spec: object) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name },
  spec,
})

const RESOURCES = [
  resource('NumberList', 'irsf', { prefixes: ['+882', '+2526'] }),
  resource('Schedule', 'office', {
    timeZone: 'Europe/Berlin',
    weekly: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00' }],
  }),
]

const CALLS = ruleOf('calls', {
  measures: {
    callsPerWindow: { windowMs: 60_000, warning: { above: 1 }, critical: { above: 2, action: 'reject' } },
  },
  eventEveryMs: 0,
})

let folder: string
let clock: { ms: number }
let store: Store
let node: PolicyService
const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }

async function start(rules: readonly { [key: string]: unknown }[], geoIpFile = ''): Promise<void> {
  const resources = await resourcesOf([...DOCUMENTS, ...RESOURCES, ...rules])
  node = createPolicyService({
    store: store.policy,
    accounts: store.accounts,
    fraud: store.fraud,
    fraudEvents: store.fraudEvents,
    config: { ...SETTINGS, geoIpFile },
    resources,
    logger,
    now: () => clock.ms,
  })
  await node.start()
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fraud-feed-'))
  clock = { ms: NOON_MS }
  store = createMemoryStore({ now: () => clock.ms })
  vi.clearAllMocks()
})
afterEach(async () => {
  await node.stop()
  await rm(folder, { recursive: true })
})

const call = async () =>
  outcomeOf(
    await decideOn(
      node,
      request({
        requestUri: 'sip:bob@believed.test',
        from: '<sip:alice@believed.test>;tag=a1',
        to: '<sip:bob@believed.test>',
      }),
    ),
  )

const doneOf = <T>(result: Result<T>): T => {
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result.value
}

const list = async (asked: Partial<policy.ListFraudEventsRequest> = {}) => {
  const all = { cursor: '', sinceMs: 3_600_000n, account: '', rule: '', limit: 100, ...asked }
  return (await node.handlers.listFraudEvents?.(all, CONTEXT)) as Result<policy.ListFraudEventsResponse>
}

const attempt = async (asked: Partial<policy.TryFraudRulesRequest> = {}) => {
  const all = { from: 'sip:alice@believed.test', to: 'sip:bob@believed.test', account: '', source: '', userAgent: '' }
  const result = await node.handlers.tryFraudRules?.({ ...all, unixMs: 0n, ...asked }, CONTEXT)
  return doneOf(result as Result<policy.TryFraudRulesResponse>)
}

const found = ({ findings }: policy.TryFraudRulesResponse, rule: string) => findings.find((one) => one.rule === rule)

test('what rules find is listed, oldest first, by account and rule, and goes on from a cursor', async () => {
  await start([CALLS])
  expect([await call(), await call(), await call()]).toEqual(['plan', 'plan', 'reject 403 fraud'])
  await vi.waitFor(async () => expect(doneOf(await list()).events).toHaveLength(2), LONG_MS)
  const { events, cursor } = doneOf(await list())
  expect(events.map(({ level, value, account }) => [level, value, account])).toEqual([
    ['warning', 2n, 'demo'],
    ['critical', 3n, 'demo'],
  ])
  expect(doneOf(await list({ limit: 1 })).events.map(({ level }) => level)).toEqual(['critical'])
  expect(doneOf(await list({ account: 'nobody' })).events).toEqual([])
  expect(doneOf(await list({ rule: 'calls' })).events).toHaveLength(2)
  expect(doneOf(await list({ cursor })).events).toEqual([])
  await call()
  await vi.waitFor(async () => expect(doneOf(await list({ cursor })).events).toHaveLength(1), LONG_MS)
  const filtered = doneOf(await list({ cursor, rule: 'another' }))
  expect(filtered.events).toEqual([])
  expect(filtered.cursor).not.toBe(cursor)
  expect(await list({ cursor: 'nonsense' })).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_cursor' } })
  clock.ms += 7_200_000
  expect(doneOf(await list()).events).toEqual([])
  expect(node.counts).toMatchObject({ fraudEvents: 3, fraudEventsDropped: 0 })
})

test('the feed for records delivers each event, the window held, again until it is acknowledged', async () => {
  await start([CALLS])
  for (let i = 0; i < 6; i++) await call()
  const got: records.FeedItem[] = []
  const first = node.fraudEvents.consume({ group: 'webhook', consumer: 'r', window: 2 }, (items) => got.push(...items))
  await vi.waitFor(() => expect(got).toHaveLength(2), LONG_MS)
  first.close()
  const again: records.FeedItem[] = []
  const second = node.fraudEvents.consume({ group: 'webhook', consumer: 'r', window: 2 }, (items) => {
    again.push(...items)
    second.acknowledge(items.map(({ id }) => id))
  })
  await vi.waitFor(() => expect(again).toHaveLength(5), LONG_MS)
  expect(again.slice(0, 2)).toEqual(got)
  const [item] = again as [records.FeedItem]
  expect(records.FeedItem.decode(records.FeedItem.encode(item).finish())).toEqual(item)
  expect(again.map(({ fraudEvent }) => fraudEvent?.rule)).toEqual(Array.from({ length: 5 }, () => 'calls'))
  second.close()
})

test('a tried call says what every rule would do, and counts nothing', async () => {
  const night = ruleOf('night', { measures: { offHours: { schedule: 'office', critical: { action: 'challenge' } } } })
  const lists = ruleOf('lists', {
    dryRun: true,
    measures: { destinationList: { lists: ['irsf'], critical: { action: 'blockAccount' } } },
  })
  const others = ruleOf('others', {
    select: { accounts: ['demo'], prefixes: ['+49'] },
    measures: { concurrentCalls: { critical: { above: 1 } } },
  })
  const agents = ruleOf('agents', { scope: 'source', measures: { userAgent: { critical: { action: 'reject' } } } })
  await start([CALLS, night, lists, others, agents])
  await call()
  for (let i = 0; i < 10; i++) await attempt()
  const plain = await attempt({ source: '192.0.2.1' })
  expect(plain).toMatchObject({ account: 'demo', subscriber: 'sip:alice@believed.test', number: '', verdict: 'pass' })
  expect(found(plain, 'calls')).toMatchObject({ value: 2n, level: 'warning', action: 'event', warningAbove: 1n })
  expect(found(plain, 'night')).toMatchObject({ level: '', value: 0n, why: 'within office' })
  expect(found(plain, 'others')).toMatchObject({ measure: '', why: 'not selected by prefixes: the number is none' })
  const late = await attempt({ unixMs: BigInt(Date.parse('2026-01-05T20:00:00Z')), to: 'tel:+882-99-123' })
  expect(late).toMatchObject({ number: '+88299123', numberCountry: 'XG', verdict: 'challenge' })
  expect(found(late, 'night')).toMatchObject({ level: 'critical', action: 'challenge', why: 'outside of office' })
  expect(found(late, 'lists')).toMatchObject({ level: 'critical', dryRun: true, why: '+882 is on a list' })
  const scanner = await attempt({ source: '192.0.2.1', userAgent: 'friendly-scanner', from: 'sip:x@elsewhere.test' })
  expect(found(scanner, 'agents')).toMatchObject({ level: 'critical', action: 'reject', why: 'has friendly-scanner' })
  expect(found(scanner, 'calls')).toMatchObject({ why: 'the call has no account' })
  expect(scanner.verdict).toBe('reject')
  // Ten tries later the second call is the second.
  expect([await call(), await call()]).toEqual(['plan', 'reject 403 fraud'])
  expect((await attempt()).verdict).toBe('reject')
})

test('countries come from the GeoIP file; without one the rules that need it are named once', async () => {
  const rule = ruleOf('countries', {
    scope: 'subscriber',
    measures: { countriesAtOnce: { critical: { action: 'reject' } } },
  })
  await start([rule])
  expect(logger.warn).toHaveBeenCalledTimes(1)
  expect(logger.warn).toHaveBeenCalledWith({ rules: ['countries'], count: 1 }, expect.stringContaining('geoIpFile'))
  expect(found(await attempt({ source: '192.0.2.1' }), 'countries')?.why).toMatch(/nobody knows the country/)
  await node.stop()
  vi.clearAllMocks()
  const file = join(folder, 'country.mmdb')
  await writeFile(
    file,
    countryDatabase([
      ['192.0.2.0/24', 'DE'],
      ['198.51.100.0/24', 'FR'],
    ]),
  )
  await start([rule], file)
  expect(logger.warn).not.toHaveBeenCalled()
  const source = (address: string) => ({ source: { transport: 'udp', address, port: 5060 } })
  const from = (address: string) =>
    decideOn(node, {
      ...request({ requestUri: 'sip:bob@believed.test', from: '<sip:alice@believed.test>;tag=a1', ...source(address) }),
      to: '<sip:bob@believed.test>',
    }).then(outcomeOf)
  expect(await from('192.0.2.1')).toBe('plan')
  expect(await from('198.51.100.1')).toBe('reject 403 fraud')
  expect(await from('203.0.113.1')).toBe('plan')
  expect(await attempt({ source: '198.51.100.1' })).toMatchObject({ sourceCountry: 'FR', verdict: 'reject' })
})
