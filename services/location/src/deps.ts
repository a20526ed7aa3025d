// SPDX-License-Identifier: MIT
//
// What the handlers share, and how a store's answer becomes an item's result.
import { type Refused, type Result, unknown } from '@tandem/rpc'
import type { LocationStore, Stored, StoreReason } from '@tandem/store'
import type { LocationCounts } from './counts.ts'
import { type LocationErrorCode, refusal } from './errors.ts'
import type { Membership } from './membership.ts'
import type { LocationTuning, RegistrationBounds } from './options.ts'
import type { StaticContacts } from './static-bindings.ts'

export interface Deps {
  readonly store: LocationStore
  readonly counts: LocationCounts
  readonly bounds: RegistrationBounds
  readonly tuning: LocationTuning
  readonly membership: Membership
  readonly staticContacts: StaticContacts
  /** Told after every answer of the store whether it was there. */
  readonly onStore: (isUp: boolean) => void
  /** Told every answer of the store. */
  readonly onAnswer: (result: Stored<unknown>) => void
}

const CODES: Readonly<Record<StoreReason, LocationErrorCode>> = {
  away: 'store_away',
  closed: 'store_away',
  refused: 'store_refused',
  full: 'store_refused',
  unsupported: 'store_refused',
  invalid: 'store_invalid',
}

/** Counts and returns the refusal. */
export function refuse(deps: Deps, refused: Refused): Refused {
  deps.counts.refused++
  return refused
}

/** A stored value by `onStored`; else refused (nothing was written) or unknown (perhaps it was). */
export function fromStore<T, R>(deps: Deps, result: Stored<T>, onStored: (value: T) => Result<R>): Result<R> {
  deps.onAnswer(result)
  if (result.state === 'stored') {
    deps.onStore(true)
    return onStored(result.value)
  }
  if (result.state === 'unknown') {
    deps.counts.undecided++
    return unknown(result.detail)
  }
  return refuse(deps, notStoredRefusal(deps, result))
}

function notStoredRefusal(deps: Deps, result: { reason: StoreReason; detail: string }): Refused {
  const code = CODES[result.reason]
  if (code === 'store_away') {
    deps.counts.storeAway++
    deps.onStore(false)
  }
  if (result.reason === 'refused') deps.counts.storeRefused++
  const more = code === 'store_invalid' ? {} : { retryAfterS: retryAfterS(deps) }
  return refusal(code, result.detail, more)
}

/** One refusal after the other is told another time, so that those who were refused at once do not come back at once. */
function retryAfterS({ counts, tuning }: Deps): number {
  return tuning.retryAfterS + (counts.refused % (tuning.retrySpreadS + 1))
}
