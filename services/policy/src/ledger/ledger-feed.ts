// SPDX-License-Identifier: MIT
//
// The feed of ledger entries for the records service: takes accounts that are marked, gives out what is not copied of each, oldest
// first, and lets the store fold it once it is acknowledged. An item says in its id what it holds, so any node can take
// its acknowledgement; what is lost on the way is claimed again when its lease is over. [STATE.md, Calls and money]
import type { FeedConsumer, FeedStart, RecordFeed, records } from '@tandem/rpc'
import type { AccountStore, CopiedBatch, DueAccount } from '@tandem/store'
import type { PolicyCounts } from '../counts.ts'
import type { StoreHealth } from '../store-health.ts'
import { idOf, parseId, toItem } from './ledger-item.ts'

/** Shards of the store in which marked accounts lie. */
const SHARDS = 16
const POLL_MS = 500
const LEASE_MS = 30_000
/** Entries of one item. */
const BATCH = 256
/** Accounts of the round over all that one turn looks at. */
const ROUND_BATCH = 64
const ROUND_EVERY_MS = 3_600_000
/** Acknowledgements that wait for the store, at most; beyond it the oldest are forgotten and delivered again. */
const MAX_UNSTORED_ACKS = 4_096

export interface LedgerFeedOptions {
  readonly accounts: AccountStore
  readonly health: Pick<StoreHealth, 'see'>
  readonly counts: PolicyCounts
  /** Of what is copied the newest entries that stay in the store, and the age below which all do. */
  readonly keepEntries: number
  readonly keepMs: number
  /** All accounts there are, for the round that finds what nobody marked. */
  readonly allAccounts: () => Iterable<string>
  /** Monotonic. */
  readonly now: () => number
  readonly onBug: (error: unknown) => void
}

export class LedgerFeed implements RecordFeed {
  readonly #options: LedgerFeedOptions
  readonly #consumers = new Set<LedgerConsumer>()

  constructor(options: LedgerFeedOptions) {
    this.#options = options
  }

  consume({ window }: FeedStart, onItems: (items: records.FeedItem[]) => void): FeedConsumer {
    const one = new LedgerConsumer(this.#options, Math.max(1, window), onItems)
    this.#consumers.add(one)
    return {
      acknowledge: (ids) => one.acknowledge(ids),
      close: () => {
        this.#consumers.delete(one)
        one.close()
      },
    }
  }

  stop(): void {
    for (const one of this.#consumers) one.close()
    this.#consumers.clear()
  }
}

/** What is out: the claim it came by. */
interface Out extends DueAccount {
  readonly untilMs: number
}

class LedgerConsumer implements FeedConsumer {
  readonly #options: LedgerFeedOptions
  readonly #window: number
  readonly #onItems: (items: records.FeedItem[]) => void
  readonly #out = new Map<string, Out>()
  #acknowledged: string[] = []
  #round: Iterator<string> | undefined
  #roundMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #busy = false
  /** Something came while it was busy. */
  #again = false
  #closed = false

  constructor(options: LedgerFeedOptions, window: number, onItems: (items: records.FeedItem[]) => void) {
    this.#options = options
    this.#window = window
    this.#onItems = onItems
    this.#schedule(0)
  }

  acknowledge(ids: string[]): void {
    this.#acknowledged.push(...ids)
    const excess = this.#acknowledged.length - MAX_UNSTORED_ACKS
    if (excess > 0) this.#acknowledged.splice(0, excess)
    this.#schedule(0)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#flush().catch(this.#options.onBug)
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return
    if (this.#busy) {
      this.#again ||= delayMs === 0
      return
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#turn(), delayMs)
  }

  async #turn(): Promise<void> {
    this.#busy = true
    this.#again = false
    let more = false
    try {
      more = await this.#work()
    } catch (error) {
      this.#options.onBug(error)
    }
    this.#busy = false
    this.#schedule(more || this.#again ? 0 : POLL_MS)
  }

  /** True when there may be more at once. */
  async #work(): Promise<boolean> {
    await this.#flush()
    this.#forget()
    await this.#goRound()
    const room = this.#window - this.#out.size
    if (room <= 0) return false
    const claims = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) =>
        Promise.resolve(this.#options.accounts.claimLedgers(shard, LEASE_MS, Math.max(1, Math.floor(room / SHARDS)))),
      ),
    )
    const due = claims.flatMap((claim) => (this.#options.health.see(claim) ? claim.value : []))
    await Promise.all(due.map((account) => this.#give(account)))
    return due.length > 0
  }

  /** Gives out what comes next in the ledger; nothing left: the look is done. */
  async #give({ account, mark }: DueAccount): Promise<void> {
    const { accounts, health, now } = this.#options
    const batch = await accounts.readUncopied(account, BATCH)
    if (!health.see(batch) || this.#closed) return
    if (batch.value.to === batch.value.from) return this.#finish({ account, mark })
    const id = idOf(batch.value)
    this.#out.set(id, { account, mark, untilMs: now() + LEASE_MS })
    this.#onItems([toItem(id, batch.value)])
  }

  /** What came while the mark stood could not mark again, so it is looked for. */
  async #finish({ account, mark }: DueAccount): Promise<void> {
    const { accounts, health } = this.#options
    if (!health.see(await accounts.lookedAtLedger(account, mark))) return
    await this.#markIfGrown(account)
  }

  async #markIfGrown(account: string): Promise<void> {
    const { accounts, health } = this.#options
    const rest = await accounts.readUncopied(account, 1)
    if (!health.see(rest) || rest.value.to === rest.value.from) return
    health.see(await accounts.markLedger(account))
  }

  async #flush(): Promise<void> {
    const ids = this.#acknowledged
    this.#acknowledged = []
    const taken = await Promise.all(ids.map((id) => this.#settle(id)))
    this.#acknowledged.unshift(...ids.filter((_, index) => !taken[index]))
  }

  /** False: the store did not take the acknowledgement. */
  async #settle(id: string): Promise<boolean> {
    const { accounts, health, counts, keepEntries, keepMs } = this.#options
    const batch = parseId(id)
    if (batch === undefined) return true
    const copied = await accounts.copied({ ...batch, keepEntries, keepMs } satisfies CopiedBatch)
    if (!health.see(copied)) return false
    const claim = this.#out.get(id)
    this.#out.delete(id)
    if (copied.value) counts.ledgerEntriesCopied += batch.count
    else counts.ledgerBatchesRefused++
    if (claim === undefined) return true
    if (batch.count === BATCH && !this.#closed) await this.#give(claim)
    else await this.#finish(claim)
    return true
  }

  /** What was not acknowledged in its lease comes by another claim. */
  #forget(): void {
    const now = this.#options.now()
    for (const [id, { untilMs }] of this.#out) if (untilMs <= now) this.#out.delete(id)
  }

  /** Once an hour all accounts are looked at, a few at a time. */
  async #goRound(): Promise<void> {
    const now = this.#options.now()
    if (this.#round === undefined) {
      if (now - this.#roundMs < ROUND_EVERY_MS) return
      this.#roundMs = now
      this.#round = [...this.#options.allAccounts()][Symbol.iterator]()
    }
    const some: string[] = []
    for (let next = this.#round.next(); !next.done; next = this.#round.next()) {
      some.push(next.value)
      if (some.length === ROUND_BATCH) break
    }
    if (some.length < ROUND_BATCH) this.#round = undefined
    await Promise.all(some.map((account) => this.#markIfGrown(account)))
  }
}
