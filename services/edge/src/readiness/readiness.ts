// SPDX-License-Identifier: MIT
//
// Whether an edge takes calls: its ports are open, they answer SIP, its event loop keeps up, and it is not on its way out. What all edges
// share (location, policy, the store behind them) gates the first time only: were every edge to stop being ready when policy
// is away, nobody would be left to go on with the calls that are up and to refuse the others properly.
//
// Race: a round of probes that is under way when the edge begins to drain ends unheard.

import type { EdgeConfig, Logger } from '@tandem/service-kit'
import { LagWatch } from './lag-watch.ts'
import type { SelfProbe } from './self-probe.ts'

/** What the readiness of an edge hangs on besides its own ports, by the name that /readyz says. */
export interface Gates {
  /** Its own, each time. */
  readonly own: Readonly<Record<string, () => boolean>>
  /** Of all edges, until all of them were open at once. */
  readonly shared: Readonly<Record<string, () => boolean>>
}

/** Between rounds while the edge is not ready. */
const HURRY_MS = 200

export class Readiness {
  readonly lag = new LagWatch()
  private readonly config: EdgeConfig['readiness']
  private readonly probe: SelfProbe | undefined
  private readonly gates: Gates
  private readonly logger: Logger
  private timer: NodeJS.Timeout | undefined
  private hasPassed = false
  private answers: boolean
  private failures = 0
  private isLate = false
  private isStopped = false

  /** @param probe absent: whether ports answer is not asked */
  constructor(config: EdgeConfig['readiness'], gates: Gates, logger: Logger, probe?: SelfProbe) {
    this.config = config
    this.gates = gates
    this.logger = logger
    this.probe = probe
    this.answers = probe === undefined
  }

  /** The ports are open. */
  start(): void {
    void this.round()
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
    this.probe?.close()
  }

  /** What is missing; nothing where the edge is ready. */
  missing(): string[] {
    const own = closed(this.gates.own)
    if (!this.answers) own.push('an answer to OPTIONS at its own port')
    if (this.isLate) own.push(`an event loop that is less than ${this.config.maxLagMs} ms late`)
    const shared = this.hasPassed ? [] : closed(this.gates.shared)
    if (own.length === 0 && shared.length === 0) this.hasPassed = true
    return [...own, ...shared]
  }

  private async round(): Promise<void> {
    const outcome = await this.probe?.ask()
    if (this.isStopped) return
    if (outcome !== undefined) this.note(outcome)
    const { intervalMs } = this.config
    this.timer = setTimeout(() => void this.round(), this.answers ? intervalMs : Math.min(intervalMs, HURRY_MS))
    this.noteLag()
  }

  private note(outcome: 'answered' | 'silent' | 'unknown'): void {
    if (outcome === 'unknown') return // another edge had the question
    this.failures = outcome === 'answered' ? 0 : this.failures + 1
    const answers = outcome === 'answered' || (this.answers && this.failures < this.config.failures)
    if (answers !== this.answers && this.hasPassed) {
      this.logger.warn(
        answers ? 'this edge answers at its own port again' : 'this edge does not answer at its own port',
      )
    }
    this.answers = answers
  }

  private noteLag(): void {
    const { maxLagMs } = this.config
    const lagMs = this.lag.take()
    const isLate = maxLagMs > 0 && lagMs > maxLagMs
    if (isLate !== this.isLate) {
      this.logger.warn(
        { lagMs: Math.round(lagMs) },
        isLate ? 'the event loop is too late' : 'the event loop keeps up again',
      )
    }
    this.isLate = isLate
  }
}

function closed(gates: Readonly<Record<string, () => boolean>>): string[] {
  return Object.entries(gates)
    .filter(([, isOpen]) => !isOpen())
    .map(([name]) => name)
}
