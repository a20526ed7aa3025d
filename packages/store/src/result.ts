// SPDX-License-Identifier: MIT
// How every store operation ends: stored, not stored, or unknown. Expected trouble is a value; nothing here throws.
// The memory store answers at once, Redis by a promise: `Eventual` is either, `await` takes both, `whenStored` spares the
// promise where there is none.

import type { StoreReason } from './errors.ts'

/** `unknown`: the write may or may not have happened; repeat it with the same keys, every operation is idempotent. */
export type Stored<T> =
  | { readonly state: 'stored'; readonly value: T }
  | { readonly state: 'notStored'; readonly reason: StoreReason; readonly detail: string }
  | { readonly state: 'unknown'; readonly detail: string }

/** A result that is there already, or comes. */
export type Eventual<T> = Stored<T> | Promise<Stored<T>>

export const stored = <T>(value: T): Stored<T> => ({ state: 'stored', value })

export const notStored = (reason: StoreReason, detail: string): Stored<never> => ({
  state: 'notStored',
  reason,
  detail,
})

export const unknown = (detail: string): Stored<never> => ({ state: 'unknown', detail })

/** Runs `then` at once when the result is there, else when it comes; no promise is made for a result that is there. */
export function whenStored<T, R>(result: Eventual<T>, then: (result: Stored<T>) => R): R | Promise<Awaited<R>> {
  return result instanceof Promise ? (result.then(then) as Promise<Awaited<R>>) : then(result)
}

/** The same result with another value. */
export function mapStored<T, R>(result: Stored<T>, map: (value: T) => R): Stored<R> {
  return result.state === 'stored' ? stored(map(result.value)) : result
}
