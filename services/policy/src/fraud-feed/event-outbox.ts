// SPDX-License-Identifier: MIT
//
// From a finding to the store: whoever finds something hands it over and goes on. Events wait in a bounded queue while the
// store is away; at the bound the oldest go, are counted, and are said once. An append whose outcome is unknown is repeated:
// the store takes an event once by its id.
import type { Logger } from '@tandem/service-kit'
import type { FraudEvent, FraudEventStore, Stored } from '@tandem/store'

/** Events that wait for the store, at most. */
export const MAX_WAITING = 4_096
/** Appends under way at once. */
const BATCH = 32
const RETRY_MIN_MS = 100
const RETRY_MAX_MS = 5_000

export interface OutboxCounts {
  fraudEvents: number
  fraudEventsDropped: number
}

export class EventOutbox {
  readonly #store: Pick<FraudEventStore, 'append'>
  readonly #counts: OutboxCounts
  readonly #logger: Pick<Logger, 'warn'>
  readonly #onBug: (error: unknown) => void
  #waiting: FraudEvent[] = []
  #isBusy = false
  #isDropping = false
  #retryMs = RETRY_MIN_MS
  #timer: NodeJS.Timeout | undefined

  constructor(
    store: Pick<FraudEventStore, 'append'>,
    counts: OutboxCounts,
    logger: Pick<Logger, 'warn'>,
    onBug: (error: unknown) => void,
  ) {
    this.#store = store
    this.#counts = counts
    this.#logger = logger
    this.#onBug = onBug
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Never throws and never waits. */
  emit(event: FraudEvent): void {
    this.#waiting.push(event)
    if (this.#waiting.length > MAX_WAITING) this.#drop()
    if (this.#timer === undefined) this.#turn()
  }

  /** What waits is tried once more, for that long at most. */
  async stop(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs
    while ((this.#waiting.length > 0 || this.#isBusy) && performance.now() < deadline) {
      this.#turn()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    clearTimeout(this.#timer)
  }

  #drop(): void {
    this.#waiting.shift()
    this.#counts.fraudEventsDropped++
    if (this.#isDropping) return
    this.#isDropping = true
    this.#logger.warn({ limit: MAX_WAITING }, 'the store is away: the oldest fraud events are dropped')
  }

  #turn(): void {
    if (this.#isBusy) return
    this.#isBusy = true
    this.#work()
      .catch((error: unknown) => {
        this.#onBug(error)
        return false
      })
      .then((isDone) => {
        this.#isBusy = false
        if (!isDone) return this.#later()
        this.#retryMs = RETRY_MIN_MS
        // What came between the last look and now.
        if (this.#waiting.length > 0) this.#turn()
      })
      .catch(this.#onBug)
  }

  #later(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#turn()
    }, this.#retryMs)
    this.#timer.unref()
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS)
  }

  async #append(event: FraudEvent): Promise<Stored<boolean> | undefined> {
    try {
      return await this.#store.append(event)
    } catch (error) {
      this.#onBug(error)
      return undefined
    }
  }

  /** False: what is left is tried again later. */
  async #work(): Promise<boolean> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      const results = await Promise.all(batch.map((event) => this.#append(event)))
      const left = batch.filter((_, i) => results[i]?.state !== 'stored')
      this.#counts.fraudEvents += batch.length - left.length
      this.#waiting.unshift(...left)
      if (left.length > 0) return false
      this.#isDropping = false
    }
    return true
  }
}
