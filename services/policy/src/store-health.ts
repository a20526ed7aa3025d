// SPDX-License-Identifier: MIT
//
// Whether the store answered last time: one log line when it goes, one when it comes back, never one per item. [DESIGN §3.8]
import { type Refused, type Unknown, unknown } from '@tandem/rpc'
import type { Logger } from '@tandem/service-kit'
import { RefusedWrites, type Stored, type StoreReason } from '@tandem/store'
import type { PolicyCounts } from './counts.ts'
import { refusal } from './errors.ts'

/** A store result without its value. */
export type Failure = Exclude<Stored<unknown>, { state: 'stored' }>

/** Reasons that say that the store is not there, or never will be as it is. */
const GONE: ReadonlySet<StoreReason> = new Set(['away', 'closed', 'unsupported'])

export class StoreHealth {
  readonly #refusedWrites = new RefusedWrites()
  #away = false
  /** It has answered since the start: before that, whoever opened the store says that it is away. */
  #hasAnswered = false
  readonly #logger: Pick<Logger, 'info' | 'warn'>
  readonly #counts: PolicyCounts
  readonly #retryAfterS: number

  constructor(logger: Pick<Logger, 'info' | 'warn'>, counts: PolicyCounts, retryAfterS: number) {
    this.#logger = logger
    this.#counts = counts
    this.#retryAfterS = retryAfterS
  }

  get away(): boolean {
    return this.#away
  }

  /** Takes note of how an operation ended, and says whether it was stored. */
  see<T>(result: Stored<T>): result is Extract<Stored<T>, { state: 'stored' }> {
    this.#tellRefused(result)
    if (result.state !== 'stored') this.#gone(result)
    else {
      this.#hasAnswered = true
      this.#back()
    }
    return result.state === 'stored'
  }

  /** How an item ends that could not be stored. */
  toResult(failure: Failure): Refused | Unknown {
    if (failure.state === 'unknown') {
      this.#counts.undecided++
      return unknown(failure.detail)
    }
    this.#counts.storeAway++
    return refusal('store_away', this.#retryAfterS)
  }

  #back(): void {
    if (!this.#away) return
    this.#away = false
    this.#logger.info('the store is back')
  }

  /** A store that refuses writes is there: what only reads goes on, and this node stays in service. */
  #tellRefused(result: Stored<unknown>): void {
    const news = this.#refusedWrites.see(result, performance.now())
    if (news === 'begins')
      this.#logger.warn(
        { code: 'store_refused', detail: result.state === 'notStored' ? result.detail : '' },
        'the store refuses writes: what has to be written is refused',
      )
    else if (news === 'ends') this.#logger.info('the store takes writes again')
  }

  /** A single unknown outcome or a full table is trouble of that item, not a store that is gone. */
  #gone(failure: Failure): void {
    if (this.#away || failure.state === 'unknown' || !GONE.has(failure.reason)) return
    this.#away = true
    const level = this.#hasAnswered ? 'warn' : 'info'
    this.#logger[level](
      { reason: failure.reason, detail: failure.detail },
      'the store does not answer: items are refused',
    )
  }
}
