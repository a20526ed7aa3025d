// SPDX-License-Identifier: MIT
// Registry of what can go wrong in a store: stable reason, meaning, SIP and gRPC status for whoever answers, log level.
// The reason is the metric label too. docs/store.md lists the same rows; errors.test.ts holds the two together.

export interface StoreErrorInfo {
  readonly meaning: string
  /** What to do. */
  readonly todo: string
  readonly sipStatus: number
  readonly grpcStatus: 'UNAVAILABLE' | 'INVALID_ARGUMENT' | 'RESOURCE_EXHAUSTED' | 'FAILED_PRECONDITION' | 'INTERNAL'
  readonly logLevel: 'debug' | 'warn' | 'error'
}

export const STORE_ERRORS = {
  away: {
    meaning: 'No connection to the store; nothing was sent.',
    sipStatus: 503,
    grpcStatus: 'UNAVAILABLE',
    logLevel: 'warn',
    todo: 'See whether Redis answers: `tandem doctor`. It is tried again.',
  },
  refused: {
    meaning: 'The store is up and refuses writes now (loading, read-only, out of memory, too few replicas).',
    sipStatus: 503,
    grpcStatus: 'UNAVAILABLE',
    logLevel: 'warn',
    todo: 'See `tandem doctor`: memory, `noeviction`, replicas, a read-only master.',
  },
  full: {
    meaning: 'A bounded table or queue is full.',
    sipStatus: 503,
    grpcStatus: 'RESOURCE_EXHAUSTED',
    logLevel: 'warn',
    todo: 'Raise the bound, or see what fills it: the gauges of the store.',
  },
  invalid: {
    meaning: 'An argument cannot be stored: a reference without a shard, a number out of range.',
    sipStatus: 500,
    grpcStatus: 'INVALID_ARGUMENT',
    logLevel: 'error',
    todo: 'Report it with the log line.',
  },
  unsupported: {
    meaning: 'The server lacks what a setting asks for: durability "fsync" needs Redis 7.2 (WAITAOF).',
    sipStatus: 503,
    grpcStatus: 'FAILED_PRECONDITION',
    logLevel: 'error',
    todo: 'Take Redis 7.2 or later, or another `store.durability`.',
  },
  closed: {
    meaning: 'The store was closed by this process.',
    sipStatus: 503,
    grpcStatus: 'UNAVAILABLE',
    logLevel: 'debug',
    todo: 'Nothing: the process ends.',
  },
} as const satisfies Record<string, StoreErrorInfo>

export type StoreReason = keyof typeof STORE_ERRORS

/** Bad configuration: thrown by the factories only, with a sentence that says what was expected. */
export class StoreConfigError extends Error {
  readonly code = 'store_config'
}
