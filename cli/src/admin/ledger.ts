// SPDX-License-Identifier: MIT
//
// `tandem ledger restore [ACCOUNT] [--dry-run]`: makes ledgers that the store has lost anew from their copy in PostgreSQL. An account that
// has nothing gets the sum of its older entries and its newest ones; of another one the entries are added that it lacks. What it
// has is left out, so a repeat changes nothing.
import { type CopiedLedger, type LedgerCopyReader, readLedgerCopy } from '@tandem/records'
import { formatAmount } from '@tandem/resources'
import type { policy } from '@tandem/rpc'
import { type Config, recordsConfig } from '@tandem/service-kit'
import { CommandFailed } from '../command-failed.ts'
import type { Format } from '../formats.ts'
import { render } from '../output.ts'
import { callPolicy } from './targets.ts'

const CHUNK = 500
const COLUMNS = ['account', 'copied', 'copy', 'before', 'added', 'balance', 'note'] as const
const START = '0-0'

/** `copied` and `copy`: entries of the copy, and their sum; `before` and `balance`: of the account. */
type Row = Readonly<Record<(typeof COLUMNS)[number], string | number>>

export interface RestoreFlags {
  readonly dryRun: boolean
}

/** What it asks. */
export interface Restoring {
  readonly copy: Pick<LedgerCopyReader, 'ledgers' | 'idBehind' | 'upTo' | 'after' | 'topUps'>
  readonly keepEntries: number
  getAccount(account: string): Promise<policy.GetAccountResponse>
  restore(request: policy.RestoreLedgerRequest): Promise<policy.RestoreLedgerResponse>
}

type Entries = Awaited<ReturnType<Restoring['copy']['after']>>

const toWire = (entries: Entries): policy.LedgerEntry[] =>
  entries.map((entry) => ({ ...entry, unixMs: 0n, balance: 0n }))

/** The sum of what is older than the newest entries. Returns the id after which entries come one by one. */
async function begin({ copy, keepEntries, restore }: Restoring, account: string): Promise<string> {
  const to = await copy.idBehind(account, keepEntries)
  if (to === '') return START
  const checkpoint = { to, ...(await copy.upTo(account, to)) }
  const keys = toWire(await copy.topUps(account, to, CHUNK))
  const counted = { ...checkpoint, count: BigInt(checkpoint.count) }
  await restore({ account, checkpoint: counted, entries: [], keys })
  return to
}

/** @returns how many there were, or are without `restore` */
async function addLost(ports: Restoring, account: string, from: string, isEmpty: boolean, dryRun: boolean) {
  let added = 0
  for (let after = from; ; ) {
    const entries = await ports.copy.after(account, after, CHUNK)
    after = entries.at(-1)?.id ?? after
    // A sum stands for entries that a ledger with something in it may have.
    const wanted = isEmpty ? entries : entries.filter(({ cause }) => cause !== 'folded')
    if (!dryRun && wanted.length > 0)
      added += (await ports.restore({ account, checkpoint: undefined, entries: toWire(wanted), keys: [] })).added
    if (entries.length < CHUNK) return added
  }
}

export async function restoreOne(ports: Restoring, ledger: CopiedLedger, dryRun: boolean): Promise<Row> {
  const { account, entries: copied, sum } = ledger
  const before = await ports.getAccount(account)
  const isEmpty = before.entries === 0 && before.foldedEntries === 0n
  const from = isEmpty ? (dryRun ? START : await begin(ports, account)) : before.copiedTo || START
  const added = await addLost(ports, account, from, isEmpty, dryRun)
  const after = dryRun ? before : await ports.getAccount(account)
  const note = isEmpty ? (dryRun ? 'would be made anew' : 'made anew') : ''
  return {
    account,
    copied,
    copy: formatAmount(sum),
    before: formatAmount(before.balance),
    added,
    balance: formatAmount(after.balance),
    note,
  }
}

async function restoreAll(ports: Restoring, account: string, { dryRun }: RestoreFlags): Promise<Row[]> {
  const rows: Row[] = []
  for (const ledger of await ports.copy.ledgers(account)) {
    try {
      rows.push(await restoreOne(ports, ledger, dryRun))
    } catch (error) {
      // An account that is no resource any more is no reason to leave the others.
      if (!(error instanceof CommandFailed) || !error.message.includes('unknown_account')) throw error
      const nothing = { before: '', added: 0, balance: '' }
      const { account: name, entries: copied, sum } = ledger
      rows.push({ account: name, copied, copy: formatAmount(sum), ...nothing, note: 'no such account' })
    }
  }
  return rows
}

export async function restoreLedgers(
  config: Config,
  account: string,
  flags: RestoreFlags,
  format: Format,
): Promise<string> {
  const settings = recordsConfig(config)
  const copy = readLedgerCopy(settings)
  if (copy === undefined) throw new CommandFailed('There is no copy: records.ledger.sink names no sink.')
  try {
    const ports: Restoring = {
      copy,
      keepEntries: settings.ledger.keepEntries,
      getAccount: (name) => callPolicy(config, 'getAccount', { account: name, ledger: 0 }),
      restore: (request) => callPolicy(config, 'restoreLedger', request),
    }
    const rows = await restoreAll(ports, account, flags)
    return render(format, rows, COLUMNS, rows)
  } finally {
    copy.close()
  }
}
