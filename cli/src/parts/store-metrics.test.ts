// SPDX-License-Identifier: MIT
// Every count of a store is shown. Redis' counts are those that it has without a server.
import { Metrics } from '@tandem/service-kit'
import { createMemoryStore, createRedisStore } from '@tandem/store'
import { expect, it } from 'vitest'
import { registerStoreMetrics, STORE_COUNTS } from './store-metrics.ts'

it('has a metric for every count of both stores', async () => {
  const redis = createRedisStore({ url: 'redis://127.0.0.1:1' })
  try {
    const all = [...Object.keys(createMemoryStore({ now: Date.now }).counts()), ...Object.keys(redis.counts())]
    expect(all.filter((count) => !STORE_COUNTS.has(count))).toEqual([])
    expect([...STORE_COUNTS].filter((count) => !all.includes(count))).toEqual([])
  } finally {
    await redis.close()
  }
})

it('shows what the store has, and nothing of what it has not', async () => {
  const metrics = new Metrics()
  registerStoreMetrics(metrics, createMemoryStore({ now: Date.now }))
  const text = await metrics.render()
  expect(text).toMatch(/^tandem_store_aors 0$/m)
  expect(text).toMatch(/^tandem_store_ready 1$/m)
  expect(text).not.toMatch(/^tandem_store_scripts_total /m)
})
