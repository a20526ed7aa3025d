// SPDX-License-Identifier: MIT
//
// Whether the store answers, by what it answered last; one log line for each change; and whether it refuses writes. A store that is away from the start
// is the word of who opened it.
import type { Logger } from '@tandem/service-kit'
import { RefusedWrites, type Stored } from '@tandem/store'

export class StoreWatch {
  readonly #logger: Pick<Logger, 'info' | 'warn'>
  readonly #refusedWrites = new RefusedWrites()
  #state: 'unknown' | 'up' | 'away' = 'unknown'

  constructor(logger: Pick<Logger, 'info' | 'warn'>) {
    this.#logger = logger
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  note(isUp: boolean): void {
    const before = this.#state
    this.#state = isUp ? 'up' : 'away'
    if (this.#state === before || before === 'unknown') return
    if (!isUp) this.#logger.warn({ code: 'store_away' }, 'the store is away: registrations get 503 until it is back')
    else this.#logger.info({}, 'the store is back')
  }

  /** A store that is up may refuse writes. */
  see(result: Stored<unknown>): void {
    const news = this.#refusedWrites.see(result, performance.now())
    if (news === 'begins')
      this.#logger.warn(
        { code: 'store_refused', detail: result.state === 'notStored' ? result.detail : '' },
        'the store refuses writes: new registrations and calls get 503, lookups go on',
      )
    else if (news === 'ends') this.#logger.info({}, 'the store takes writes again')
  }
}
