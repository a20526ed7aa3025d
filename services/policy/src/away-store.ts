// SPDX-License-Identifier: MIT
//
// For this service's tests: a store that can't be reached, until it is mended.
import type { PolicyStore, Stored } from '@tandem/store'

export type Trouble = 'away' | 'unknown'

const RESULTS: Readonly<Record<Trouble, Stored<never>>> = {
  away: { state: 'notStored', reason: 'away', detail: 'no connection' },
  unknown: { state: 'unknown', detail: 'the connection broke while the answer was awaited' },
}

export interface MendableStore extends PolicyStore {
  /** From now on `store` answers. */
  mend(store: PolicyStore): void
}

export function notStoredBy(trouble: Trouble): MendableStore {
  let healthy: PolicyStore | undefined
  const failed = RESULTS[trouble]
  const reader = { read: () => failed, acknowledge: () => failed }
  const ask = <T>(act: (store: PolicyStore) => T): T | Stored<never> => (healthy === undefined ? failed : act(healthy))
  return {
    mend(store) {
      healthy = store
    },
    mint: (...args) => ask((store) => store.mint(...args)),
    releaseMint: (...args) => ask((store) => store.releaseMint(...args)),
    readMint: (...args) => ask((store) => store.readMint(...args)),
    useNonce: (...args) => ask((store) => store.useNonce(...args)),
    answered: (...args) => ask((store) => store.answered(...args)),
    ended: (...args) => ask((store) => store.ended(...args)),
    failed: (...args) => ask((store) => store.failed(...args)),
    updated: (...args) => ask((store) => store.updated(...args)),
    requestHangUp: (...args) => ask((store) => store.requestHangUp(...args)),
    takeWork: (...args) => ask((store) => store.takeWork(...args)),
    postponeHangUp: (...args) => ask((store) => store.postponeHangUp(...args)),
    noteLife: (...args) => ask((store) => store.noteLife(...args)),
    endBySystem: (...args) => ask((store) => store.endBySystem(...args)),
    planCharge: (...args) => ask((store) => store.planCharge(...args)),
    settled: (...args) => ask((store) => store.settled(...args)),
    checked: (...args) => ask((store) => store.checked(...args)),
    claimDue: (...args) => ask((store) => store.claimDue(...args)),
    settleDue: (...args) => ask((store) => store.settleDue(...args)),
    listLive: (...args) => ask((store) => store.listLive(...args)),
    readLive: (...args) => ask((store) => store.readLive(...args)),
    recordLag: (...args) => ask((store) => store.recordLag(...args)),
    dropGroup: (...args) => ask((store) => store.dropGroup(...args)),
    openRecords: (...args) => healthy?.openRecords(...args) ?? reader,
  }
}
