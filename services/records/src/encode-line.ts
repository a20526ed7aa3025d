// SPDX-License-Identifier: MIT
//
// One call record as one line of JSON, in the names that consumers of CDRs expect (docs/records.md). The line starts with
// the two fields that identify it, in a fixed order and without spaces: recovery reads them without parsing the rest.
// Pure. JSON.stringify escapes every control character, so a record never spans lines.
import type { records } from '@tandem/rpc'

/** One object of the file. Times are ISO 8601 in UTC with milliseconds, null where it did not happen. */
export interface RecordLine {
  /** Stream id of the feed: `<shard>/<id>`. */
  readonly id: string
  readonly cdr_id: string
  readonly call_id: string
  readonly from_tag: string
  readonly to_tags: readonly string[]
  readonly from_uri: string
  readonly to_uri: string
  readonly request_uri: string
  readonly target: string
  readonly identity: string
  readonly account: string
  readonly source_transport: string
  readonly source_address: string
  readonly source_port: number
  readonly user_agent: string
  readonly setup_time: string | null
  readonly ring_time: string | null
  readonly answer_time: string | null
  readonly end_time: string | null
  /** Answered to ended. */
  readonly duration_ms: number
  /** Seconds that were billed, where the call was charged; else duration_ms in whole seconds, rounded down. */
  readonly billsec: number
  readonly final_status: number
  readonly outcome: string
  readonly ended_by: string
  readonly reason: string
  readonly state: string
  readonly setup_edge: string
  readonly end_edge: string
  /** Null and '' for a call that was not charged. Decimal units of the currency. */
  readonly price: string | null
  readonly currency: string
  readonly rate_plan: string
  readonly rate_prefix: string
  readonly rate: string
  /** Talk beyond what the account had granted. */
  readonly unbilled_ms: number
  readonly attempts: readonly { target: string; status: number; provisional_status: number }[]
}

/** What tells one line from another. */
export function lineKey(id: string, cdrId: string): string {
  return `${id} ${cdrId}`
}

function isoTime(unixMs: bigint): string | null {
  return unixMs > 0n && unixMs <= MAX_DATE_MS ? new Date(Number(unixMs)).toISOString() : null
}

/** Beyond it a Date is invalid (ECMA-262, time value range). */
const MAX_DATE_MS = 8_640_000_000_000_000n

export function toLine(id: string, record: records.CallRecord): RecordLine {
  const durationMs = Number(record.durationMs)
  return {
    id,
    cdr_id: record.cdrId,
    call_id: record.callId,
    from_tag: record.fromTag,
    to_tags: record.toTags,
    from_uri: record.fromUri,
    to_uri: record.toUri,
    request_uri: record.requestUri,
    target: record.target,
    identity: record.identity,
    account: record.account,
    source_transport: record.sourceTransport,
    source_address: record.sourceAddress,
    source_port: record.sourcePort,
    user_agent: record.userAgent,
    setup_time: isoTime(record.setupUnixMs),
    ring_time: isoTime(record.ringUnixMs),
    answer_time: isoTime(record.answeredUnixMs),
    end_time: isoTime(record.endedUnixMs),
    duration_ms: durationMs,
    billsec: record.ratePlan === '' ? Math.floor(durationMs / 1000) : Math.ceil(Number(record.billedMs) / 1000),
    final_status: record.finalStatus,
    outcome: record.outcome,
    ended_by: record.endedBy,
    reason: record.reason,
    state: record.state,
    setup_edge: record.setupEdge,
    end_edge: record.endEdge,
    price: record.ratePlan === '' ? null : unitsOf(record.priceMicros),
    currency: record.currency,
    rate_plan: record.ratePlan,
    rate_prefix: record.ratePrefix,
    rate: record.rate,
    unbilled_ms: Number(record.unbilledMs),
    attempts: record.attempts.map(({ target, status, provisionalStatus }) => ({
      target,
      status,
      provisional_status: provisionalStatus,
    })),
  }
}

/** 12500n millionths → `0.012500`: always six decimals, so that no reader rounds. */
function unitsOf(micros: bigint): string {
  const size = micros < 0n ? -micros : micros
  const digits = size.toString().padStart(7, '0')
  return `${micros < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`
}

/** The line with its line feed. */
export function encodeLine(id: string, record: records.CallRecord): string {
  return `${JSON.stringify(toLine(id, record))}\n`
}

const PREFIX = /^\{"id":("(?:[^"\\]|\\.)*"),"cdr_id":("(?:[^"\\]|\\.)*")/

/** What identifies a line that encodeLine wrote, from its first bytes; undefined for anything else. */
export function parseLineKey(head: string): { id: string; cdrId: string } | undefined {
  const match = PREFIX.exec(head)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  return { id: JSON.parse(match[1]) as string, cdrId: JSON.parse(match[2]) as string }
}
