// SPDX-License-Identifier: MIT
//
// A record in a sink's queue, with what is needed to acknowledge it; and what is said of a write that threw.
import type { FeedConsumer } from '@tandem/rpc'
import type { SinkRecord, WriteResult } from '../sinks/sink.ts'

export interface Entry extends SinkRecord {
  readonly consumer: Pick<FeedConsumer, 'acknowledge'>
  readonly receivedMs: number
}

export const failedWhole = (error: unknown): WriteResult => ({
  written: [],
  refused: [],
  failure: { reason: reasonOf(error), retryAfterMs: 0 },
})

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return code === undefined ? error.message : `${code}: ${error.message}`
}

/** The stream's time of its entry, `<shard>/<ms>-<sequence>`; `nowMs` for an id of another form. */
export function bornMsOf(id: string, nowMs: number): number {
  const ms = Number(/\/(\d{12,15})-/.exec(id)?.[1] ?? Number.NaN)
  return Number.isFinite(ms) ? ms : nowMs
}

/** To each consumer its own. */
export function acknowledge(entries: readonly Entry[]): void {
  const byConsumer = new Map<Entry['consumer'], string[]>()
  for (const { id, consumer } of entries) {
    const ids = byConsumer.get(consumer)
    if (ids) ids.push(id)
    else byConsumer.set(consumer, [id])
  }
  for (const [consumer, ids] of byConsumer) consumer.acknowledge(ids)
}
