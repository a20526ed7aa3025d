// SPDX-License-Identifier: MIT
//
// A record as one line of the spool or of the dead letters: its key in front, as in an NDJSON file, when it was born, why
// it is here, and the record itself as its proto in base64. Pure.
import { records } from '@tandem/rpc'
import type { SinkRecord } from '../sinks/sink.ts'

/** The line with its line feed. `reason` only for dead letters. */
export function encodeSpoolLine({ id, record, bornMs }: SinkRecord, reason?: string): string {
  const proto = Buffer.from(records.CallRecord.encode(record).finish()).toString('base64')
  const line = { id, cdr_id: record.cdrId, born_ms: bornMs, ...(reason === undefined ? {} : { reason }), proto }
  return `${JSON.stringify(line)}\n`
}

/** Undefined for a line that encodeSpoolLine did not write. */
export function decodeSpoolLine(line: string): SinkRecord | undefined {
  try {
    const { id, born_ms: bornMs, proto } = JSON.parse(line) as { id?: unknown; born_ms?: unknown; proto?: unknown }
    if (typeof id !== 'string' || typeof bornMs !== 'number' || typeof proto !== 'string') return undefined
    return { id, bornMs, record: records.CallRecord.decode(Buffer.from(proto, 'base64')) }
  } catch {
    return undefined
  }
}
