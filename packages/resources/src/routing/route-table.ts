// SPDX-License-Identifier: MIT
//
// Routes laid out: which one a call takes. Of the routes that fit, the longest match counts (comparePatterns); of those with
// one pattern the lowest priority, then the one with more conditions, then the name that comes first.
import type { PlanEdit } from '../plan-verdict.ts'
import type { ScheduleClock } from '../schedule/schedule-clock.ts'
import { type NumberPattern, openPattern, parsePattern } from './number-pattern.ts'
import { PatternTable } from './pattern-table.ts'
import type { Route } from './route.ts'
import type { OutCall, OutCaller, Refused } from './routed.ts'
import type { OutTrunk } from './trunk-entry.ts'
import type { OutGroup } from './trunk-order.ts'

export interface RouteEntry {
  readonly name: string
  readonly key: string
  readonly text: string
  readonly priority: number
  /** undefined: users of ours. */
  readonly from: CallerGroup | undefined
  readonly schedule: ScheduleClock | undefined
  readonly scheduleName: string
  readonly group: OutGroup | undefined
  readonly trunk: OutTrunk | undefined
  readonly refused: Refused | undefined
  readonly edits: readonly PlanEdit[]
}

export interface CallerGroup {
  readonly domains: ReadonlySet<string> | undefined
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly trunks: ReadonlySet<string> | undefined
}

export function patternOf({ prefix, pattern }: Route['spec']): NumberPattern | undefined {
  return prefix === undefined ? parsePattern(pattern ?? '') : openPattern(prefix)
}

export function callerGroup({ from }: Route['spec']): CallerGroup | undefined {
  if (from === undefined) return undefined
  return {
    domains: from.domains && new Set(from.domains),
    labels: Object.entries(from.labels ?? {}),
    trunks: from.trunks && new Set(from.trunks),
  }
}

/** Whether a caller is of the group; '' or the reason why not. */
export function whyNotCaller(from: CallerGroup | undefined, { aor, domain, labels, trunk }: OutCaller): string {
  if (from?.trunks !== undefined) return from.trunks.has(trunk) ? '' : 'it is for calls that come by other trunks'
  if (aor === '') return 'it is for users of ours'
  if (from === undefined) return ''
  if (from.domains?.has(domain) === false) return `it is not for users of ${domain}`
  const missing = from.labels.find(([name, value]) => labels[name] !== value)
  return missing === undefined ? '' : `it is for callers with the label ${missing.join(': ')}`
}

export function whyNot({ from, schedule, scheduleName }: RouteEntry, { caller, nowMs }: OutCall): string {
  const who = whyNotCaller(from, caller)
  if (who !== '') return who
  return schedule?.isWithin(nowMs) === false ? `it is outside of Schedule/${scheduleName}` : ''
}

const conditions = ({ from, schedule }: RouteEntry): number =>
  (from === undefined ? 0 : 2 + from.labels.length) + (schedule === undefined ? 0 : 1)

/** Order in which routes of one pattern are asked. */
export function compareRoutes(a: RouteEntry, b: RouteEntry): number {
  return a.priority - b.priority || conditions(b) - conditions(a) || (a.name < b.name ? -1 : 1)
}

export class RouteTable {
  readonly #table = new PatternTable<RouteEntry>()

  /** @param routes sorted by `compareRoutes` */
  add(pattern: NumberPattern, route: RouteEntry): void {
    this.#table.add(pattern, route)
  }

  get size(): number {
    return this.#table.size
  }

  /** @param passed is told each better match that the call may not take, and why */
  find(call: OutCall, passed?: (route: RouteEntry, why: string) => void): RouteEntry | undefined {
    return this.#table.find(call.number, (route) => {
      const why = whyNot(route, call)
      if (why !== '') passed?.(route, why)
      return why === ''
    })
  }
}
