// SPDX-License-Identifier: MIT
//
// Records to an HTTP endpoint: signed, at least once, told apart by `Idempotency-Key`. Several requests at once, in no
// order among themselves. What the endpoint refuses, and what it did not take within `maxAgeMs`, is for the dead letters.
// A refused batch is sent again record by record, so that one bad record takes no other with it.
import { createHash } from 'node:crypto'
import type { WebhookOutcome, WebhookSender } from '@tandem/service-kit'
import { toLine } from '../encode-line.ts'
import type { Refusal, Sink, SinkFailure, SinkRecord, WriteResult } from './sink.ts'

export interface WebhookSinkOptions {
  readonly sender: Pick<WebhookSender, 'send' | 'close'>
  /** Records of one request, at most. */
  readonly batchRecords: number
  /** Requests at once. */
  readonly concurrency: number
  readonly maxAgeMs: number
  readonly nowMs?: () => number
}

/** What became of the batch so far; filled by several requests at once. */
interface Progress {
  readonly written: SinkRecord[]
  readonly refused: Refusal[]
  failure: SinkFailure | undefined
}

export class WebhookSink implements Sink {
  readonly isLocal = false
  readonly maxBatchRecords: number
  readonly #options: WebhookSinkOptions
  readonly #nowMs: () => number

  constructor(options: WebhookSinkOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.maxBatchRecords = options.batchRecords * options.concurrency * 4
  }

  async acquire(): Promise<boolean> {
    return true
  }

  async write(batch: readonly SinkRecord[], signal: AbortSignal): Promise<WriteResult> {
    const progress: Progress = { written: [], refused: [], failure: undefined }
    const chunks = chunksOf(batch, this.#options.batchRecords)
    const work = async () => {
      for (let chunk = chunks.shift(); chunk && !progress.failure && !signal.aborted; chunk = chunks.shift())
        await this.#send(chunk, progress, signal)
    }
    await Promise.all(Array.from({ length: this.#options.concurrency }, work))
    const { written, failure } = progress
    // A failure that is our own doing gives nothing up.
    const refused = [...progress.refused, ...(signal.aborted ? [] : this.#tooOld(batch, progress))]
    if (failure !== undefined) return { written, refused, failure }
    if (written.length + refused.length === batch.length) return { written, refused }
    return { written, refused, failure: { reason: 'aborted', retryAfterMs: 0 } }
  }

  reopen(): void {}

  async tick(): Promise<void> {}

  async close(): Promise<void> {
    this.#options.sender.close()
  }

  async #send(chunk: readonly SinkRecord[], progress: Progress, signal: AbortSignal): Promise<void> {
    const outcome = await this.#post(chunk, signal)
    if (outcome.state === 'delivered') progress.written.push(...chunk)
    else if (outcome.state === 'failed') progress.failure ??= outcome
    else if (chunk.length === 1) progress.refused.push({ item: chunk[0] as SinkRecord, reason: outcome.reason })
    else for (const item of chunk) if (!progress.failure) await this.#send([item], progress, signal)
  }

  #post(chunk: readonly SinkRecord[], signal: AbortSignal): Promise<WebhookOutcome> {
    const body = JSON.stringify({
      type: 'call_records',
      records: chunk.map(({ id, record }) => toLine(id, record)),
    })
    return this.#options.sender.send({ key: keyOf(chunk), body }, signal)
  }

  #tooOld(batch: readonly SinkRecord[], { written, refused, failure }: Progress): Refusal[] {
    if (failure === undefined) return []
    const bornBefore = this.#nowMs() - this.#options.maxAgeMs
    const done = new Set([...written, ...refused.map(({ item }) => item)])
    const old = batch.filter((item) => item.bornMs < bornBefore && !done.has(item))
    return old.map((item) => ({ item, reason: `too old; last: ${failure.reason}` }))
  }
}

/** Of one record its id; of several a digest of theirs, the same for the same ones. */
function keyOf(chunk: readonly SinkRecord[]): string {
  const [only] = chunk
  if (only !== undefined && chunk.length === 1) return only.record.cdrId
  const ids = chunk.map(({ record }) => record.cdrId).join('\n')
  return createHash('sha256').update(ids).digest('base64url')
}

function chunksOf(batch: readonly SinkRecord[], size: number): SinkRecord[][] {
  const chunks: SinkRecord[][] = []
  for (let at = 0; at < batch.length; at += size) chunks.push(batch.slice(at, at + size))
  return chunks
}
