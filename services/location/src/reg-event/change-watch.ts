// SPDX-License-Identifier: MIT
//
// Read, change, write if nothing changed since: the one way in which the state of a watch is written.
import { type Stored, type Watch, whenStored } from '@tandem/store'
import { reconcile } from './contacts.ts'
import type { WatchDeps } from './deps.ts'
import { keepMs } from './schedule.ts'
import { decodeState, encodeState, type WatchState } from './state.ts'

/** Of one change that others cross; then it is as if unknown. */
const MAX_TRIES = 8

export interface Changed<T> {
  readonly value: T
  /** Undefined: nothing is to be written. */
  readonly dueInMs: number | undefined
}

/** `change` gets the state as of now, bindings included, may be called again, and says when it is due next. */
export function changeWatch<T>(
  deps: WatchDeps,
  aor: string,
  change: (state: WatchState, watch: Watch) => Changed<T>,
  triesLeft = MAX_TRIES,
): Stored<T> | Promise<Stored<T>> {
  return whenStored(deps.store.readWatch(aor), (read): Stored<T> | Promise<Stored<T>> => {
    if (read.state !== 'stored') return read
    const watch = read.value
    const state = decodeState(watch.state)
    reconcile(state, watch, deps.staticContacts.get(aor))
    const { value, dueInMs } = change(state, watch)
    if (dueInMs === undefined) return { state: 'stored', value }
    // What changed before anybody watched went unnoticed: the first state is looked at again at once.
    const when = watch.state === '' ? 0 : dueInMs
    const write = { aor, revision: watch.revision, state: encodeState(state), dueInMs: when }
    return whenStored(deps.store.writeWatch({ ...write, keepMs: keepMs(state, watch.nowMs) }), (result) => {
      if (result.state !== 'stored') return result
      if (!result.value.written) return retry(deps, aor, change, triesLeft)
      deps.wakeIn(aor, when)
      return { state: 'stored', value }
    })
  })
}

function retry<T>(
  deps: WatchDeps,
  aor: string,
  change: (state: WatchState, watch: Watch) => Changed<T>,
  triesLeft: number,
): Stored<T> | Promise<Stored<T>> {
  if (triesLeft <= 1) return { state: 'unknown', detail: `the watch of ${aor} changed ${MAX_TRIES} times meanwhile` }
  return changeWatch(deps, aor, change, triesLeft - 1)
}
