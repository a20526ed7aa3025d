// SPDX-License-Identifier: MIT
//
// How one item of an RPC ends: done, refused or unknown (DESIGN §5). Nothing here throws; a caller looks at `outcome`.
// Unknown means that the other side may or may not have acted: the caller retries with the same idempotency key.

/** What a service says when it will not do an item. Carries no secret. */
export interface Refusal {
  /** Stable, lower-case, e.g. `expires_too_brief`. */
  readonly code: string
  /** What an edge answers upstream. */
  readonly sipStatus: number
  /** For a person: what happened and what to do. */
  readonly detail: string
  /** Seconds for Retry-After; 0 for none. */
  readonly retryAfterS: number
  /** Min-Expires of a 423; absent or 0 for none. */
  readonly minExpiresS?: number
}

export interface Done<T> {
  readonly outcome: 'done'
  readonly value: T
}

export interface Refused {
  readonly outcome: 'refused'
  readonly refusal: Refusal
}

export interface Unknown {
  readonly outcome: 'unknown'
  /** For a person; made by this package it is `<code>: <sentence>` with a code of RPC_ERRORS. */
  readonly detail: string
}

export type Result<T> = Done<T> | Refused | Unknown

export type Outcome = Result<unknown>['outcome']

export function done<T>(value: T): Done<T> {
  return { outcome: 'done', value }
}

export function refused(
  code: string,
  sipStatus: number,
  detail: string,
  more: { retryAfterS?: number; minExpiresS?: number } = {},
): Refused {
  const { retryAfterS = 0, minExpiresS = 0 } = more
  return { outcome: 'refused', refusal: { code, sipStatus, detail, retryAfterS, minExpiresS } }
}

export function unknown(detail: string): Unknown {
  return { outcome: 'unknown', detail }
}
