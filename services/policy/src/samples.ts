// SPDX-License-Identifier: MIT
//
// What a node of policy looks up in the store now and then for /metrics alone: how many records wait for each sink, how much money is
// held, and which trunks are registered at their carrier. Every node looks at the same store: take the maximum over nodes, not the sum. Of accounts those are looked at that this node has
// let call lately, MAX_ACCOUNTS of them in one look. While the store is away the values of the last look stay.
import type { Labelled, Metrics } from '@tandem/service-kit'
import type { RecordFeedServer } from './calls/record-feed.ts'
import type { PolicyContext } from './context.ts'
import { parseState } from './trunks/registrations.ts'

const EVERY_MS = 15_000
const MAX_ACCOUNTS = 1_000

interface Lag {
  waiting: number
  pending: number
}

export class Samples {
  readonly #context: PolicyContext
  readonly #feed: RecordFeedServer
  readonly #onBug: (error: unknown) => void
  #lags = new Map<string, Lag>()
  #held = new Map<string, number>()
  #registered = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(context: PolicyContext, feed: RecordFeedServer, onBug: (error: unknown) => void) {
    this.#context = context
    this.#feed = feed
    this.#onBug = onBug
  }

  /** @param metrics undefined: nobody wants to know, and nothing is looked up */
  start(metrics: Metrics | undefined): void {
    if (metrics === undefined) return
    this.#timer ??= setInterval(() => void this.look().catch(this.#onBug), EVERY_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#looking?.catch(() => undefined)
  }

  /** One look; by itself once started. */
  look(): Promise<void> {
    this.#looking ??= Promise.all([this.#lookAtRecords(), this.#lookAtMoney(), this.#lookAtTrunks()])
      .then(() => undefined)
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  *waiting(what: keyof Lag): Generator<Labelled> {
    for (const [sink, lag] of this.#lags) yield [sink, lag[what]]
  }

  *held(): Generator<Labelled> {
    for (const [currency, micros] of this.#held) yield [currency, micros / 1e6]
  }

  registered(): Iterable<Labelled> {
    return this.#registered
  }

  async #lookAtRecords(): Promise<void> {
    const lags = new Map<string, Lag>()
    for (const group of this.#feed.groups) {
      const lag = await this.#context.store.recordLag(group)
      if (lag.state !== 'stored') return
      lags.set(group, lag.value)
    }
    this.#lags = lags
  }

  async #lookAtMoney(): Promise<void> {
    const held = new Map<string, number>()
    for (const account of this.#context.marks.active(MAX_ACCOUNTS)) {
      const read = await this.#context.accounts.read(account, 0)
      if (read.state !== 'stored') return
      const { currency, held: micros } = read.value
      if (currency !== '') held.set(currency, (held.get(currency) ?? 0) + Number(micros))
    }
    this.#held = held
  }

  async #lookAtTrunks(): Promise<void> {
    const registered = new Map<string, number>()
    const { trunks, trunkStore } = this.#context
    for (const [trunk, { registration }] of trunks.terms) {
      if (registration === undefined) continue
      const read = await trunkStore.readState(trunk)
      if (read.state !== 'stored') return
      registered.set(trunk, (parseState(read.value.text)?.untilMs ?? 0) > this.#context.now() ? 1 : 0)
    }
    this.#registered = registered
  }
}

export function registerSamples(metrics: Metrics, samples: Samples): void {
  metrics.labelledGauge(
    'tandem_policy_records_waiting',
    'Finished records that a sink has not been given yet, of the cluster.',
    'sink',
    () => samples.waiting('waiting'),
  )
  metrics.labelledGauge(
    'tandem_policy_records_pending',
    'Records given to a sink that has not acknowledged them, of the cluster.',
    'sink',
    () => samples.waiting('pending'),
  )
  metrics.labelledGauge(
    'tandem_policy_held_currency_units',
    'Money held for calls under way, of the accounts that this node has let call lately.',
    'currency',
    () => samples.held(),
  )
  metrics.labelledGauge(
    'tandem_policy_trunk_registered',
    'Of a trunk that registers at its carrier: 1 while its binding there has time left, else 0.',
    'trunk',
    () => samples.registered(),
  )
}
