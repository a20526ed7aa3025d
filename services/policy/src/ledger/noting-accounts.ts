// SPDX-License-Identifier: MIT
//
// Accounts whose ledgers are copied elsewhere: whatever adds an entry says so, so that nobody has to look for it.
import type { AccountStore, Eventual, Stored } from '@tandem/store'
import { whenStored } from '@tandem/store'

/** As `accounts`; `note` hears of each account whose ledger may have grown. */
export function notingAccounts(accounts: AccountStore, note: (account: string) => void): AccountStore {
  const noted = <T>(account: string, result: Eventual<T>, hasGrown: (value: T) => boolean): Eventual<T> =>
    whenStored(result, (ended: Stored<T>) => {
      // An unknown one may have.
      if (ended.state === 'unknown' || (ended.state === 'stored' && hasGrown(ended.value))) note(account)
      return ended
    })
  return {
    hold: (request) => accounts.hold(request),
    settle: (request) => noted(request.account, accounts.settle(request), ({ entry }) => entry !== ''),
    verify: (request) => noted(request.account, accounts.verify(request), (wasLost) => wasLost),
    topUp: (request) => noted(request.account, accounts.topUp(request), ({ result }) => result === 'applied'),
    block: (account, forMs, by) => accounts.block(account, forMs, by),
    unblock: (account) => accounts.unblock(account),
    read: (account, ledger) => accounts.read(account, ledger),
    audit: (account) => accounts.audit(account),
    mark: (account, dueInMs) => accounts.mark(account, dueInMs),
    claimAccounts: (shard, leaseMs, limit) => accounts.claimAccounts(shard, leaseMs, limit),
    // Whoever charged it last may have died before it said so.
    sweep: (account, limit) => noted(account, accounts.sweep(account, limit), () => true),
    looked: (account, mark, againInMs) => accounts.looked(account, mark, againInMs),
    markLedger: (account) => accounts.markLedger(account),
    claimLedgers: (shard, leaseMs, limit) => accounts.claimLedgers(shard, leaseMs, limit),
    lookedAtLedger: (account, mark) => accounts.lookedAtLedger(account, mark),
    readUncopied: (account, limit) => accounts.readUncopied(account, limit),
    copied: (batch) => accounts.copied(batch),
    restore: (request) => noted(request.account, accounts.restore(request), ({ added }) => added > 0),
  }
}
