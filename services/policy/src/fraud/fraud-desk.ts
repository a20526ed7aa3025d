// SPDX-License-Identifier: MIT
//
// What the rules share: the store of counters, what they need from outside, and how often somebody is told. Counts are by rule, level
// and action: as many series as there are levels in the rules, up to MAX_SERIES.
import type { Metrics, Series } from '@tandem/service-kit'
import type { FraudEvent, FraudStore } from '@tandem/store'
import type { FraudPorts } from './ports.ts'
import type { RuleCheck } from './rule-checks.ts'

const MAX_GATES = 20_000
const MAX_SERIES = 2_000

interface Gate {
  readonly untilMs: number
  left: number
}

export class FraudDesk {
  readonly store: FraudStore | undefined
  readonly ports: FraudPorts
  readonly #now: () => number
  readonly #gates = new Map<string, Gate>()
  readonly #matches = new Map<string, { readonly labels: Record<string, string>; value: number }>()

  /** @param now wall clock */
  constructor(store: FraudStore | undefined, ports: FraudPorts, now: () => number) {
    this.store = store
    this.ports = ports
    this.#now = now
  }

  /** @returns how many of its kind were left out since the last one; undefined: this one is left out */
  admit(event: Pick<FraudEvent, 'rule' | 'measure' | 'level' | 'subject'>, everyMs: number): number | undefined {
    if (everyMs === 0) return 0
    const key = `${event.rule} ${event.measure} ${event.level} ${event.subject}`
    const now = this.#now()
    const gate = this.#gates.get(key)
    if (gate !== undefined && gate.untilMs > now) {
      gate.left++
      return undefined
    }
    this.#gates.delete(key)
    if (this.#gates.size >= MAX_GATES) this.#gates.delete(this.#gates.keys().next().value as string)
    this.#gates.set(key, { untilMs: now + everyMs, left: 0 })
    return gate?.left ?? 0
  }

  count({ rule, measure }: RuleCheck, level: string, action: string): void {
    const key = `${rule.name} ${measure} ${level} ${action}`
    const known = this.#matches.get(key)
    if (known !== undefined) known.value++
    else if (this.#matches.size < MAX_SERIES) {
      this.#matches.set(key, { labels: { rule: rule.name, measure, level, action }, value: 1 })
    }
  }

  /** Labels and counts. */
  matches(): Iterable<Series> {
    return this.#matches.values()
  }
}

export function registerMatches(metrics: Metrics, desk: FraudDesk): void {
  metrics.counterOf(
    'tandem_policy_fraud_matches_total',
    'Levels of rules against fraud that were reached, by rule, measure, level and action (`dry` in dry run).',
    ['rule', 'measure', 'level', 'action'],
    () => desk.matches(),
  )
}
