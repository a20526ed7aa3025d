// SPDX-License-Identifier: MIT
//
// Every way in which this package itself ends an item. The page docs/rpc.md lists the same codes; a test compares them.
import { status } from '@grpc/grpc-js'
import { type Refused, refused, type Unknown, unknown } from './result.ts'

export interface RpcError {
  readonly meaning: string
  /** What to do. */
  readonly todo: string
  readonly outcome: 'unknown' | 'refused'
  /** What an edge answers upstream when no retry helps. */
  readonly sipStatus: number
  /** Status of the unary form. */
  readonly grpcStatus: number
  readonly metricLabel: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

function entry(
  outcome: RpcError['outcome'],
  sipStatus: number,
  grpcStatus: number,
  logLevel: RpcError['logLevel'],
  meaning: string,
  todo: string,
) {
  return { outcome, sipStatus, grpcStatus, logLevel, meaning, todo }
}

const ENTRIES = {
  timeout: entry(
    'unknown',
    504,
    status.DEADLINE_EXCEEDED,
    'info',
    'no result came in the time given',
    'See whether the service is busy or away: `tandem_edge_policy_seconds`, `tandem doctor`.',
  ),
  stream_broken: entry(
    'unknown',
    503,
    status.UNAVAILABLE,
    'info',
    'the stream ended before the result came',
    'Nothing: it goes to another node, or is tried again.',
  ),
  queue_full: entry(
    'unknown',
    503,
    status.RESOURCE_EXHAUSTED,
    'warn',
    'the bound of waiting items was reached',
    'Give the service more nodes.',
  ),
  circuit_open: entry(
    'unknown',
    503,
    status.UNAVAILABLE,
    'info',
    'no replica is fit to be asked at the moment',
    'See the nodes of the service; it is tried again by itself.',
  ),
  closed: entry('unknown', 503, status.CANCELLED, 'debug', 'the caller was closed', 'Nothing: the process ends.'),
  handler_failed: entry(
    'unknown',
    500,
    status.INTERNAL,
    'error',
    'a handler threw: a bug',
    'Report it with the log line.',
  ),
  undecided: entry(
    'unknown',
    503,
    status.UNKNOWN,
    'info',
    'the service could not tell whether it acted',
    'See whether Redis answers: `tandem doctor`.',
  ),
  item_too_large: entry(
    'refused',
    513,
    status.OUT_OF_RANGE,
    'warn',
    'one item exceeds the bound of a message',
    'Send smaller messages or documents.',
  ),
  unknown_method: entry(
    'refused',
    501,
    status.UNIMPLEMENTED,
    'error',
    'the service has no such method',
    'Bring all services to versions that run side by side.',
  ),
  bad_request: entry(
    'refused',
    500,
    status.INVALID_ARGUMENT,
    'error',
    'the service rejected the request as malformed',
    'Report it: a bug, or a service of another version.',
  ),
} as const

export type RpcErrorCode = keyof typeof ENTRIES

export const RPC_ERRORS: Readonly<Record<RpcErrorCode, RpcError>> = Object.fromEntries(
  Object.entries(ENTRIES).map(([code, fields]) => [code, { ...fields, metricLabel: code }]),
) as Record<RpcErrorCode, RpcError>

/** The unknown outcome of this code; `more` says what exactly happened. */
export function unknownBy(code: RpcErrorCode, more: string = RPC_ERRORS[code].meaning): Unknown {
  return unknown(`${code}: ${more}`)
}

export function refusedBy(code: RpcErrorCode, more: string = RPC_ERRORS[code].meaning): Refused {
  return refused(code, RPC_ERRORS[code].sipStatus, more)
}
