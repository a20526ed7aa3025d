// SPDX-License-Identifier: MIT
//
// Whether the store answers, by what it answered last; one log line for each change. A store that is away from the start
// is the word of who opened it.
import type { Logger } from '@tandem/service-kit'

export class StoreWatch {
  readonly #logger: Pick<Logger, 'info' | 'warn'>
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
}
