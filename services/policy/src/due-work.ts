// SPDX-License-Identifier: MIT
//
// Due work: calls at which something is due (call-work.ts), and those that nobody ended. Every policy node walks over all shards, a few at a time; a lease keeps two nodes
// from the same call, and what one leaves undone another repeats without effect on the record. [STATE.md]
// While the store is away the walk goes on and finds nothing; when it is back the store itself lets one lease pass first.
import { SHARDS } from '@tandem/store'
import type { PolicyContext } from './context.ts'

/** Steps of one round over the shards. */
const STEPS = 16
const SHARDS_PER_STEP = SHARDS / STEPS

async function settleShard(context: PolicyContext, shard: number): Promise<void> {
  const { store, tuning, health, counts } = context
  const due = await store.claimDue(shard, tuning.dueLeaseMs, tuning.dueLimit)
  if (!health.see(due)) return
  for (const { ref } of due.value) {
    if (await context.work.do(ref)) continue
    const settled = await store.settleDue(ref)
    if (health.see(settled) && settled.value.finished) counts.settled++
  }
}

export class DueWork {
  readonly #context: PolicyContext
  readonly #onBug: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #step = 0
  #running: Promise<void> | undefined

  constructor(context: PolicyContext, onBug: (error: unknown) => void) {
    this.#context = context
    this.#onBug = onBug
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), this.#context.tuning.dueRoundMs / STEPS)
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#running
  }

  /** The next shards, one after another; also for tests, which have no time to wait. */
  async step(): Promise<void> {
    const first = this.#step * SHARDS_PER_STEP
    this.#step = (this.#step + 1) % STEPS
    for (let shard = first; shard < first + SHARDS_PER_STEP; shard++) await settleShard(this.#context, shard)
  }

  /** A slow store delays the walk; it never piles steps up. */
  #tick(): void {
    if (this.#running !== undefined) return
    this.#running = this.step()
      .catch(this.#onBug)
      .finally(() => {
        this.#running = undefined
      })
  }
}
