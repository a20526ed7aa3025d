// SPDX-License-Identifier: MIT
// Whole calls to one to three phones over a network that loses, repeats and reorders, by seeds: whatever comes, every request ends,
// the caller gets at most one failure, no answer is lost, and nothing is left in the edges when the timers have run.
// A seed that fails stands in the message; run it alone by putting it first in SEEDS.
import { createRandom } from '@tandem/test-kit'
import { describe, expect, test } from 'vitest'
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts'
import { RandomCallee, RandomCaller } from './support/random-phone.ts'

const RUNS = 120
const STEP_MS = 50
const CALL_MS = 75_000
/** Behind the last response: Timers H, J, M, and the cancelled branches. */
const REST_MS = 140_000
const URI = 'sip:bob@tandem.test'
const STATUSES = [200, 200, 200, 486, 404, 503, 603, 401, 0]

interface Scene {
  readonly cluster: MemoryCluster
  readonly caller: RandomCaller
  readonly callees: readonly RandomCallee[]
}

async function open(seed: number): Promise<Scene> {
  const random = createRandom(seed)
  const pick = (below: number): number => Math.floor(random() * below)
  const cluster = await createMemoryCluster({
    edgeCount: 2,
    network: { seed },
    settings: { 'edge.timers.timerCMs': 40_000 },
  })
  const [near, far] = cluster.edges.map(({ endpoint }) => endpoint) as unknown as [Place, Place]
  const callees: RandomCallee[] = []
  for (let k = 0; k <= pick(3); k += 1) {
    const plan = { status: STATUSES[pick(STATUSES.length)] ?? 0, rings: random() < 0.8, afterMs: pick(12_000) }
    const callee = new RandomCallee(cluster.network, 'bob', `192.0.2.${30 + k}`, far, plan)
    callee.phone.register('tandem.test')
    callees.push(callee)
  }
  await cluster.settle()
  const cancelAfterMs = random() < 0.4 ? pick(9_000) : undefined
  const caller = new RandomCaller(cluster.network, '192.0.2.20', near, { cancelAfterMs })
  Object.assign(cluster.network, { loss: random() * 0.25, duplication: random() * 0.2, reordering: random() * 0.2 })
  return { cluster, caller, callees }
}

interface Place {
  readonly address: string
  readonly port: number
}

async function play({ cluster, caller, callees }: Scene): Promise<void> {
  caller.call(URI, cluster.clock.now())
  for (let ms = 0; ms < CALL_MS; ms += STEP_MS) {
    await cluster.advance(STEP_MS, STEP_MS)
    for (const phone of [caller, ...callees]) phone.tick(cluster.clock.now())
    if (cluster.network.pendingCount > 0) await cluster.settle()
  }
  await cluster.advance(REST_MS, 500)
}

function leftIn({ cluster }: Scene): number[] {
  return cluster.edges.flatMap(({ core }) => [
    core.layer.serverCount,
    core.layer.clientCount,
    core.layer.keptBytes,
    core.proxy.inProgress,
  ])
}

describe('calls over a bad network [RFC3261-16.7] [RFC3261-17] [RFC6026-7]', () => {
  test.each(Array.from({ length: RUNS / 20 }, (_, k) => 1 + 20 * k))('seeds from %i', async (first) => {
    for (let seed = first; seed < first + 20; seed += 1) {
      const scene = await open(seed)
      try {
        await play(scene)
        const { caller, callees, cluster } = scene
        const about = `seed ${seed}`
        expect([...caller.failures].length, about).toBeLessThanOrEqual(1)
        const answered = callees.filter((callee) => callee.hasAnswered).map((callee) => callee.tag)
        expect([...caller.answers].sort(), about).toEqual(answered.sort())
        expect(caller.failures.size + caller.answers.size, about).toBeGreaterThan(0)
        expect(leftIn(scene), about).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
        expect(cluster.problems, about).toEqual([])
      } finally {
        await scene.cluster.close()
      }
    }
  })
})
