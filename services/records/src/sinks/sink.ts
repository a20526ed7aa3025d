// SPDX-License-Identifier: MIT
//
// What a sink is to the rest of the service. A further kind (Kafka, say) is one more file that implements `Sink`, one more
// member of the settings' union, and one more case in create-sink.ts: queue, lag, spool, retries, dead letters,
// acknowledgements and metrics are the runner's (delivery/sink-runner.ts) and the same for all.
import type { records } from '@tandem/rpc'

/** A record on its way to a sink. */
export interface SinkRecord {
  /** Stream id of the feed, `<shard>/<id>`. */
  readonly id: string
  readonly record: records.CallRecord
  /** When the feed took it, ms since 1970: what its age counts from. */
  readonly bornMs: number
}

/** A record that the sink will never take. */
export interface Refusal {
  readonly item: SinkRecord
  readonly reason: string
}

export interface SinkFailure {
  /** For the log: without secrets. */
  readonly reason: string
  /** What the other side asked for; 0 for nothing. */
  readonly retryAfterMs: number
}

/** Of a batch: what is in neither list is handed in again. */
export interface WriteResult {
  /** In the sink for good. */
  readonly written: readonly SinkRecord[]
  /** For the dead letters. */
  readonly refused: readonly Refusal[]
  /** Why something is left. */
  readonly failure?: SinkFailure
  /** Of `written`, how many had been in the sink before. */
  readonly duplicates?: number
}

export interface Sink {
  /**
   * Whether what is written lands on a disk of this machine: such a sink spools only while it fails, for a disk is no
   * quicker than a disk; another spools as soon as it lags.
   */
  readonly isLocal: boolean
  /** Records of one batch, at most. */
  readonly maxBatchRecords: number
  /** Takes what only one process may hold. False while another has it: nothing is consumed until it is free. */
  acquire(): Promise<boolean>
  /**
   * Writes a batch, idempotent by the records' ids: whatever happens (a throw included), the same batch may come again.
   * One call at a time. A sink that waits for others ends early on `signal`.
   */
  write(batch: readonly SinkRecord[], signal: AbortSignal): Promise<WriteResult>
  /** Looks again at what it holds open (SIGHUP). */
  reopen(): void
  /** Now and then, between two writes. */
  tick(): Promise<void>
  close(): Promise<void>
}
