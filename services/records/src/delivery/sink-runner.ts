// SPDX-License-Identifier: MIT
//
// One sink's way: from the feed's items through a queue into the sink, then the acknowledgement; beyond its lag through a
// spool on disk; what the sink refuses and what the spool has no room for into the dead letters. [STATE.md, Records]
// Invariants: an item is acknowledged only when it is in the sink, in the spool or in the dead letters, synced. Of one sink
// at most one write is under way. While anything is spooled, everything new goes behind it: order is kept.
// A write that fails is tried again after a pause, for ever (a sink that gives up for age refuses); it is logged once.
// Races: the same item twice (lost acknowledgement, another policy node): sinks, spool and dead letters tell it by its id.
// A write that hangs as spooling begins: it is aborted and waited for a second; should it end well later, its records are
// in the spool too, and the sink takes them once.
import { setTimeout as sleep } from 'node:timers/promises'
import type { records } from '@tandem/rpc'
import { type Logger, RetryPause } from '@tandem/service-kit'
import { RECORDS_ERRORS } from '../errors.ts'
import type { RecordTraces } from '../record-traces.ts'
import type { Refusal, Sink, SinkFailure, SinkRecord, WriteResult } from '../sinks/sink.ts'
import type { DeadLetters } from './dead-letters.ts'
import { acknowledge, bornMsOf, type Entry, failedWhole, reasonOf } from './entry.ts'
import type { SinkCounts } from './sink-counts.ts'
import type { Spool } from './spool.ts'

export interface RunnerOptions {
  readonly name: string
  readonly sink: Sink
  readonly spool: Spool
  readonly deadLetters: DeadLetters
  readonly counts: SinkCounts
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Items that may wait; the surplus is left to be delivered again. */
  readonly capacity: number
  readonly maxLagMs: number
  readonly maxLagRecords: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly nowMs?: () => number
  /** Absent: nothing is traced. */
  readonly traces?: RecordTraces | undefined
}

const LOOK_MS = 200
const TICK_MS = 15_000
/** How long an aborted write may take to end before spooling begins without it. */
const ABORT_GRACE_MS = 1_000
const SPOOL_BATCH = 2_048

export class SinkRunner {
  readonly #options: RunnerOptions
  readonly #pause: RetryPause
  readonly #nowMs: () => number
  readonly #stopped = new AbortController()
  #queue: Entry[] = []
  #delivery: Promise<void> | undefined
  #intake: Promise<void> | undefined
  #attempt = new AbortController()
  /** The delivery from the queue that is under way; never rejects. */
  #direct: Promise<void> = Promise.resolve()
  /** When the write that is under way began; undefined between writes. */
  #writeSinceMs: number | undefined
  #spooling = false
  #stopping = false
  #started = false
  #lookTimer: NodeJS.Timeout | undefined
  #tickMs = 0
  #reopenWanted = false
  /** Spool or dead letters can't be written. */
  #diskFailing = false

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.#pause = new RetryPause(options)
  }

  get name(): string {
    return this.#options.name
  }

  get queuedCount(): number {
    return this.#queue.length
  }

  get spooledBytes(): number {
    return this.#options.spool.isEmpty ? 0 : this.#options.spool.bytes
  }

  get isFailing(): boolean {
    return this.#pause.failures > 0
  }

  /** Age of the oldest record that the sink does not have, of those this process knows; 0 for none. */
  get lagMs(): number {
    const { spool } = this.#options
    const oldest = (spool.isEmpty ? undefined : spool.oldestBornMs) ?? this.#queue[0]?.bornMs
    return oldest === undefined ? 0 : Math.max(0, this.#nowMs() - oldest)
  }

  /** Whether its records get somewhere: into the sink or, where it is not of this machine, into the spool. */
  get healthy(): boolean {
    if (!this.#started || this.#diskFailing) return false
    return !this.isFailing || !this.#options.sink.isLocal
  }

  /** Takes what one process alone may have and what an earlier one left. False while another process has it. */
  async start(): Promise<boolean> {
    const { sink, spool } = this.#options
    if (!(await sink.acquire())) return false
    if (!spool.isOpen) await spool.open()
    this.#spooling = !spool.isEmpty
    this.#started = true
    this.#lookTimer = setInterval(() => this.#look(), LOOK_MS).unref()
    this.#tickMs = performance.now()
    this.#reopenWanted = sink.isLocal
    this.#wake()
    return true
  }

  offer(items: readonly records.FeedItem[], consumer: Entry['consumer']): void {
    const { counts, capacity } = this.#options
    counts.received += items.length
    const receivedMs = performance.now()
    for (const { id, record } of items) {
      if (record === undefined) this.#onEmpty(id, consumer)
      else if (this.#queue.length < capacity)
        this.#queue.push({ id, record, bornMs: bornMsOf(id, this.#nowMs()), consumer, receivedMs })
      else this.#onSurplus()
    }
    this.#look()
    this.#wake()
  }

  /** Looks for a moved file now, and opens its name anew. */
  reopen(): void {
    this.#options.sink.reopen()
    this.#reopenWanted = true
    this.#wake()
  }

  /** Resolves when there is nothing left to do, or on stop. */
  async idle(): Promise<void> {
    while (this.#delivery !== undefined || this.#intake !== undefined) {
      await this.#delivery
      await this.#intake
    }
  }

  /** Finishes what is queued within `graceMs`. What is left is delivered again later, what is spooled stays so. */
  async stop(graceMs: number): Promise<void> {
    const { sink, spool, deadLetters, logger, name } = this.#options
    clearInterval(this.#lookTimer)
    const timer = setTimeout(() => this.#endLoops(), this.isFailing ? Math.min(graceMs, ABORT_GRACE_MS) : graceMs)
    while (this.#queue.length > 0 && this.#started && !this.#stopping) {
      this.#wake()
      await Promise.race([this.#intake ?? this.#delivery, sleep(LOOK_MS)])
    }
    clearTimeout(timer)
    this.#endLoops()
    await this.idle()
    for (const close of [() => sink.close(), () => spool.close(), () => deadLetters.close()]) {
      await close().catch((error: unknown) => logger.warn({ sink: name, err: error }, 'a sink did not close cleanly'))
    }
    this.#started = false
  }

  #endLoops(): void {
    this.#stopping = true
    this.#stopped.abort()
    this.#attempt.abort()
  }

  #wake(): void {
    if (!this.#started || this.#stopping) return
    if (this.#spooling && this.#queue.length > 0) this.#intake ??= this.#takeIn()
    if (this.#hasWork()) this.#delivery ??= this.#deliver()
  }

  #hasWork(): boolean {
    return !this.#stopping && (this.#queue.length > 0 || this.#spooling || this.#reopenWanted)
  }

  /** Is the sink behind? A file of this machine spools only while it fails. */
  #look(): void {
    if (!this.#started || this.#stopping) return
    const { sink, maxLagMs, maxLagRecords } = this.#options
    if (performance.now() - this.#tickMs > TICK_MS && sink.isLocal) {
      this.#tickMs = performance.now()
      this.#reopenWanted = true
      this.#wake()
    }
    const oldest = this.#queue[0]
    if (this.#spooling || oldest === undefined || (sink.isLocal && !this.#isStuck)) return
    const waitedMs = performance.now() - oldest.receivedMs
    const lagMs = sink.isLocal ? waitedMs : Math.max(waitedMs, this.#nowMs() - oldest.bornMs)
    const isFull = this.#pause.failures > 1 && this.#queue.length >= maxLagRecords
    if (isFull || (lagMs > maxLagMs && waitedMs > LOOK_MS)) this.#beginSpooling(lagMs)
  }

  get #isStuck(): boolean {
    const sinceMs = this.#writeSinceMs
    return this.isFailing || (sinceMs !== undefined && performance.now() - sinceMs > this.#options.maxLagMs)
  }

  #beginSpooling(lagMs: number): void {
    const { logger, name, counts } = this.#options
    this.#spooling = true
    counts.spoolings++
    logger.warn({ code: 'sink_lags', sink: name, lagMs: Math.round(lagMs) }, RECORDS_ERRORS.sink_lags.meaning)
    this.#attempt.abort()
    this.#intake ??= this.#takeIn(Promise.race([this.#direct, sleep(ABORT_GRACE_MS, undefined, { ref: false })]))
  }

  async #takeIn(first?: Promise<unknown>): Promise<void> {
    await first
    while (this.#spooling && this.#queue.length > 0 && !this.#stopped.signal.aborted) {
      try {
        await this.#spoolSome(this.#queue.slice(0, SPOOL_BATCH))
        this.#diskFailing = false
      } catch (error) {
        this.#onDiskFailure(error)
        await this.#sleep(this.#options.retryMaxMs)
      }
    }
    this.#intake = undefined
    this.#wake()
  }

  async #spoolSome(entries: readonly Entry[]): Promise<void> {
    const { spool, counts } = this.#options
    const beyond = await spool.append(entries)
    await this.#bury(beyond.map((item) => ({ item, reason: 'the spool is full' })))
    counts.spooled += entries.length - beyond.length
    this.#finish(entries)
  }

  async #deliver(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#reopenWanted) await this.#tick()
      if (this.#spooling) await this.#drainSome()
      else if (this.#queue.length > 0) {
        this.#direct = this.#deliverSome(this.#queue.slice(0, this.#options.sink.maxBatchRecords))
        await this.#direct
      }
    }
    // In the same turn as the last look at the queue: an item that comes later starts a new loop.
    this.#delivery = undefined
  }

  async #tick(): Promise<void> {
    this.#reopenWanted = false
    try {
      await this.#options.sink.tick()
      this.#onSuccess()
    } catch (error) {
      this.#onFailure({ reason: reasonOf(error), retryAfterMs: 0 })
      await this.#sleep(this.#pause.next())
      this.#reopenWanted = this.#queue.length === 0
    }
  }

  async #deliverSome(entries: readonly Entry[]): Promise<void> {
    const result = await this.#write(entries)
    const gone = new Set<SinkRecord>(result.written)
    if (await this.#buryAll(result.refused)) for (const { item } of result.refused) gone.add(item)
    this.#finish(entries.filter((entry) => gone.has(entry)))
    if (result.failure !== undefined && !this.#spooling) await this.#sleepAfter(result.failure)
  }

  async #drainSome(): Promise<void> {
    const { spool, sink, logger, name } = this.#options
    let left: readonly SinkRecord[] = []
    try {
      left = await spool.read(sink.maxBatchRecords)
    } catch (error) {
      this.#onDiskFailure(error)
      await this.#sleep(this.#options.retryMaxMs)
      return
    }
    if (left.length === 0) {
      if (this.#intake !== undefined) await this.#intake
      else if (spool.isEmpty && this.#queue.length === 0) {
        this.#spooling = false
        logger.info({ sink: name }, 'the spool is empty: records go to the sink directly again')
      } else this.#wake()
      return
    }
    while (left.length > 0 && !this.#stopping) left = await this.#drainBatch(left)
    if (left.length === 0) await this.#advance()
  }

  /** Returns what is left of the batch. */
  async #drainBatch(batch: readonly SinkRecord[]): Promise<readonly SinkRecord[]> {
    const result = await this.#write(batch)
    const gone = new Set<SinkRecord>(result.written)
    if (await this.#buryAll(result.refused)) for (const { item } of result.refused) gone.add(item)
    if (result.failure !== undefined) await this.#sleepAfter(result.failure)
    return batch.filter((item) => !gone.has(item))
  }

  /** A cursor that can't be written is no reason to deliver again: it is written with the next batch. */
  async #advance(): Promise<void> {
    try {
      await this.#options.spool.advance()
    } catch (error) {
      this.#onDiskFailure(error)
      await this.#sleep(this.#options.retryMinMs)
    }
  }

  /** Never rejects. */
  async #write(batch: readonly SinkRecord[]): Promise<WriteResult> {
    const { sink, counts, traces, name } = this.#options
    this.#attempt = new AbortController()
    if (this.#stopping) this.#attempt.abort()
    this.#writeSinceMs = performance.now()
    const startMs = traces?.now() ?? 0
    const result = await sink.write(batch, this.#attempt.signal).catch(failedWhole)
    if (traces !== undefined) traces.onWritten(name, result.written, startMs, batch.length)
    this.#writeSinceMs = undefined
    const duplicates = result.duplicates ?? 0
    counts.batches++
    counts.written += result.written.length - duplicates
    counts.duplicates += duplicates
    if (result.failure === undefined) this.#onSuccess()
    else if (!this.#attempt.signal.aborted) this.#onFailure(result.failure)
    return result
  }

  async #bury(letters: readonly Refusal[]): Promise<void> {
    if (letters.length === 0) return
    const { deadLetters, counts, logger, name } = this.#options
    const added = await deadLetters.add(letters)
    counts.deadLetters += added
    const { item, reason } = letters[0] as Refusal
    const about = {
      code: 'dead_letter',
      sink: name,
      file: deadLetters.path,
      records: letters.length,
      id: item.id,
      reason,
    }
    logger.error(about, RECORDS_ERRORS.dead_letter.meaning)
  }

  /** False where the dead letters can't be written: the records stay where they are. */
  async #buryAll(letters: readonly Refusal[]): Promise<boolean> {
    try {
      await this.#bury(letters)
      return true
    } catch (error) {
      this.#onDiskFailure(error)
      await this.#sleep(this.#options.retryMaxMs)
      return false
    }
  }

  #finish(entries: readonly Entry[]): void {
    if (entries.length === 0) return
    const gone = new Set(entries)
    this.#queue = this.#queue.filter((entry) => !gone.has(entry))
    acknowledge(entries)
  }

  #onEmpty(id: string, consumer: Entry['consumer']): void {
    this.#options.counts.empty++
    this.#options.logger.error({ code: 'empty_item', sink: this.name, id }, RECORDS_ERRORS.empty_item.meaning)
    consumer.acknowledge([id])
  }

  #onSurplus(): void {
    const { counts, logger, capacity, name } = this.#options
    if (counts.surplus++ === 0)
      logger.warn({ code: 'queue_full', sink: name, capacity }, RECORDS_ERRORS.queue_full.meaning)
  }

  #onSuccess(): void {
    const { failures } = this.#pause
    if (failures > 0) this.#options.logger.info({ sink: this.name, failures }, 'the sink takes records again')
    this.#pause.reset()
  }

  #onFailure({ reason }: SinkFailure): void {
    this.#options.counts.writeFailures++
    if (this.#pause.failures > 0) return
    this.#options.logger.error({ code: 'write_failed', sink: this.name, reason }, RECORDS_ERRORS.write_failed.meaning)
  }

  #onDiskFailure(error: unknown): void {
    this.#options.counts.spoolFailures++
    if (this.#diskFailing) return
    this.#diskFailing = true
    const about = { code: 'spool_failed', sink: this.name, reason: reasonOf(error) }
    this.#options.logger.error(about, RECORDS_ERRORS.spool_failed.meaning)
  }

  /** Ends early on stop. */
  async #sleep(pauseMs: number, signal: AbortSignal = this.#stopped.signal): Promise<void> {
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }

  /** After a failed write; ends early on stop, and when spooling begins. */
  #sleepAfter({ retryAfterMs }: SinkFailure): Promise<void> {
    const signal = AbortSignal.any([this.#stopped.signal, this.#attempt.signal])
    return this.#sleep(this.#pause.next(retryAfterMs), signal)
  }
}
