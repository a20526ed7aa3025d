// SPDX-License-Identifier: MIT
// REGISTERs without a pause, each user's next one when the last was answered; what was acknowledged, and when it was not.
// A refused or unknown one is sent again with its CSeq, as a phone does; what is refused must say when to come again.
import type { LocationService } from '@tandem/location'
import { register } from './redis.ts'

const PAUSE_MS = 20

export class RegisterLoad {
  /** CSeq of the last acknowledged REGISTER, by user. */
  readonly acknowledged: number[]
  /** REGISTERs that were refused without a time to come again, or with another status than 503. */
  readonly bad: string[] = []
  /** REGISTERs of which nobody knows; edges answer them with 503 too. */
  unknown = 0
  refused = 0
  done = 0
  #firstFailureMs = 0
  #lastFailureMs = 0
  #isOn = true
  readonly #users: Promise<void>[]

  constructor(services: readonly LocationService[], users: number) {
    this.acknowledged = Array.from({ length: users }, () => 0)
    this.#users = this.acknowledged.map((_, user) => this.#run(services, user))
  }

  /** From the first REGISTER that was not acknowledged to the last one. */
  get awayMs(): number {
    return this.#lastFailureMs - this.#firstFailureMs
  }

  async stop(): Promise<void> {
    this.#isOn = false
    await Promise.all(this.#users)
  }

  async #run(services: readonly LocationService[], user: number): Promise<void> {
    for (let turn = 0, cseq = 1; this.#isOn; turn++) {
      const service = services[(user + turn) % services.length] as LocationService
      const result = await register(service, user, cseq)
      if (result.outcome === 'done') {
        this.done++
        this.acknowledged[user] = cseq++
      } else {
        this.#note(result.outcome === 'unknown' ? undefined : result.refusal)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  #note(refusal: { sipStatus: number; retryAfterS: number; code: string } | undefined): void {
    this.#firstFailureMs ||= performance.now()
    this.#lastFailureMs = performance.now()
    if (refusal === undefined) this.unknown++
    else this.refused++
    if (refusal && (refusal.sipStatus !== 503 || refusal.retryAfterS === 0)) this.bad.push(refusal.code)
  }
}
