// SPDX-License-Identifier: MIT
//
// Due work: calls at which something is due (call-work.ts), and those that nobody ended. Every policy node walks over all shards, a few at a time; a lease keeps two nodes
// from the same call, and what one leaves undone another repeats without effect on the record. [STATE.md]
// While the store is away the walk goes on and finds nothing; when it is back the store itself lets one lease pass first.
import { type DueCall, SHARDS } from '@tandem/store'
import { renewCall } from '../charging/renew.ts'
import { settleCall } from '../charging/settle.ts'
import { sweepAccounts } from '../charging/sweep-accounts.ts'
import type { PolicyContext } from '../context.ts'

/** Steps of one round over the shards. */
const STEPS = 16
const SHARDS_PER_STEP = SHARDS / STEPS
/** Shards of accounts that one step looks at. */
const SWEPT = 2

/** @returns whether it was money that was due, and nothing else is */
async function doCharge(context: PolicyContext, { charged }: DueCall): Promise<boolean> {
  if (charged === undefined) return false
  if (charged.state === 'ended' || charged.state === 'settled') {
    await settleCall(context, charged)
    return true
  }
  const { chargeAtMs, nowMs, state } = charged
  if (state !== 'answered' || chargeAtMs === 0 || chargeAtMs > nowMs) return false
  await renewCall(context, charged, false)
  return false
}

async function settleShard(context: PolicyContext, shard: number): Promise<void> {
  const { store, tuning, health, counts } = context
  const due = await store.claimDue(shard, tuning.dueLeaseMs, tuning.dueLimit)
  if (!health.see(due)) return
  for (const one of due.value) {
    const { ref } = one
    if (await doCharge(context, one)) continue
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
  #sweepAt = 0
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

  /** All that is due in one shard, accounts too. */
  async shard(shard: number): Promise<void> {
    await settleShard(this.#context, shard)
    if (this.#context.state.metersAccounts) await sweepAccounts(this.#context, shard)
  }

  /** The next shards, one after another; also for tests, which have no time to wait. */
  async step(): Promise<void> {
    const first = this.#step * SHARDS_PER_STEP
    this.#step = (this.#step + 1) % STEPS
    for (let shard = first; shard < first + SHARDS_PER_STEP; shard++) await settleShard(this.#context, shard)
    await this.#sweep(first)
  }

  /** Accounts in a slower walk: SWEPT shards of each step, all of them well within two leases. */
  async #sweep(first: number): Promise<void> {
    if (!this.#context.state.metersAccounts) return
    for (let i = 0; i < SWEPT; i++) await sweepAccounts(this.#context, first + this.#sweepAt + i)
    if (first === (STEPS - 1) * SHARDS_PER_STEP) this.#sweepAt = (this.#sweepAt + SWEPT) % SHARDS_PER_STEP
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
