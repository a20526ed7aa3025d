// SPDX-License-Identifier: MIT
// One account in memory: arithmetic on balance, holds, spend and ledger. scripts/accounts.ts does the same in Redis; the
// contract suite holds the two together. Nothing here reads a clock.

import { HOUR_BUCKET_MS, HOUR_BUCKETS, MAX_BALANCE, MINUTES_BUCKET_MS, MINUTES_BUCKETS } from '../account-rules.ts'
import type {
  AccountAudit,
  AccountState,
  AccountTerms,
  CopiedBatch,
  HoldOutcome,
  HoldRefusal,
  HoldRequest,
  LedgerBatch,
  LedgerEntry,
  RestoreOutcome,
  RestoreRequest,
  SettleOutcome,
  SweepOutcome,
  TopUp,
  TopUpOutcome,
} from '../account-store.ts'
import type { FraudBegun } from '../fraud-store.ts'
import type { StoreSettings } from '../store.ts'
import type { FraudCounters } from './fraud-slot.ts'
import { Ledger } from './ledger.ts'

interface Hold {
  sequence: number
  amount: bigint
  answered: boolean
  leaseUntilMs: number
}

interface Done {
  applied: bigint
  lapsed: boolean
  entry: string
  forgetMs: number
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

export class Account {
  readonly #settings: StoreSettings
  #currency = ''
  #held = 0n
  /** Theoretical arrival time of the next call, microseconds: GCRA with a burst of one second. */
  #tatUs = 0
  readonly #holds = new Map<string, Hold>()
  readonly #done = new Map<string, Done>()
  readonly #topUps = new Map<string, { amount: bigint; forgetMs: number }>()
  readonly #spend = new Map<string, bigint>()
  readonly #ledger: Ledger
  #blocked = { untilMs: 0, by: '' }

  constructor(settings: StoreSettings) {
    this.#settings = settings
    this.#ledger = new Ledger(settings)
  }

  get #balance(): bigint {
    return this.#ledger.balance
  }

  get holdCount(): number {
    return this.#holds.size
  }

  /** @param counters of rules against fraud, where the request has checks */
  hold(request: HoldRequest, nowMs: number, counters?: FraudCounters): HoldOutcome {
    const { ref, sequence, terms } = request
    const known = this.#holds.get(ref)
    if (this.#done.has(ref)) return refuse('settled', known, 0n, nowMs)
    if (known !== undefined && known.sequence >= sequence) return this.#repeat(known, request, nowMs)
    if (known === undefined && !request.create) return refuse('gone', known, 0n, nowMs)
    const wanted = known !== undefined && known.amount > request.amount ? known.amount : request.amount
    const delta = wanted - (known?.amount ?? 0n)
    const objection = this.#objection(request, delta, nowMs)
    if (objection !== undefined) return refuse(objection, known, this.#available(terms, nowMs), nowMs)
    const checked = counters?.check(request.fraud ?? [], nowMs, this.#held + delta)
    if (checked?.stopped === true) {
      const fraud = { ...checked, undo: [], nowMs }
      return { ...refuse('fraud', known, this.#available(terms, nowMs), nowMs), fraud }
    }
    const late = this.#lateObjection(request, nowMs)
    if (late !== undefined) return refuse(late, known, this.#available(terms, nowMs), nowMs)
    if (sequence === 0) this.#arrive(terms, nowMs)
    this.#held += delta
    if (this.#currency === '') this.#currency = terms.currency
    const hold = { sequence, amount: wanted, answered: request.answered, leaseUntilMs: nowMs + request.leaseMs }
    this.#holds.set(ref, hold)
    if (checked === undefined || counters === undefined) return { result: 'held', sequence, amount: wanted, nowMs }
    const undo = counters.count(ref, request.fraud ?? [], request.leaseMs, nowMs)
    const fraud: FraudBegun = { ...checked, undo, nowMs }
    return { result: 'held', sequence, amount: wanted, nowMs, fraud }
  }

  block(forMs: number, by: string, nowMs: number): number {
    const untilMs = nowMs + forMs
    if (untilMs > this.#blocked.untilMs) this.#blocked = { untilMs, by }
    return this.#blocked.untilMs
  }

  unblock(nowMs: number): boolean {
    const was = this.#blocked.untilMs > nowMs
    this.#blocked = { untilMs: 0, by: '' }
    return was
  }

  settle(ref: string, price: bigint, nowMs: number): SettleOutcome {
    this.#prune(nowMs)
    const done = this.#done.get(ref)
    if (done !== undefined) return this.#settleAgain(ref, done, price, nowMs)
    const applied = least(price, this.#release(ref))
    return { applied, repeated: false, entry: this.#apply(ref, applied, false, nowMs) }
  }

  verify(ref: string, applied: bigint, entry: string, nowMs: number): boolean {
    const done = this.#done.get(ref)
    const isThere = done !== undefined || this.#ledger.has(entry)
    if (!isThere) {
      this.#release(ref)
      this.#apply(ref, applied, false, nowMs)
    }
    const kept = this.#done.get(ref)
    if (kept !== undefined) kept.forgetMs = nowMs + this.#settings.settledKeepMs
    return !isThere
  }

  topUp({ key, amount, currency, cause }: TopUp, nowMs: number): TopUpOutcome {
    const known = this.#topUps.get(key)
    if (known !== undefined) {
      return { result: known.amount === amount ? 'repeated' : 'conflict', balance: this.#balance }
    }
    if (!this.#takes(currency)) return { result: 'currency', balance: this.#balance }
    const balance = this.#balance + amount
    if (isBeyond(balance)) return { result: 'overflow', balance: this.#balance }
    if (this.#currency === '') this.#currency = currency
    this.#ledger.append(key, cause, amount, nowMs)
    this.#topUps.set(key, { amount, forgetMs: nowMs + this.#settings.topUpKeepMs })
    return { result: 'applied', balance }
  }

  sweep(limit: number, nowMs: number): SweepOutcome {
    let settled = 0
    let released = 0
    const lapsed = [...this.#holds].filter(([, hold]) => hold.leaseUntilMs <= nowMs)
    lapsed.sort(([, a], [, b]) => a.leaseUntilMs - b.leaseUntilMs)
    for (const [ref, { answered }] of lapsed.slice(0, limit)) {
      const granted = this.#release(ref)
      if (answered) this.#apply(ref, granted, true, nowMs)
      if (answered) settled++
      else released++
    }
    return { settled, released, left: this.#holds.size }
  }

  read(account: string, limit: number, nowMs: number): AccountState {
    const calls = [...this.#holds.values()].filter((hold) => hold.leaseUntilMs > nowMs).length
    return {
      account,
      currency: this.#currency,
      balance: this.#balance,
      held: this.#held,
      holds: this.#holds.size,
      calls,
      spentHour: this.#spent('m', nowMs),
      spentDay: this.#spent('h', nowMs),
      blockedUntilMs: this.#blocked.untilMs,
      blockedBy: this.#blocked.by,
      nowMs,
      ledger: this.#ledger.newestFirst(limit),
    }
  }

  audit(): AccountAudit {
    let holdsSum = 0n
    for (const hold of this.#holds.values()) holdsSum += hold.amount
    return { balance: this.#balance, held: this.#held, holdsSum, ...this.#ledger.audit() }
  }

  uncopied(account: string, limit: number): LedgerBatch {
    return { account, currency: this.#currency, ...this.#ledger.uncopied(limit) }
  }

  copied(batch: CopiedBatch, nowMs: number): boolean {
    return this.#ledger.copied(batch, nowMs)
  }

  restore({ currency, checkpoint, entries, keys }: RestoreRequest, nowMs: number): RestoreOutcome {
    let added = 0
    const end = (result: RestoreOutcome['result']): RestoreOutcome => ({ result, added, balance: this.#balance })
    if (!this.#takes(currency)) return end('currency')
    if (checkpoint !== undefined && !this.#ledger.beginAt(checkpoint)) return end('notEmpty')
    if (this.#currency === '') this.#currency = currency
    for (const entry of entries) {
      if (this.#topUps.has(entry.key)) continue
      if (isBeyond(this.#balance + entry.amount)) return end('overflow')
      const id = this.#ledger.restore(entry, nowMs)
      if (id === '') continue
      this.#remember(entry, id, nowMs)
      added++
    }
    for (const { key, amount } of keys) this.#know(key, amount, nowMs)
    return end('restored')
  }

  /** What was charged is not charged again, what was added not added again. */
  #remember({ key, cause, amount }: Pick<LedgerEntry, 'key' | 'cause' | 'amount'>, entry: string, nowMs: number): void {
    if (cause === 'topup') this.#know(key, amount, nowMs)
    if (!key.endsWith('/1') || (cause !== 'call' && cause !== 'lapsed')) return
    const done = { applied: -amount, lapsed: cause === 'lapsed', entry }
    this.#done.set(key.slice(0, -2), { ...done, forgetMs: nowMs + this.#settings.settlingKeepMs })
  }

  #know(key: string, amount: bigint, nowMs: number): void {
    if (!this.#topUps.has(key)) this.#topUps.set(key, { amount, forgetMs: nowMs + this.#settings.topUpKeepMs })
  }

  #repeat(known: Hold, { answered, leaseMs }: HoldRequest, nowMs: number): HoldOutcome {
    known.answered ||= answered
    known.leaseUntilMs = Math.max(known.leaseUntilMs, nowMs + leaseMs)
    return { result: 'repeated', sequence: known.sequence, amount: known.amount, nowMs }
  }

  #takes(currency: string): boolean {
    return this.#currency === '' || currency === '' || currency === this.#currency
  }

  #objection({ sequence, terms }: HoldRequest, delta: bigint, nowMs: number): HoldRefusal | undefined {
    if (sequence === 0 && this.#blocked.untilMs > nowMs) return 'blocked'
    if (!this.#takes(terms.currency)) return 'currency'
    if (delta > 0n) {
      const committed = this.#held + delta
      if (this.#balance + (terms.creditLimit ?? MAX_BALANCE) < committed) return 'credit'
      const { spendPerHour, spendPerDay } = terms
      if (spendPerHour !== undefined && this.#spent('m', nowMs) + committed > spendPerHour) return 'spendHour'
      if (spendPerDay !== undefined && this.#spent('h', nowMs) + committed > spendPerDay) return 'spendDay'
    }
    return undefined
  }

  /** Bounds of new calls: after what rules against fraud say of them. */
  #lateObjection({ sequence, terms }: HoldRequest, nowMs: number): HoldRefusal | undefined {
    if (sequence > 0) return undefined
    if (terms.maxCalls !== undefined && this.#calls(nowMs) >= terms.maxCalls) return 'calls'
    const { callsPerSecond } = terms
    if (callsPerSecond === undefined) return undefined
    return this.#nextTat(callsPerSecond, nowMs) - nowMs * 1_000 > 1_000_000 ? 'rate' : undefined
  }

  #calls(nowMs: number): number {
    let calls = 0
    for (const hold of this.#holds.values()) if (hold.leaseUntilMs > nowMs) calls++
    return calls
  }

  #nextTat(callsPerSecond: number, nowMs: number): number {
    return Math.max(this.#tatUs, nowMs * 1_000) + Math.floor(1_000_000 / callsPerSecond)
  }

  #arrive({ callsPerSecond }: AccountTerms, nowMs: number): void {
    if (callsPerSecond !== undefined) this.#tatUs = this.#nextTat(callsPerSecond, nowMs)
  }

  #available(terms: AccountTerms, nowMs: number): bigint {
    let left = this.#balance + (terms.creditLimit ?? MAX_BALANCE) - this.#held
    if (terms.spendPerHour !== undefined) left = least(left, terms.spendPerHour - this.#spent('m', nowMs) - this.#held)
    if (terms.spendPerDay !== undefined) left = least(left, terms.spendPerDay - this.#spent('h', nowMs) - this.#held)
    return left > 0n ? left : 0n
  }

  /** Takes the hold away. Returns what was granted. */
  #release(ref: string): bigint {
    const granted = this.#holds.get(ref)?.amount ?? 0n
    this.#held -= granted
    this.#holds.delete(ref)
    return granted
  }

  #settleAgain(ref: string, done: Done, price: bigint, nowMs: number): SettleOutcome {
    if (done.lapsed && price < done.applied) {
      const back = done.applied - price
      done.applied = price
      done.lapsed = false
      this.#ledger.append(`${ref}/2`, 'correction', back, nowMs)
      this.#addSpend(-back, nowMs)
    }
    return { applied: done.applied, repeated: true, entry: done.entry }
  }

  #apply(ref: string, applied: bigint, lapsed: boolean, nowMs: number): string {
    const cause = lapsed ? 'lapsed' : 'call'
    const entry = applied > 0n ? this.#ledger.append(`${ref}/1`, cause, -applied, nowMs) : ''
    if (applied > 0n) this.#addSpend(applied, nowMs)
    const keepMs = applied > 0n ? this.#settings.settlingKeepMs : this.#settings.settledKeepMs
    this.#done.set(ref, { applied, lapsed, entry, forgetMs: nowMs + keepMs })
    return entry
  }

  #addSpend(amount: bigint, nowMs: number): void {
    for (const bucket of [minutesBucket(nowMs), hourBucket(nowMs)]) {
      this.#spend.set(bucket, (this.#spend.get(bucket) ?? 0n) + amount)
    }
    for (const bucket of this.#spend.keys()) if (isOld(bucket, nowMs)) this.#spend.delete(bucket)
  }

  #spent(kind: 'm' | 'h', nowMs: number): bigint {
    let sum = 0n
    for (const [bucket, amount] of this.#spend) {
      if (bucket.startsWith(kind) && !isOld(bucket, nowMs)) sum += amount
    }
    return sum > 0n ? sum : 0n
  }

  /** Settlements and keys are in the order in which they came, so that the oldest are first. */
  #prune(nowMs: number): void {
    let looks = 8
    for (const [ref, { forgetMs }] of this.#done) {
      if (looks-- === 0) break
      if (forgetMs <= nowMs) this.#done.delete(ref)
    }
    for (const [key, { forgetMs }] of this.#topUps) {
      if (forgetMs > nowMs) break
      this.#topUps.delete(key)
    }
  }
}

function refuse(why: HoldRefusal, known: Hold | undefined, available: bigint, nowMs: number) {
  const at = { sequence: known?.sequence ?? -1, amount: known?.amount ?? 0n, nowMs }
  return { result: 'refused', why, available, ...at } as const
}

const isBeyond = (balance: bigint): boolean => balance > MAX_BALANCE || balance < -MAX_BALANCE

const minutesBucket = (nowMs: number): string => `m${Math.floor(nowMs / MINUTES_BUCKET_MS)}`
const hourBucket = (nowMs: number): string => `h${Math.floor(nowMs / HOUR_BUCKET_MS)}`

function isOld(bucket: string, nowMs: number): boolean {
  const index = Number(bucket.slice(1))
  if (bucket.startsWith('m')) return index < Math.floor(nowMs / MINUTES_BUCKET_MS) - MINUTES_BUCKETS
  return index < Math.floor(nowMs / HOUR_BUCKET_MS) - HOUR_BUCKETS
}
