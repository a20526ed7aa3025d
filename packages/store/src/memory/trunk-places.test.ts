// SPDX-License-Identifier: MIT
//
// Property: however attempts begin, begin twice, fail, are answered, end with their calls, end twice, or are never heard of again, a trunk has as many
// places taken as a model says, never more than it may, and none once its calls are over and somebody has looked. On the memory store; that Redis does the
// same is the agreement test's (redis/agreement.test.ts). TANDEM_TRUNK_WALKS=10000 for more.
import { createRandom } from '@tandem/test-kit'
import { expect, it } from 'vitest'
import { endOf } from '../contract/trunks.ts'
import { value } from '../contract/world.ts'
import { createReference } from '../shard.ts'
import { OVER_MS, TRUNK_KEEP_MS } from '../trunk-rules.ts'
import { createMemoryStore } from './memory-store.ts'

const WALKS = Number(process.env.TANDEM_TRUNK_WALKS ?? 300)
const STEPS = 150
const LIMIT = 6
const LEASE_MS = 10_000
const TRUNK = 'carrier'

interface Call {
  readonly ref: string
  /** Attempts that hold a place. */
  readonly held: Set<number>
  readonly ended: Set<number>
  lives: boolean
}

async function walk(seed: number): Promise<void> {
  const random = createRandom(seed)
  const clock = { ms: 1_700_000_000_000 }
  const store = createMemoryStore({ now: () => clock.ms })
  const { trunks } = store
  const calls: Call[] = [{ ref: createReference(), held: new Set(), ended: new Set(), lives: true }]
  const pick = () => calls[Math.floor(random() * calls.length)] as Call
  const taken = () => calls.reduce((sum, { held }) => sum + held.size, 0)
  const look = async () => {
    const { due, calls: now } = await value(trunks.lookAt(TRUNK, 60_000, LEASE_MS, 100))
    expect(now).toBe(taken())
    for (const ref of due) {
      const call = calls.find((one) => one.ref === ref) as Call
      if (call.lives) continue
      await value(trunks.endCall(TRUNK, ref, undefined, 60_000))
      call.held.clear()
    }
  }
  const act = {
    call: async () => {
      calls.push({ ref: createReference(), held: new Set(), ended: new Set(), lives: true })
    },
    begin: async () => {
      const call = pick()
      if (!call.lives) return
      const attempt = Math.floor(random() * 3)
      const bounds = { maxCalls: LIMIT, callsPerSecond: undefined, leaseMs: LEASE_MS }
      const { refused } = await value(trunks.beginAttempt({ trunk: TRUNK, ref: call.ref, attempt, ...bounds }))
      const wanted = call.held.has(attempt) ? '' : call.ended.has(attempt) ? 'over' : taken() >= LIMIT ? 'calls' : ''
      expect(refused).toBe(wanted)
      if (refused === '') call.held.add(attempt)
    },
    end: async () => {
      const call = pick()
      if (!call.lives) return
      const attempt = Math.floor(random() * 3)
      const keeps = random() < 0.4
      const { isFirst } = await value(trunks.endAttempt(endOf(TRUNK, call.ref, { attempt, keeps })))
      expect(isFirst).toBe(!call.ended.has(attempt))
      call.ended.add(attempt)
      if (!keeps) call.held.delete(attempt)
    },
    hangUp: async () => {
      const call = pick()
      call.lives = false
      if (random() < 0.3) return
      await value(trunks.endCall(TRUNK, call.ref, 1_000, 60_000))
      call.held.clear()
    },
    pass: async () => {
      clock.ms += Math.floor(random() * 300)
    },
    look,
  }
  const steps = [act.call, act.begin, act.begin, act.begin, act.end, act.hangUp, act.pass, act.look]
  for (let i = 0; i < STEPS; i++) {
    await steps[Math.floor(random() * steps.length)]?.()
    expect(taken()).toBeLessThanOrEqual(LIMIT)
    expect(store.counts().trunkPlaceCount).toBe(taken())
  }
  for (const call of calls) call.lives = false
  clock.ms += LEASE_MS
  await look()
  expect(store.counts().trunkPlaceCount).toBe(0)
  clock.ms += OVER_MS + TRUNK_KEEP_MS
  store.tick()
  expect((await value(trunks.lookAt(TRUNK, 60_000, LEASE_MS, 100))).hosts).toEqual([])
}

it(`places of a trunk are those that a model has, and come back to none (${WALKS} walks)`, async () => {
  const base = Math.floor(Math.random() * 2 ** 31)
  for (let i = 0; i < WALKS; i++) {
    const seed = (base + i) >>> 0
    await walk(seed).catch((cause: unknown) => {
      throw new Error(`walk of seed ${seed}`, { cause })
    })
  }
}, 60_000)
