// SPDX-License-Identifier: MIT
//
// Ledgers on their way from the store through policy and records into a real PostgreSQL, and back into a store that has lost them.
// Not here: the rules of the store (packages/store/src/contract/ledgers.ts), Redis, gRPC between the parts (test/e2e).
import { createPolicyService, type PolicyService } from '@tandem/policy'
import { type LedgerCopy, type LedgerCopyReader, ledgerCopyFrom, readLedgerCopy } from '@tandem/records'
import { loadResources } from '@tandem/resources'
import { createInProcessRecordFeed, type Result } from '@tandem/rpc'
import { loadConfig, policyConfig, recordsConfig } from '@tandem/service-kit'
import { type AccountAudit, createMemoryStore, createReference, type Store } from '@tandem/store'
import { postgresAvailable, type RunningPostgres, startPostgres, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Restoring, restoreOne } from './ledger.ts'

const server = postgresAvailable()
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const KEEP = 5
const DAY_MS = 86_400_000
const META = { peer: 'tandem-cli', msLeft: 1_000 }
const TERMS = {
  currency: 'EUR',
  creditLimit: undefined,
  maxCalls: undefined,
  callsPerSecond: undefined,
  spendPerHour: undefined,
  spendPerDay: undefined,
}

let database: RunningPostgres
let tables = 0
const closers: (() => Promise<void> | void)[] = []

const resource = (kind: string, name: string, spec: object) => ({
  apiVersion: 'tandem/v1',
  kind,
  metadata: { name },
  spec,
})

function unwrap<T>(result: Result<T>): T {
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result.value
}

class Cluster {
  readonly store: Store
  readonly policy: PolicyService
  copy: LedgerCopy | undefined
  #aheadMs = 0
  readonly #records

  constructor(policy: (store: Store) => PolicyService, records: ReturnType<typeof recordsConfig>) {
    this.store = createMemoryStore({ now: () => Date.now() + this.#aheadMs, settings: { ledgerMaxLen: 20 } })
    this.policy = policy(this.store)
    this.#records = records
  }

  /** Entries become old enough to be folded. */
  passDay(): void {
    this.#aheadMs += DAY_MS
  }

  async startCopy(): Promise<void> {
    const feeds = [createInProcessRecordFeed(this.policy.ledgers as NonNullable<PolicyService['ledgers']>)]
    this.copy = ledgerCopyFrom({ feeds, config: this.#records, consumer: 'one', logger })
    await this.copy?.start()
  }

  async stopCopy(): Promise<void> {
    await this.copy?.stop()
  }

  async topUp(account: string, amount: bigint, key = createReference()): Promise<void> {
    unwrap(await this.policy.handlers.topUp({ account, amount, key }, META))
  }

  async charge(account: string, price: bigint): Promise<void> {
    const ref = createReference()
    const hold = { account, ref, sequence: 0, amount: price, answered: true, create: true, leaseMs: 60_000 }
    await this.store.accounts.hold({ ...hold, terms: TERMS })
    await this.store.accounts.settle({ account, ref, price })
    await this.store.accounts.markLedger(account)
  }

  async audit(account: string): Promise<AccountAudit> {
    const audit = await this.store.accounts.audit(account)
    if (audit.state !== 'stored') throw new Error(audit.state)
    expect(audit.value.ledgerSum).toBe(audit.value.balance)
    return audit.value
  }
}

async function open(): Promise<{ make(): Promise<Cluster>; reader: LedgerCopyReader; table: string }> {
  const table = `ledger_${++tables}`
  process.env.TANDEM_TEST_DB_PASSWORD = database.password
  const sink = { type: 'postgres', name: 'sql', url: database.url, passwordEnv: 'TANDEM_TEST_DB_PASSWORD' }
  const flags = {
    'cluster.secrets': [{ id: 1, secret: 'a secret for tests only' }],
    'records.sinks': [sink],
    'records.ledger.sink': 'sql',
    'records.ledger.table': table,
    'records.ledger.keepEntries': KEEP,
    'records.ledger.retryMaxMs': 200,
  }
  const config = loadConfig({ flags, env: {} })
  const accounts = ['acme', 'bell'].map((name) => resource('Account', name, { currency: 'EUR' }))
  const loaded = await loadResources(accounts, { baseDir: '.', env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const records = recordsConfig(config)
  const reader = readLedgerCopy(records) as LedgerCopyReader
  closers.push(() => reader.close())
  const make = async () => {
    const cluster = new Cluster(
      (store) =>
        createPolicyService({
          store: store.policy,
          accounts: store.accounts,
          config: policyConfig(config),
          resources: loaded.set,
          logger,
          ledgerCopy: { keepEntries: KEEP },
        }),
      records,
    )
    await cluster.policy.start()
    await cluster.startCopy()
    closers.push(
      () => cluster.policy.stop(),
      () => cluster.stopCopy(),
    )
    return cluster
  }
  return { make, reader, table }
}

const portsOf = ({ policy }: Cluster, copy: LedgerCopyReader): Restoring => ({
  copy,
  keepEntries: KEEP,
  getAccount: async (account) => unwrap(await policy.handlers.getAccount({ account, ledger: 0 }, META)),
  restore: async (request) => {
    const { restoreLedger } = policy.handlers
    if (restoreLedger === undefined) throw new Error('policy has no restoreLedger')
    return unwrap(await restoreLedger(request, META))
  },
})

describe.skipIf(!server.available)(
  `the copy of ledgers${server.available ? '' : ` (skipped: ${server.reason})`}`,
  () => {
    beforeAll(async () => {
      database = await startPostgres()
    }, 90_000)
    afterAll(() => database?.stop())
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close()
    })

    const copied = (table: string, account: string) =>
      // The table is made when there is something to copy.
      database
        .ask(`SELECT count(*), coalesce(sum(amount_micros), 0) FROM ${table} WHERE account = '${account}'`)
        .catch(() => '')
    const isCopied = (what: string, isSo: () => Promise<boolean>) => waitUntil(what, isSo, 20_000)

    it('has every entry once, whatever stops in between, and folds none that PostgreSQL does not have', async () => {
      const { make, table } = await open()
      const cluster = await make()
      for (let n = 0; n < 12; n++) await cluster.topUp('acme', 10n)
      await isCopied('the first twelve', async () => (await copied(table, 'acme')) === '12|120')
      await database.kill()
      cluster.passDay()
      for (let n = 0; n < 30; n++) await cluster.charge('acme', 1n)
      // Without a copy they would have been folded at 22.
      expect(await cluster.audit('acme')).toMatchObject({ entries: 42, foldedEntries: 0, balance: 90n })
      await database.start()
      await isCopied('all of them', async () => (await copied(table, 'acme')) === '42|90')
      await cluster.stopCopy()
      cluster.passDay()
      await cluster.charge('acme', 7n)
      await cluster.startCopy()
      await isCopied('one more', async () => (await copied(table, 'acme')) === '43|83')
      await isCopied('folding', async () => (await cluster.audit('acme')).entries === KEEP)
      const { foldedEntries, foldedTo } = await cluster.audit('acme')
      expect(foldedEntries).toBe(43 - KEEP)
      expect(await database.ask(`SELECT count(*) FROM ${table} WHERE id = '${foldedTo}'`)).toBe('1')
      expect(await database.ask(`SELECT count(DISTINCT key), count(replaces) FROM ${table}`)).toBe('43|0')
    }, 60_000)

    it('makes lost ledgers anew, once, and what was paid is not paid again', async () => {
      const { make, reader, table } = await open()
      const lost = await make()
      await lost.topUp('acme', 1_000n, 'paid-1')
      for (let n = 0; n < 9; n++) await lost.charge('acme', 10n)
      await lost.topUp('acme', 5n, 'paid-2')
      await lost.topUp('bell', 3n)
      await isCopied('acme', async () => (await copied(table, 'acme')) === '11|915')
      await isCopied('bell', async () => (await copied(table, 'bell')) === '1|3')
      await lost.stopCopy()
      const fresh = await make()
      const ports = portsOf(fresh, reader)
      const [acme, bell] = await reader.ledgers('')
      if (acme === undefined || bell === undefined) throw new Error('no ledgers')
      expect(await restoreOne(ports, acme, true)).toMatchObject({
        added: 0,
        note: 'would be made anew',
        balance: '0.00',
      })
      expect(await restoreOne(ports, acme, false)).toMatchObject({
        added: KEEP,
        note: 'made anew',
        balance: '0.000915',
      })
      expect(await restoreOne(ports, bell, false)).toMatchObject({ added: 1, balance: '0.000003' })
      expect(await restoreOne(ports, acme, false)).toMatchObject({ added: 0, note: '', balance: '0.000915' })
      expect(await fresh.audit('acme')).toMatchObject({ balance: 915n, entries: KEEP, foldedEntries: 6 })
      for (const [key, amount] of [
        ['paid-1', 1_000n],
        ['paid-2', 5n],
      ] as const) {
        const again = unwrap(await fresh.policy.handlers.topUp({ account: 'acme', amount, key }, META))
        expect(again).toMatchObject({ repeatedBefore: true, balance: 915n })
      }
      await fresh.charge('acme', 15n)
      await isCopied('what came after it', async () => (await copied(table, 'acme')) === '12|900')
    }, 60_000)

    it('adds to a ledger that goes on what it has lost; the row says what it had been', async () => {
      const { make, reader, table } = await open()
      const before = await make()
      await before.topUp('acme', 50n, 'kept')
      await before.topUp('acme', 8n, 'lost')
      await isCopied('both', async () => (await copied(table, 'acme')) === '2|58')
      await before.stopCopy()
      // As after a failover: a master that has seen the first, and others since.
      const after = await make()
      await after.stopCopy()
      await after.topUp('acme', 50n, 'kept')
      await after.topUp('acme', 1n, 'new')
      const [acme] = await reader.ledgers('acme')
      if (acme === undefined) throw new Error('no ledger')
      expect(await restoreOne(portsOf(after, reader), acme, false)).toMatchObject({ added: 1, balance: '0.000059' })
      await after.startCopy()
      await isCopied('the new one', async () => (await copied(table, 'acme')) === '3|59')
      await isCopied('all to be confirmed', async () => {
        const state = await after.audit('acme')
        const newest = await after.store.accounts.read('acme', 1)
        return newest.state === 'stored' && newest.value.ledger[0]?.id === state.copiedTo
      })
      const replaced = `SELECT key FROM ${table} WHERE replaces IS NOT NULL ORDER BY key`
      expect(await database.ask(replaced)).toBe('kept\nlost')
    }, 60_000)

    it('has what was folded before it was copied as one sum, and what it had of it once', async () => {
      const { make, table } = await open()
      const cluster = await make()
      for (let n = 0; n < 4; n++) await cluster.topUp('acme', 10n)
      await isCopied('four', async () => (await copied(table, 'acme')) === '4|40')
      await database.kill()
      for (let n = 0; n < 200; n++) await cluster.charge('acme', 1n)
      const { foldedEntries } = await cluster.audit('acme')
      expect(foldedEntries).toBeGreaterThan(20)
      await database.start()
      const sum = `SELECT sum(amount_micros) FROM ${table}`
      await isCopied('the sum', async () => (await database.ask(sum).catch(() => '')) === '-160')
      expect(await database.ask(`SELECT count(*) FROM ${table} WHERE cause = 'folded'`)).toBe('1')
      expect(await cluster.audit('acme')).toMatchObject({ balance: -160n })
    }, 60_000)
  },
)
