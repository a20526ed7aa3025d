// SPDX-License-Identifier: MIT
//
// Property: however calls begin, are taken back, renew, end, end twice or are never heard of again, a counter says what a model says, and nothing is left
// once leases and windows are over. On the memory store; that Redis does the same is the agreement test's (redis/agreement.test.ts).
// TANDEM_FRAUD_WALKS=10000 for more.
import { createRandom } from '@tandem/test-kit'
import { expect, it } from 'vitest'
import { checkOf } from '../contract/fraud.ts'
import { value } from '../contract/world.ts'
import { CANCEL_MS } from '../fraud-rules.ts'
import type { FraudSlot } from '../fraud-store.ts'
import { createReference } from '../shard.ts'
import { createMemoryStore } from './memory-store.ts'

const WALKS = Number(process.env.TANDEM_FRAUD_WALKS ?? 300)
const STEPS = 120
const LIMIT = 5n
const LEASE_MS = 10_000
const WINDOW_MS = 20_000
const SLOT: FraudSlot = { scope: 'source', subject: '192.0.2.1' }
const CHECKS = [
  checkOf('live', { critical: LIMIT }),
  checkOf('calls', { windowMs: WINDOW_MS, critical: 40n }),
  checkOf('talk', { windowMs: WINDOW_MS }),
]

interface Known {
  readonly ref: string
  readonly begunMs: number
  readonly undo: readonly string[]
  leaseMs: number
  state: 'live' | 'ended' | 'cancelled'
}

async function walk(seed: number): Promise<void> {
  const random = createRandom(seed)
  const clock = { ms: 1_700_000_000_000 }
  const store = createMemoryStore({ now: () => clock.ms })
  const calls: Known[] = []
  const pick = () => calls[Math.floor(random() * calls.length)]
  const isLive = ({ state, leaseMs }: Known) => state === 'live' && leaseMs > clock.ms
  const act = {
    begin: async () => {
      const ref = createReference()
      const live = calls.filter(isLive).length
      const begun = await value(store.fraud.begin({ slot: SLOT, ref, leaseMs: LEASE_MS, checks: CHECKS }))
      const over = begun.findings.find(({ index }) => index === 0)
      expect(over?.value ?? BigInt(live + 1)).toBe(BigInt(live + 1))
      expect(live >= Number(LIMIT)).toBe(over !== undefined)
      if (begun.stopped) return
      const { undo, nowMs: begunMs } = begun
      calls.push({ ref, begunMs, undo, leaseMs: clock.ms + LEASE_MS, state: 'live' })
    },
    renew: async () => {
      const call = pick()
      if (call === undefined || call.state === 'cancelled') return
      const leaseMs = LEASE_MS
      await value(store.fraud.renew({ slot: SLOT, ref: call.ref, leaseMs, counters: CHECKS }))
      if (call.state === 'live') call.leaseMs = clock.ms + LEASE_MS
    },
    end: async () => {
      const call = pick()
      if (call === undefined || call.state === 'cancelled') return
      const end = { slot: SLOT, ref: call.ref, counters: CHECKS, talkMs: 7, price: 0n, short: [] }
      expect(await value(store.fraud.end(end))).toBe(call.state === 'live')
      call.state = 'ended'
    },
    cancel: async () => {
      const call = pick()
      if (call === undefined || call.state === 'ended' || clock.ms - call.begunMs >= CANCEL_MS) return
      const { ref, undo, begunMs } = call
      await value(store.fraud.cancel({ slot: SLOT, ref, counters: CHECKS, undo, begunMs }))
      call.state = 'cancelled'
    },
    pass: async () => {
      clock.ms += Math.floor(random() * 4_000)
    },
  }
  const steps = [act.begin, act.begin, act.renew, act.end, act.cancel, act.pass]
  for (let i = 0; i < STEPS; i++) await steps[Math.floor(random() * steps.length)]?.()
  const { length: live } = calls.filter(isLive)
  expect(await value(store.fraud.live(SLOT, 'rule.live', 100))).toHaveLength(live)
  clock.ms += LEASE_MS + 2 * WINDOW_MS
  expect(await value(store.fraud.live(SLOT, 'rule.live', 100))).toEqual([])
  const first = CHECKS.map((check) => ({ ...check, warning: 0n, warningStops: false }))
  const { findings } = await value(store.fraud.begin({ slot: SLOT, ref: createReference(), leaseMs: 1, checks: first }))
  expect(findings.map(({ index, value: now }) => [index, now])).toEqual([
    [0, 1n],
    [1, 1n],
  ])
  clock.ms += 10 * 60_000
  for (let i = 0; i < 3; i++) {
    await value(
      store.fraud.begin({ slot: { scope: 'source', subject: `other-${i}` }, ref: 'r', leaseMs: 1, checks: [] }),
    )
  }
  expect(store.counts().fraudSlotCount).toBeLessThanOrEqual(3)
}

it(`what counts calls says what a model says, and comes back to zero (${WALKS} walks)`, async () => {
  const base = Math.floor(Math.random() * 2 ** 31)
  for (let i = 0; i < WALKS; i++) {
    const seed = (base + i) >>> 0
    await walk(seed).catch((cause: unknown) => {
      throw new Error(`walk of seed ${seed}`, { cause })
    })
  }
}, 60_000)
