// SPDX-License-Identifier: MIT
//
// What policy looks up for /metrics alone, over a store that is asked by hand: what is shown, and that it stays while the store is away.
import { Metrics } from '@tandem/service-kit'
import { expect, it } from 'vitest'
import type { RecordFeedServer } from './calls/record-feed.ts'
import type { PolicyContext } from './context.ts'
import { registerSamples, Samples } from './samples.ts'

const NOW = 1_000_000
const AWAY = { state: 'notStored', reason: 'away' }
const stored = (value: object) => Promise.resolve({ state: 'stored', value })

function bench() {
  const world = {
    isAway: false,
    lags: { ndjson: { waiting: 3, pending: 2 }, sql: { waiting: 0, pending: 0 } } as Record<string, object>,
    accounts: {
      acme: ['EUR', 2_500_000n],
      office: ['EUR', 500_000n],
      far: ['USD', 1_000_000n],
      none: ['', 7n],
    } as Record<string, [string, bigint]>,
    states: { up: NOW + 1, down: NOW - 1, never: undefined } as Record<string, number | undefined>,
    limits: [] as number[],
  }
  const away = () => Promise.resolve(AWAY)
  const context = {
    now: () => NOW,
    store: { recordLag: (group: string) => (world.isAway ? away() : stored(world.lags[group] as object)) },
    marks: {
      active: (most: number) => {
        world.limits.push(most)
        return Object.keys(world.accounts)
      },
    },
    accounts: {
      read: (name: string) => {
        const [currency, held] = world.accounts[name] as [string, bigint]
        return world.isAway ? away() : stored({ currency, held })
      },
    },
    trunks: {
      terms: new Map<string, { registration: object | undefined }>([
        ...Object.keys(world.states).map((name) => [name, { registration: {} }] as const),
        ['plain', { registration: undefined }],
      ]),
    },
    trunkStore: {
      readState: (name: string) => {
        const untilMs = world.states[name]
        return world.isAway
          ? away()
          : stored({ version: 1, text: untilMs === undefined ? '' : JSON.stringify({ untilMs }) })
      },
    },
  }
  const feed = { groups: Object.keys(world.lags) }
  const samples = new Samples(context as unknown as PolicyContext, feed as unknown as RecordFeedServer, (error) =>
    expect.fail(String(error)),
  )
  const metrics = new Metrics()
  registerSamples(metrics, samples)
  const lines = async () => (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return { world, samples, lines }
}

const SHOWN = [
  'tandem_policy_records_waiting{sink="ndjson"} 3',
  'tandem_policy_records_waiting{sink="sql"} 0',
  'tandem_policy_records_pending{sink="ndjson"} 2',
  'tandem_policy_records_pending{sink="sql"} 0',
  'tandem_policy_held_currency_units{currency="EUR"} 3',
  'tandem_policy_held_currency_units{currency="USD"} 1',
  'tandem_policy_trunk_registered{trunk="up"} 1',
  'tandem_policy_trunk_registered{trunk="down"} 0',
  'tandem_policy_trunk_registered{trunk="never"} 0',
]

it('shows what waits for sinks, what is held by currency, and which trunks are registered', async () => {
  const { samples, lines, world } = bench()
  expect(await lines()).toEqual([])
  await samples.look()
  expect(await lines()).toEqual(SHOWN)
  expect(world.limits).toEqual([1_000])
})

it('keeps what it has while the store is away', async () => {
  const { samples, lines, world } = bench()
  await samples.look()
  Object.assign(world, { isAway: true })
  await samples.look()
  expect(await lines()).toEqual(SHOWN)
})

it('makes one look at a time, and lets go of what is gone at the next', async () => {
  const { samples, lines, world } = bench()
  const [one, two] = [samples.look(), samples.look()]
  expect(one).toBe(two)
  await one
  Object.assign(world, { accounts: {}, states: world.states })
  await samples.look()
  expect((await lines()).filter((line) => line.includes('held'))).toEqual([])
})

it('looks at nothing where nobody asks for metrics', async () => {
  const { samples, world } = bench()
  samples.start(undefined)
  await samples.stop()
  expect(world.limits).toEqual([])
})
