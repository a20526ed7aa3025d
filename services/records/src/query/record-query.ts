// SPDX-License-Identifier: MIT
//
// Which records are asked for: parameters of `/records`, checked, and whether a line is one of them. Pure.
import type { RecordLine } from '../record-fields.ts'

export interface RecordQuery {
  /** Of `end_time`, ms since 1970, this one included. */
  readonly sinceMs?: number
  /** Not included. */
  readonly untilMs?: number
  /** Exactly these. */
  readonly account?: string
  readonly trunk?: string
  readonly callId?: string
  /** Not answered. */
  readonly failed: boolean
  /** Part of who called, or was called; upper and lower case are the same. */
  readonly caller?: string
  readonly callee?: string
  /** The newest ones; Infinity for all. */
  readonly limit: number
  /** Where to look; by default PostgreSQL where there is one. */
  readonly from?: 'postgres' | 'files'
}

export const DEFAULT_LIMIT = 20
/** They are held in memory. */
export const MAX_LIMIT = 10_000

const TEXTS = ['account', 'trunk', 'callId', 'caller', 'callee'] as const
const KNOWN = new Set<string>([...TEXTS, 'since', 'until', 'failed', 'limit', 'from'])
const MAX_TEXT = 512

/** Where the values of a filter are found. */
export const CALLER_FIELDS = ['from_uri', 'identity'] as const
export const CALLEE_FIELDS = ['to_uri', 'request_uri', 'dialled', 'target', 'callee'] as const

function timeOf(name: string, text: string | null): number | undefined {
  if (text === null) return undefined
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  if (!Number.isFinite(ms)) throw new RangeError(`${name}: expected a time (ISO 8601, or ms since 1970)`)
  return ms
}

/** No limit where a time is given: what is asked for then is all of it. */
function limitOf(text: string | null, hasTime: boolean): number {
  if (text === null) return hasTime ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new RangeError(`limit: expected an integer from 1 to ${MAX_LIMIT}`)
}

function textsOf(parameters: URLSearchParams): Partial<Record<(typeof TEXTS)[number], string>> {
  const found: Partial<Record<(typeof TEXTS)[number], string>> = {}
  for (const name of TEXTS) {
    const text = parameters.get(name)
    if (text === null || text === '') continue
    if (text.length > MAX_TEXT) throw new RangeError(`${name}: expected at most ${MAX_TEXT} characters`)
    found[name] = text
  }
  return found
}

/** @throws RangeError with a sentence for the one who asked */
export function parseRecordQuery(parameters: URLSearchParams): RecordQuery {
  for (const name of parameters.keys()) if (!KNOWN.has(name)) throw new RangeError(`${name}: there is no such filter`)
  const sinceMs = timeOf('since', parameters.get('since'))
  const untilMs = timeOf('until', parameters.get('until'))
  const from = parameters.get('from')
  if (from !== null && from !== 'postgres' && from !== 'files') throw new RangeError('from: expected postgres or files')
  return {
    ...textsOf(parameters),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(from === null ? {} : { from }),
    failed: parameters.get('failed') === 'true',
    limit: limitOf(parameters.get('limit'), sinceMs !== undefined || untilMs !== undefined),
  }
}

/** Whether nothing is asked but how many. */
export function isUnfiltered({
  sinceMs,
  untilMs,
  account,
  trunk,
  callId,
  failed,
  caller,
  callee,
}: RecordQuery): boolean {
  return !failed && [sinceMs, untilMs, account, trunk, callId, caller, callee].every((value) => value === undefined)
}

type Line = Partial<RecordLine>

const hasPart = (line: Line, fields: readonly (keyof RecordLine)[], part: string): boolean =>
  fields.some((field) =>
    String(line[field] ?? '')
      .toLowerCase()
      .includes(part.toLowerCase()),
  )

/** A line of the files; another version may have written other fields. */
export function matches(line: Line, query: RecordQuery): boolean {
  const endMs = Date.parse(line.end_time ?? line.setup_time ?? '')
  if (query.sinceMs !== undefined && !(endMs >= query.sinceMs)) return false
  if (query.untilMs !== undefined && !(endMs < query.untilMs)) return false
  if (query.account !== undefined && line.account !== query.account) return false
  if (query.callId !== undefined && line.call_id !== query.callId) return false
  if (query.trunk !== undefined && line.ingress_trunk !== query.trunk && line.egress_trunk !== query.trunk) return false
  if (query.failed && line.outcome === 'answered') return false
  if (query.caller !== undefined && !hasPart(line, CALLER_FIELDS, query.caller)) return false
  return query.callee === undefined || hasPart(line, CALLEE_FIELDS, query.callee)
}
