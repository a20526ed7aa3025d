// SPDX-License-Identifier: MIT
//
// Ended spans on their way out: a bounded queue, batches by size or time, few exports at once. Nobody waits for it: what does not fit is
// dropped and counted. A failure is logged when it begins, at most once a minute, and when it is over; the exporter itself repeats what can be.
import type { Span } from './span.ts'

/** Sends a batch; ends well or rejects. Never called with more than the batch size. */
export interface SpanExporter {
  export(spans: readonly Span[]): Promise<void>
  close(): Promise<void>
}

export interface QueueSettings {
  readonly maxSpansQueued: number
  readonly maxBatchSpans: number
  /** Longest wait for company. */
  readonly intervalMs: number
}

interface Log {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
}

export interface QueueCounts {
  sent: number
  /** Did not fit into the queue. */
  dropped: number
  /** Of batches that could not be delivered. */
  failed: number
  /** Batches that could not be delivered. */
  failedExports: number
}

const MAX_EXPORTS = 4
const LOG_EVERY_MS = 60_000

export class ExportQueue {
  readonly counts: QueueCounts = { sent: 0, dropped: 0, failed: 0, failedExports: 0 }
  readonly #exporter: SpanExporter
  readonly #settings: QueueSettings
  readonly #log: Log
  #waiting: Span[] = []
  readonly #exports = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #isFailing = false
  #loggedMs = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(exporter: SpanExporter, settings: QueueSettings, log: Log) {
    this.#exporter = exporter
    this.#settings = settings
    this.#log = log
  }

  get size(): number {
    return this.#waiting.length
  }

  push(span: Span): void {
    if (this.#closed || this.#waiting.length >= this.#settings.maxSpansQueued) {
      this.counts.dropped += 1
      return
    }
    this.#waiting.push(span)
    if (this.#waiting.length >= this.#settings.maxBatchSpans) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), this.#settings.intervalMs).unref()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.length > 0 && this.#exports.size < MAX_EXPORTS) {
      const batch = this.#waiting.splice(0, this.#settings.maxBatchSpans)
      const done = this.#export(batch).finally(() => this.#exports.delete(done))
      this.#exports.add(done)
    }
    // One that ends will see to the rest.
  }

  async #export(batch: readonly Span[]): Promise<void> {
    try {
      await this.#exporter.export(batch)
      this.counts.sent += batch.length
      if (this.#isFailing) this.#log.info({}, 'traces can be exported again')
      this.#isFailing = false
    } catch (error) {
      this.counts.failed += batch.length
      this.counts.failedExports += 1
      this.#onFailure(error)
    }
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#flush(), 0).unref()
  }

  #onFailure(error: unknown): void {
    this.#isFailing = true
    const nowMs = performance.now()
    if (nowMs - this.#loggedMs < LOG_EVERY_MS) return
    this.#loggedMs = nowMs
    const reason = error instanceof Error ? error.message : String(error)
    this.#log.warn({ reason, lost: this.counts.failed }, 'spans could not be exported: they are lost, calls are not')
  }

  /** Sends what waits, for at most so long. */
  async close(withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs
    while (this.#waiting.length > 0 || this.#exports.size > 0) {
      this.#flush()
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) break
      await Promise.race([Promise.all(this.#exports), new Promise((resolve) => setTimeout(resolve, leftMs).unref())])
    }
    this.#closed = true
    this.counts.dropped += this.#waiting.length
    this.#waiting = []
    clearTimeout(this.#timer)
    await this.#exporter.close()
  }
}
