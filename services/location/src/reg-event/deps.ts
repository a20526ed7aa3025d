// SPDX-License-Identifier: MIT
//
// What the parts of the registration event package share.
import type { LocationConfig } from '@tandem/service-kit'
import { type LocationStore, whenStored } from '@tandem/store'
import type { Deps } from '../deps.ts'

export type WatchBounds = Pick<LocationConfig, 'maxSubscriptions' | 'notifyIntervalMs'>

export interface WatchDeps extends Deps {
  readonly watchBounds: WatchBounds
  /** The watch of this AoR is due after so long. */
  readonly wakeIn: (aor: string, inMs: number) => void
}

/** The store, with word of each update that changed a binding that somebody watches, and of each removal. */
export function withChangesTold(store: LocationStore, changed: (aor: string) => void): LocationStore {
  return {
    ...store,
    register: (update) =>
      whenStored(store.register(update), (result) => {
        const isWatched = result.state === 'stored' && result.value.result === 'ok' && result.value.watched === true
        if (isWatched) changed(update.aor)
        return result
      }),
    removeBindings: (aor, uriKeys) =>
      whenStored(store.removeBindings(aor, uriKeys), (result) => {
        if (result.state === 'stored' && result.value.removed > 0) changed(aor)
        return result
      }),
  }
}
