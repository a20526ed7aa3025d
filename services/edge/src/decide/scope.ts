// SPDX-License-Identifier: MIT
//
// The settings under which a request is decided: those of the cluster, or of the domain that its Request-URI names.
import { Breaker } from '@tandem/rpc'
import type { EdgeConfig } from '@tandem/service-kit'
import type { SipMessage } from '@tandem/sip'

type DecideConfig = EdgeConfig['decide']
export type WhenAway = DecideConfig['whenAway']

export interface DecideScope {
  readonly timeoutMs: number
  readonly whenAway: WhenAway
  /** Of a domain that has one of its own. */
  readonly breaker: Breaker | undefined
}

export class DecideScopes {
  readonly #common: DecideScope
  /** Undefined where no domain has settings of its own: then nothing is looked up. */
  readonly #domains: ReadonlyMap<string, DecideScope> | undefined

  constructor({ decide, rpc }: Pick<EdgeConfig, 'decide' | 'rpc'>) {
    const timeoutMs = decide.deadlineMs || rpc.timeoutMs
    const { whenAway } = decide
    this.#common = { timeoutMs, whenAway, breaker: undefined }
    const own = Object.entries(decide.domains)
    if (own.length === 0) return
    this.#domains = new Map(
      own.map(([name, { deadlineMs = timeoutMs, whenAway: mode = whenAway, breaker }]) => [
        name,
        { timeoutMs: deadlineMs, whenAway: mode, breaker: breaker && new Breaker(breaker) },
      ]),
    )
  }

  of(msg: SipMessage): DecideScope {
    if (this.#domains === undefined || msg.uriHostStart < 0) return this.#common
    return this.#domains.get(msg.text(msg.uriHostStart, msg.uriHostEnd).toLowerCase()) ?? this.#common
  }

  /** Whether any of them wants decisions to be remembered. */
  get remember(): boolean {
    if (this.#common.whenAway === 'last-known') return true
    return [...(this.#domains?.values() ?? [])].some(({ whenAway }) => whenAway === 'last-known')
  }

  /** Domains with a breaker of their own, and their state. */
  *breakers(): Iterable<[string, Breaker]> {
    for (const [name, { breaker }] of this.#domains ?? []) if (breaker !== undefined) yield [name, breaker]
  }
}
