// SPDX-License-Identifier: MIT
// The counters of one subject in memory. scripts/fraud.ts does the same in Redis; the contract suite and the agreement test hold
// the two together. Nothing here reads a clock.

import {
  bucketMs,
  bucketOf,
  CANCEL_MS,
  ENDED_MS,
  MAX_COUNTRY_CALLS,
  MAX_DISTINCT,
  MAX_KNOWN,
  SUB_BUCKETS,
} from '../fraud-rules.ts'
import type { FraudBegun, FraudCancel, FraudCheck, FraudCounter, FraudFinding, FraudKind } from '../fraud-store.ts'

interface Counter {
  /** By kind of sum and bucket: `n17`. */
  readonly buckets: Map<string, bigint>
  /** Member to end of lease, or to when it was last there, oldest first. */
  readonly members: Map<string, number>
  /** No lease ends before. */
  lapseMs: number
  last: string
  run: bigint
  lastMs: number
}

const MEMBER_BOUNDS: Readonly<Partial<Record<FraudKind, number>>> = { distinct: MAX_DISTINCT, fresh: MAX_KNOWN }

export class FraudCounters {
  readonly #counters = new Map<string, Counter>()
  /** Reference, or `reference/` of one that has ended, to when it is forgotten. */
  readonly #seen = new Map<string, number>()
  /** Nothing here counts any more after it. */
  forgetMs = 0

  /** @param held on top of each spend */
  check(checks: readonly FraudCheck[], nowMs: number, held = 0n): Pick<FraudBegun, 'stopped' | 'findings'> {
    const findings: FraudFinding[] = []
    let stopped = false
    for (const [index, check] of checks.entries()) {
      const { warning, critical, warningStops, criticalStops } = check
      if (warning === undefined && critical === undefined) continue
      const value = this.#value(check, nowMs) + (check.kind === 'spend' ? held : 0n)
      const level = critical !== undefined && value > critical ? 'critical' : undefined
      const reached = level ?? (warning !== undefined && value > warning ? 'warning' : undefined)
      if (reached === undefined) continue
      findings.push({ index, level: reached, value })
      stopped ||= reached === 'critical' ? criticalStops : warningStops
    }
    return { stopped, findings }
  }

  isKnown(ref: string, nowMs: number): boolean {
    return (this.#seen.get(ref) ?? 0) > nowMs
  }

  count(ref: string, checks: readonly FraudCheck[], leaseMs: number, nowMs: number): string[] {
    this.#see(ref, nowMs + CANCEL_MS, nowMs)
    return checks.map((check) => this.#count(check, ref, nowMs + leaseMs, nowMs))
  }

  cancel(
    ref: string,
    { counters, undo, begunMs }: Pick<FraudCancel, 'counters' | 'undo' | 'begunMs'>,
    nowMs: number,
  ): void {
    if (!this.isKnown(ref, nowMs)) return
    this.#seen.delete(ref)
    for (const [i, counter] of counters.entries()) this.#undo(counter, ref, undo[i] ?? '', begunMs)
  }

  renew(ref: string, counters: readonly FraudCounter[], leaseMs: number, nowMs: number): bigint[] {
    const isOver = this.isKnown(`${ref}/`, nowMs)
    return counters.map((one) => {
      if ((one.kind === 'live' || one.kind === 'countries') && !isOver) this.#lease(one, ref, nowMs + leaseMs)
      return this.#running(one, nowMs)
    })
  }

  end(
    ref: string,
    counters: readonly FraudCounter[],
    of: { readonly talkMs: number; readonly price: bigint; readonly short: readonly (boolean | undefined)[] },
    nowMs: number,
  ): boolean {
    const isNew = !this.isKnown(`${ref}/`, nowMs)
    if (isNew) this.#see(`${ref}/`, nowMs + ENDED_MS, nowMs)
    for (const [i, one] of counters.entries()) {
      const { kind, member } = one
      if (kind === 'live' || kind === 'countries') this.#at(one).members.delete(leasedAs(kind, ref, member))
      if (!isNew) continue
      if (kind === 'talk') this.#add(one, 'n', BigInt(Math.round(of.talkMs)), nowMs)
      if (kind === 'spend') this.#add(one, 'n', of.price, nowMs)
      const short = of.short[i]
      if (kind !== 'short' || short === undefined) continue
      this.#add(one, 't', 1n, nowMs)
      if (short) this.#add(one, 's', 1n, nowMs)
    }
    return isNew
  }

  live(counter: string, limit: number, nowMs: number): string[] {
    const members = [...(this.#counters.get(counter)?.members ?? [])].filter(([, untilMs]) => untilMs > nowMs)
    members.sort(([, a], [, b]) => a - b)
    return members.slice(0, limit).map(([ref]) => ref)
  }

  #value(check: FraudCheck, nowMs: number): bigint {
    const { kind, member, windowMs, amount } = check
    const counter = this.#counters.get(check.counter)
    const since = nowMs - windowMs
    const isMember = (counter?.members.get(member) ?? Number.NEGATIVE_INFINITY) > since
    switch (kind) {
      case 'calls':
        return this.#sum(check, 'n', nowMs) + 1n
      case 'live':
        return this.#running(check, nowMs) + 1n
      case 'sequence':
        return counter !== undefined && counter.last === member && counter.lastMs >= since ? counter.run + 1n : 1n
      case 'distinct': {
        if (counter !== undefined) dropOld(counter, since)
        return BigInt(Math.min(MAX_DISTINCT, (counter?.members.size ?? 0) + (isMember ? 0 : 1)))
      }
      case 'countries':
        return BigInt(this.#countries(check, nowMs).add(member).size)
      case 'spend':
        return this.#sum(check, 'n', nowMs) + amount
      case 'short': {
        const total = this.#sum(check, 't', nowMs)
        return total < amount || total === 0n ? 0n : (100n * this.#sum(check, 's', nowMs)) / total
      }
      case 'fresh':
        return isMember ? 0n : amount
      default:
        return this.#sum(check, 'n', nowMs)
    }
  }

  /** Of calls that run, and sums. */
  #running(counter: FraudCounter, nowMs: number): bigint {
    const { kind } = counter
    if (kind === 'talk' || kind === 'spend') return this.#sum(counter, 'n', nowMs)
    if (kind === 'countries') return BigInt(this.#countries(counter, nowMs).size)
    const at = kind === 'live' ? this.#counters.get(counter.counter) : undefined
    if (at === undefined) return 0n
    dropLapsed(at, nowMs)
    return BigInt(at.members.size)
  }

  #countries({ counter }: FraudCounter, nowMs: number): Set<string> {
    const at = this.#counters.get(counter)
    if (at === undefined) return new Set()
    dropLapsed(at, nowMs)
    const running = [...at.members].sort(([, a], [, b]) => a - b)
    return new Set(running.slice(0, MAX_COUNTRY_CALLS).map(([member]) => member.slice(0, member.indexOf(' '))))
  }

  #count(check: FraudCheck, ref: string, leaseUntilMs: number, nowMs: number): string {
    const { kind, member, windowMs } = check
    if (kind === 'calls') this.#add(check, 'n', 1n, nowMs)
    if (kind === 'live' || kind === 'countries') this.#lease(check, ref, leaseUntilMs)
    if (kind === 'sequence') return this.#follow(check, nowMs)
    if (kind !== 'distinct' && kind !== 'fresh') return ''
    const { members } = this.#at(check)
    const before = members.get(member)
    members.delete(member)
    members.set(member, nowMs)
    dropOld(this.#at(check), nowMs - windowMs)
    if (members.size > (MEMBER_BOUNDS[kind] ?? 0)) members.delete(members.keys().next().value as string)
    this.#keep(nowMs + windowMs)
    return String(before ?? '')
  }

  #follow(check: FraudCheck, nowMs: number): string {
    const { member, windowMs } = check
    const at = this.#at(check)
    const before = at.last === '' ? '' : `${at.run} ${at.lastMs} ${at.last}`
    at.run = at.last === member && at.lastMs >= nowMs - windowMs ? at.run + 1n : 1n
    at.last = member
    at.lastMs = nowMs
    this.#keep(nowMs + windowMs)
    return before
  }

  #undo(counter: FraudCounter, ref: string, before: string, begunMs: number): void {
    const { kind, member, windowMs } = counter
    const at = this.#at(counter)
    if (kind === 'calls') {
      const bucket = `n${bucketOf(begunMs, windowMs)}`
      const count = at.buckets.get(bucket)
      if (count !== undefined) at.buckets.set(bucket, count - 1n)
    }
    if (kind === 'live' || kind === 'countries') at.members.delete(leasedAs(kind, ref, member))
    if (kind === 'sequence') unfollow(at, member, before, begunMs)
    if ((kind === 'distinct' || kind === 'fresh') && at.members.get(member) === begunMs) {
      at.members.delete(member)
      if (before !== '') putBack(at.members, member, Number(before))
    }
  }

  #add(counter: FraudCounter, sum: 'n' | 't' | 's', amount: bigint, nowMs: number): void {
    const { windowMs } = counter
    const { buckets } = this.#at(counter)
    const bucket = bucketOf(nowMs, windowMs)
    const key = `${sum}${bucket}`
    buckets.set(key, (buckets.get(key) ?? 0n) + amount)
    for (const old of buckets.keys()) if (Number(old.slice(1)) < bucket - SUB_BUCKETS) buckets.delete(old)
    this.#keep(nowMs + windowMs + 2 * bucketMs(windowMs))
  }

  #sum({ counter, windowMs }: FraudCounter, sum: 'n' | 't' | 's', nowMs: number): bigint {
    const first = bucketOf(nowMs, windowMs) - SUB_BUCKETS
    let total = 0n
    for (const [bucket, amount] of this.#counters.get(counter)?.buckets ?? []) {
      if (bucket.startsWith(sum) && Number(bucket.slice(1)) >= first) total += amount
    }
    return total > 0n ? total : 0n
  }

  #at({ counter }: FraudCounter): Counter {
    const known = this.#counters.get(counter)
    if (known !== undefined) return known
    const made = { buckets: new Map(), members: new Map(), lapseMs: Infinity, last: '', run: 0n, lastMs: 0 }
    this.#counters.set(counter, made)
    return made
  }

  #keep(untilMs: number): void {
    this.forgetMs = Math.max(this.forgetMs, untilMs)
  }

  #see(key: string, untilMs: number, nowMs: number): void {
    this.#seen.set(key, untilMs)
    this.#keep(untilMs)
    for (const [old, forgetMs] of this.#seen) {
      if (forgetMs > nowMs) break
      this.#seen.delete(old)
    }
  }

  #lease(counter: FraudCounter, ref: string, untilMs: number): void {
    const at = this.#at(counter)
    at.members.set(leasedAs(counter.kind, ref, counter.member), untilMs)
    at.lapseMs = Math.min(at.lapseMs, untilMs)
    this.#keep(untilMs)
  }
}

const leasedAs = (kind: FraudKind, ref: string, member: string): string => (kind === 'live' ? ref : `${member} ${ref}`)

/** Leases that are over. Looked at only when one may be. */
function dropLapsed(at: Counter, nowMs: number): void {
  if (nowMs < at.lapseMs) return
  at.lapseMs = Number.POSITIVE_INFINITY
  for (const [member, untilMs] of at.members) {
    if (untilMs <= nowMs) at.members.delete(member)
    else at.lapseMs = Math.min(at.lapseMs, untilMs)
  }
}

function dropOld({ members }: Counter, sinceMs: number): void {
  for (const [member, ms] of members) {
    if (ms > sinceMs) return
    members.delete(member)
  }
}

/** In its place by time. */
function putBack(members: Map<string, number>, member: string, ms: number): void {
  const all = [...members, [member, ms] as const].sort(([, a], [, b]) => a - b)
  members.clear()
  for (const [name, at] of all) members.set(name, at)
}

function unfollow(at: Counter, member: string, before: string, begunMs: number): void {
  if (at.last !== member) return
  if (at.lastMs !== begunMs) {
    at.run--
    return
  }
  const [run = '0', lastMs = '0', last = ''] = before.split(' ')
  at.run = BigInt(run)
  at.lastMs = Number(lastMs)
  at.last = last
}
