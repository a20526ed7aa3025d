// SPDX-License-Identifier: MIT
// Contract: the feed of fraud events. Groups and subjects are each test's own; events of other tests may be among those read.

import { expect, it } from 'vitest'
import type { FraudEventItem, FraudEventReader } from '../fraud-event-store.ts'
import type { FraudEvent } from '../types.ts'
import { CONTRACT_SETTINGS, value, type World } from './world.ts'

const eventOf = (id: string, changes: Partial<FraudEvent> = {}): FraudEvent => ({
  id,
  at: 1_700_000_000_000,
  rule: 'calls',
  scope: 'account',
  subject: 'demo',
  measure: 'callsPerWindow',
  level: 'critical',
  value: 2n ** 60n,
  threshold: 10n,
  action: 'reject',
  dryRun: false,
  ref: 'r1',
  account: 'demo',
  source: '192.0.2.1',
  caller: 'sip:alice@example.test',
  callee: 'sip:"ä"@example.test',
  detail: 'line\nbreak',
  ...changes,
})

export function fraudEventContract(at: () => World): void {
  const events = () => at().store.fraudEvents
  const append = async (count: number) => {
    const added = Array.from({ length: count }, () => eventOf(at().name('event')))
    for (const event of added) expect(await value(events().append(event))).toBe(true)
    return added
  }
  /** Reads until all were seen; none comes twice. */
  const collect = async (reader: FraudEventReader, wanted: readonly FraudEvent[]): Promise<FraudEventItem[]> => {
    const found: FraudEventItem[] = []
    const ids = new Set(wanted.map(({ id }) => id))
    await at().until(async () => {
      for (const item of await value(reader.read(100))) if (ids.has(item.event.id)) found.push(item)
      return found.length >= wanted.length
    })
    return found
  }

  it('MUST append an event once by its id, and give it back as it was', async () => {
    const event = eventOf(at().name('event'))
    expect(await value(events().append(event))).toBe(true)
    expect(await value(events().append(event))).toBe(false)
    expect(await value(events().append({ ...event, detail: 'again' }))).toBe(false)
    const all = await value(events().newest('', 60_000, 1_000))
    expect(all.filter((item) => item.event.id === event.id).map((item) => item.event)).toEqual([event])
  })

  it('MUST list in order from an id on, and backwards to an age, in pages', async () => {
    const added = await append(5)
    const ids = added.map(({ id }) => id)
    const back = await value(events().newest('', 60_000, 3))
    expect(back.map(({ event }) => event.id)).toEqual(ids.slice(2).reverse())
    const more = await value(events().newest(back[2]?.id ?? '', 60_000, 2))
    expect(more.map(({ event }) => event.id)).toEqual(ids.slice(0, 2).reverse())
    const forth = await value(events().after(more[1]?.id ?? '', 10))
    expect(forth.map(({ event }) => event.id)).toEqual(ids.slice(1))
    expect(await value(events().after(back[0]?.id ?? '', 10))).toEqual([])
    await at().advance(120)
    const [late] = await append(1)
    const young = await value(events().newest('', 100, 100))
    expect(young.map(({ event }) => event.id)).toEqual([late?.id])
  })

  it('MUST cut what callers send, so that an event stays small', async () => {
    const event = eventOf(at().name('event'), { caller: 'x'.repeat(10_000) })
    await value(events().append(event))
    const [item] = await value(events().newest('', 60_000, 1))
    expect(item?.event.caller).toHaveLength(512)
  })

  it('MUST deliver each event once to each group, until acknowledged', async () => {
    const name = at().name('group')
    const [a, b] = [events().open(name, 'a'), events().open(name, 'b')]
    await value(a.read(1_000))
    const added = await append(20)
    const seen: string[] = []
    await at().until(async () => {
      for (const reader of [a, b]) for (const { event } of await value(reader.read(3))) seen.push(event.id)
      return added.every(({ id }) => seen.includes(id))
    })
    expect(seen.filter((id) => added.some((event) => event.id === id)).sort()).toEqual(added.map(({ id }) => id).sort())
    expect(await collect(events().open(at().name('group'), 'c'), added)).toHaveLength(20)
  })

  it('MUST deliver again what was not acknowledged, to the same consumer at once and to another in time', async () => {
    const name = at().name('group')
    const added = await append(4)
    const items = await collect(events().open(name, 'first'), added)
    const first = events().open(name, 'first')
    await value(first.acknowledge(items.slice(0, 1).map(({ id }) => id)))
    await value(first.acknowledge(items.slice(0, 1).map(({ id }) => id)))
    expect((await collect(first, added.slice(1))).map(({ id }) => id)).toEqual(items.slice(1).map(({ id }) => id))
    await value(first.acknowledge(items.slice(1, 2).map(({ id }) => id)))
    await at().advance(CONTRACT_SETTINGS.redeliverMs + 50)
    const heir = await collect(events().open(name, 'heir'), added.slice(2))
    expect(heir.map(({ id }) => id)).toEqual(items.slice(2).map(({ id }) => id))
  })

  it('MUST count what waits and what is pending, and forget a group on request', async () => {
    const name = at().name('group')
    const reader = events().open(name, 'c')
    await collect(reader, await append(1))
    const before = await value(events().lag(name))
    const added = await append(2)
    expect((await value(events().lag(name))).waiting).toBe(before.waiting + 2)
    const items = await collect(reader, added)
    const { pending } = await value(events().lag(name))
    expect(pending).toBeGreaterThanOrEqual(2)
    await value(reader.acknowledge(items.map(({ id }) => id)))
    expect(await value(events().lag(name))).toMatchObject({ pending: pending - 2 })
    await value(events().dropGroup(name))
    expect((await value(events().lag(name))).pending).toBe(0)
  })

  it('MUST keep the newest alone, also from a group that does not read', async () => {
    const name = at().name('group')
    const slow = events().open(name, 'slow')
    await value(slow.read(10))
    const max = CONTRACT_SETTINGS.fraudEventsMaxLen
    const added = await append(2 * max + 300)
    const kept = await value(events().after('', 10_000))
    expect(kept.length).toBeGreaterThanOrEqual(max)
    // Redis trims in whole nodes of its stream.
    expect(kept.length).toBeLessThan(2 * max + 200)
    expect(kept.at(-1)?.event.id).toBe(added.at(-1)?.id)
    expect((await value(events().lag(name))).waiting).toBeLessThanOrEqual(kept.length)
    expect(await value(slow.read(10))).toBeInstanceOf(Array)
  })
}
