// SPDX-License-Identifier: MIT
//
// The way of events into the store: nobody waits, nothing is lost while there is room, and nothing is appended twice.
import { createMemoryStore, type FraudEvent, type FraudEventStore } from '@tandem/store'
import { expect, test, vi } from 'vitest'
import { EventOutbox, MAX_WAITING } from './event-outbox.ts'

const eventOf = (id: string): FraudEvent => ({
  id,
  at: 1,
  rule: 'r',
  scope: 'account',
  subject: 'demo',
  measure: 'callsPerWindow',
  level: 'warning',
  value: 2n,
  threshold: 1n,
  action: 'event',
  dryRun: false,
  ref: '',
  account: 'demo',
  source: '',
  caller: '',
  callee: '',
  detail: '',
})

function setUp(append?: FraudEventStore['append']) {
  const store = createMemoryStore({ now: () => 1_700_000_000_000 })
  const counts = { fraudEvents: 0, fraudEventsDropped: 0 }
  const logger = { warn: vi.fn() }
  const onBug = vi.fn()
  const target = append === undefined ? store.fraudEvents : { append }
  const outbox = new EventOutbox(target, counts, logger, onBug)
  const ids = async () => {
    const kept = await store.fraudEvents.after('', 10_000)
    return kept.state === 'stored' ? kept.value.map(({ event }) => event.id) : []
  }
  return { store, counts, logger, onBug, outbox, ids }
}

test('events go to the store in their order', async () => {
  const { outbox, counts, ids } = setUp()
  for (let i = 0; i < 100; i++) outbox.emit(eventOf(`e${i}`))
  await vi.waitFor(() => expect(counts.fraudEvents).toBe(100), 10_000)
  expect(await ids()).toEqual(Array.from({ length: 100 }, (_, i) => `e${i}`))
})

test('an event that comes just as the last one is stored is not left behind', async () => {
  const { outbox, counts } = setUp()
  for (let i = 0; i < 50; i++) {
    outbox.emit(eventOf(`e${i}`))
    await Promise.resolve()
  }
  await vi.waitFor(() => expect(counts.fraudEvents).toBe(50), 10_000)
})

test('what the store did not take is tried again, and stored once though the outcome was unknown', async () => {
  const { store, outbox, counts, ids } = setUp(async (event) => {
    tries++
    const stored = store.fraudEvents.append(event)
    return tries <= 3 ? { state: 'unknown', detail: 'no answer' } : stored
  })
  let tries = 0
  for (let i = 0; i < 3; i++) outbox.emit(eventOf(`e${i}`))
  await vi.waitFor(() => expect(counts.fraudEvents).toBe(3), 10_000)
  expect(tries).toBeGreaterThan(3)
  expect(await ids()).toEqual(['e0', 'e1', 'e2'])
})

test('beyond its bound the oldest go, are counted, and are said once', async () => {
  const { outbox, counts, logger } = setUp(async () => ({ state: 'notStored', reason: 'away', detail: 'away' }))
  for (let i = 0; i < MAX_WAITING + 100; i++) outbox.emit(eventOf(`e${i}`))
  await vi.waitFor(() => expect(outbox.waitingCount).toBeGreaterThanOrEqual(MAX_WAITING), 10_000)
  expect(outbox.waitingCount).toBeLessThanOrEqual(MAX_WAITING + 32)
  expect(counts.fraudEventsDropped).toBeGreaterThan(60)
  expect(logger.warn).toHaveBeenCalledTimes(1)
  await outbox.stop(20)
})

test('stop brings what waits to a store that is back', async () => {
  let isAway = true
  const set = setUp(async (event) =>
    isAway ? { state: 'notStored', reason: 'away', detail: 'away' } : set.store.fraudEvents.append(event),
  )
  set.outbox.emit(eventOf('e0'))
  await vi.waitFor(() => expect(set.outbox.waitingCount).toBe(1), 10_000)
  isAway = false
  await set.outbox.stop(10_000)
  expect(await set.ids()).toEqual(['e0'])
})

test('a store that throws is a bug that is told, and the event is kept', async () => {
  let isBroken = true
  const set = setUp((event) => {
    if (isBroken) throw new Error('broken')
    return set.store.fraudEvents.append(event)
  })
  set.outbox.emit(eventOf('e0'))
  await vi.waitFor(() => expect(set.onBug).toHaveBeenCalled(), 10_000)
  isBroken = false
  await vi.waitFor(async () => expect(await set.ids()).toEqual(['e0']), 10_000)
})
