// SPDX-License-Identifier: MIT
// REGISTERs without a pause, each user's next one when the last was answered; what was acknowledged, and when it was not.
// A refused or unknown one is sent again with its CSeq, as a phone does; what is refused must say when to come again.
// With `looksUp` each acknowledged one is looked up at once through another node: it has to be there.
import type { LocationService } from '@tandem/location'
import { locate, register } from './redis.ts'

const PAUSE_MS = 20

export class RegisterLoad {
  /** CSeq of the last acknowledged REGISTER, by user. */
  readonly acknowledged: number[]
  /** REGISTERs that were refused without a time to come again, or with another status than 503. */
  readonly bad: string[] = []
  /** Lookups that did not show what was acknowledged before. */
  readonly wrong: string[] = []
  /** REGISTERs of which nobody knows; edges answer them with 503 too. */
  unknown = 0
  refused = 0
  done = 0
  lookups = 0
  lookupsFailed = 0
  #firstFailureMs = 0
  #lastFailureMs = 0
  #isOn = true
  readonly #looksUp: boolean
  /** Number of the first user: two loads on one store are of other users. */
  readonly #first: number
  readonly #users: Promise<void>[]

  constructor(services: readonly LocationService[], users: number, { looksUp = false, firstUser = 0 } = {}) {
    this.#looksUp = looksUp
    this.#first = firstUser
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

  /** Of each user whose binding is older than what was acknowledged, a sentence. */
  async lost(service: LocationService): Promise<string[]> {
    const lost: string[] = []
    for (const [user, cseq] of this.acknowledged.entries()) {
      const stored = await storedCseq(service, this.#first + user)
      if (stored < cseq) lost.push(`user ${user}: ${cseq} was acknowledged, ${stored} is stored`)
    }
    return lost
  }

  async #run(services: readonly LocationService[], user: number): Promise<void> {
    for (let turn = 0, cseq = 1; this.#isOn; turn++) {
      const service = services[(user + turn) % services.length] as LocationService
      const result = await register(service, this.#first + user, cseq)
      if (result.outcome === 'done') {
        this.done++
        this.acknowledged[user] = cseq++
        if (this.#looksUp) await this.#lookUp(services[(user + turn + 1) % services.length] as LocationService, user)
      } else {
        this.#note(result.outcome === 'unknown' ? undefined : result.refusal)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  async #lookUp(service: LocationService, user: number): Promise<void> {
    const found = await locate(service, this.#first + user)
    this.lookups++
    if (found.outcome !== 'done') {
      this.lookupsFailed++
      return
    }
    const [wanted, cseq] = [this.acknowledged[user] ?? 0, found.value.bindings[0]?.cseq ?? 0]
    if (cseq < wanted || found.value.bindings.length > 1)
      this.wrong.push(`user ${user}: ${wanted} was acknowledged, ${cseq} found`)
  }

  #note(refusal: { sipStatus: number; retryAfterS: number; code: string } | undefined): void {
    this.#firstFailureMs ||= performance.now()
    this.#lastFailureMs = performance.now()
    if (refusal === undefined) this.unknown++
    else this.refused++
    if (refusal && (refusal.sipStatus !== 503 || refusal.retryAfterS === 0)) this.bad.push(refusal.code)
  }
}

/** Asked until it is answered: a store may come back in its own time. */
async function storedCseq(service: LocationService, user: number): Promise<number> {
  for (;;) {
    const found = await locate(service, user)
    if (found.outcome === 'done') return found.value.bindings[0]?.cseq ?? 0
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
