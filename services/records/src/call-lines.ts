// SPDX-License-Identifier: MIT
//
// A line in the log for each call record, as it comes from the feed of the first sink (docs/operations/observing.md). The record itself has more.
// A record that is delivered again, because its acknowledgement was lost, is written once; not so where this process has begun anew in between.
import type { records } from '@tandem/rpc'
import { BoundedLines, type Logger, lineLogger, type RecordsConfig, UserNames } from '@tandem/service-kit'
import { RECORD_FIELDS, type RecordFieldName } from './record-fields.ts'

const FIELDS: ReadonlySet<RecordFieldName> = new Set([
  'type',
  'correction',
  'state',
  'call_ref',
  'call_id',
  'tenant',
  'account',
  'auth_method',
  'direction',
  'ingress_trunk',
  'egress_trunk',
  'source_transport',
  'source_address',
  'source_port',
  'setup_time',
  'pdd_ms',
  'duration_ms',
  'final_status',
  'outcome',
  'ended_by',
  'reason',
  'edges',
  'fraud_verdict',
  'trace_id',
])
/** Those that name people. */
const PEOPLE: ReadonlySet<RecordFieldName> = new Set(['identity', 'from_uri', 'to_uri', 'request_uri', 'callee'])
/** Ids that are remembered. */
const RECENT = 8_192

type CallLineConfig = Pick<RecordsConfig, 'logging' | 'keyRing'>

export class CallLines {
  readonly #logger: Logger
  readonly #names: UserNames
  readonly #bound: BoundedLines
  readonly #recent = new Set<string>()

  constructor({ logging, keyRing }: CallLineConfig, logger: Logger) {
    this.#logger = lineLogger(logger)
    this.#names = new UserNames(logging.users, keyRing)
    this.#bound = new BoundedLines(this.#logger, 'call_end', logging.maxLinesPerSecond)
  }

  take(items: readonly records.FeedItem[]): void {
    for (const { id, record } of items) {
      if (record === undefined || this.#recent.has(id)) continue
      if (this.#recent.size >= RECENT) this.#recent.delete(this.#recent.values().next().value as string)
      this.#recent.add(id)
      if (this.#bound.admits(record.outcome)) this.#write(id, record)
    }
  }

  #write(id: string, record: records.CallRecord): void {
    const line: Record<string, unknown> = { event: 'call_end' }
    for (const { name, of } of RECORD_FIELDS) {
      const value = FIELDS.has(name) ? of(record, id) : PEOPLE.has(name) ? this.#names.uri(String(of(record, id))) : ''
      if (value !== '' && value !== null && value !== undefined) line[name] = value
    }
    this.#logger.info(line, line.type === 'correction' ? 'record corrected' : 'call ended')
  }

  useKeyRing(ring: RecordsConfig['keyRing']): void {
    this.#names.useKeyRing(ring)
  }

  /** What was left out is summed up now. */
  close(): void {
    this.#bound.flush()
  }
}

/** undefined where no line is to be written. */
export function createCallLines(config: CallLineConfig, logger: Logger): CallLines | undefined {
  return config.logging.calls && logger.isLevelEnabled('info') ? new CallLines(config, logger) : undefined
}
