// SPDX-License-Identifier: MIT
// Two stores take the same random way. Every two hundred operations what has expired is swept on both, and their feeds are compared.
import type { Store } from '../../store.ts'
import * as bindings from './bindings.ts'
import * as directory from './directory.ts'
import * as fraud from './fraud.ts'
import * as trunks from './trunks.ts'
import { type Clock, type Step, Walk } from './walk.ts'

type MakeStep = (walk: Walk) => Step

/** How often each comes, of the sum of all. */
const STEPS: readonly (readonly [weight: number, make: MakeStep])[] = [
  [30, bindings.registerStep],
  [10, bindings.locateStep],
  [3, bindings.kickStep],
  [1, bindings.removeEdgeStep],
  [2, bindings.countStep],
  [1, bindings.sweepStep],
  [4, bindings.readWatchStep],
  [8, directory.beginStep],
  [6, directory.updateCallStep],
  [4, directory.endCallStep],
  [4, directory.adoptStep],
  [4, directory.readCallStep],
  [0.3, directory.listOwnedStep],
  [4, directory.leaseStep],
  [1, directory.leaveStep],
  [2, directory.listEdgesStep],
  [2, directory.holdStreamsStep],
  [2, directory.revokeStep],
  [2, directory.claimGoneStep],
  [1, directory.settleGoneStep],
  [3, directory.mintStep],
  [1, directory.releaseStep],
  [5, directory.nonceStep],
  [12, fraud.beginStep],
  [3, fraud.cancelStep],
  [4, fraud.renewStep],
  [5, fraud.endStep],
  [1, fraud.liveStep],
  [8, trunks.beginAttemptStep],
  [8, trunks.endAttemptStep],
  [3, trunks.endCallStep],
  [3, trunks.probeStep],
  [2, trunks.trialStep],
  [3, trunks.lookStep],
  [2, trunks.workStep],
  [2, trunks.stateStep],
]
/** These compare what a sweep moves. */
const SWEPT_STEPS: typeof STEPS = [
  [4, bindings.writeWatchStep],
  [2, bindings.claimWatchesStep],
]
const TIME_SHARE = 0.08
/** All even (directory.ts says why). */
const PASSES_MS = [2, 8, 100, 334, 1_000, 2_000, 5_000, 32_000, 61_000]
const FEED_EVERY = 200

/** @throws where the two differ, with the operation, its number and both ends */
export async function agree(
  stores: Readonly<Record<string, Store>>,
  clock: Clock,
  random: () => number,
  operations: number,
): Promise<void> {
  const walk = new Walk(stores, clock, random)
  await walk.take(bindings.feedStep())
  while (walk.steps < operations) {
    if (walk.chance(TIME_SHARE)) await passTime(walk)
    await walk.take(choose(walk))
    if (walk.steps % FEED_EVERY === 0) {
      await walk.take(bindings.sweepStep(walk))
      await walk.take(bindings.feedStep())
    }
  }
}

async function passTime(walk: Walk): Promise<void> {
  walk.advance(walk.pick(PASSES_MS))
  if (walk.chance(0.5)) await walk.take(bindings.sweepStep(walk))
}

function choose(walk: Walk): Step {
  const steps = walk.isSwept ? [...STEPS, ...SWEPT_STEPS] : STEPS
  let left = (walk.int(1_000_000) / 1_000_000) * steps.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, make] of steps) {
    left -= weight
    if (left < 0) return make(walk)
  }
  return bindings.locateStep(walk)
}
