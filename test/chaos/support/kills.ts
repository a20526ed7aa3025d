// SPDX-License-Identifier: MIT
// Kills one edge after the other, each at a point that the seed chooses, and starts it again at once. The next kill comes 2 s and a random
// part of a second after the /readyz of the one before.
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from '@tandem/test-kit'

const SETTLE_MS = 2_000
const RANDOM_MS = 1_000

export interface Kill {
  readonly edge: number
  /** After the first call. */
  readonly atMs: number
  /** From its start to its /readyz. */
  readonly readyMs: number
}

/** Who can be killed. */
export interface Victims {
  killEdge(edge: number): Promise<void>
  startEdge(edge: number): Promise<{ readonly readyMs: number }>
}

export interface KillPlan {
  readonly edges: number
  readonly seed: number
  /** At most. */
  readonly kills: number
  /** None later than this after the first call. */
  readonly untilMs: number
}

/** Comes back when the plan is done, with every edge running. */
export async function killInTurn(victims: Victims, plan: KillPlan): Promise<Kill[]> {
  const random = createRandom(plan.seed)
  const began = performance.now()
  const now = (): number => Math.round(performance.now() - began)
  const kills: Kill[] = []
  while (kills.length < plan.kills) {
    await sleep(SETTLE_MS + random() * RANDOM_MS)
    if (now() > plan.untilMs) break
    const edge = Math.floor(random() * plan.edges)
    const atMs = now()
    await victims.killEdge(edge)
    const { readyMs } = await victims.startEdge(edge)
    kills.push({ edge, atMs, readyMs })
  }
  return kills
}
