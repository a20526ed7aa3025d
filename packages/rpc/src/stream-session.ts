// SPDX-License-Identifier: MIT
//
// The service's half of one batched stream: items to handlers, results gathered per turn, pushes in between.
// Bounds: items in progress (unsent results included), above which reading stops, so that HTTP/2 flow control stops the
// caller; pushes that a caller does not take, above which its stream is cut (it comes back and starts afresh).
// An item whose time has run out gets no result: its caller has ended it as unknown already.
import { performance } from 'node:perf_hooks'
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js'
import type { ServerSpan, ServerTracer } from '@tandem/telemetry'
import { BatchWriter } from './batch.ts'
import type { HandlerContext, OnBug } from './caller.ts'
import { refusedBy, unknownBy } from './errors.ts'
import type { MethodMap } from './method-map.ts'
import type { ServeLimits } from './options.ts'
import type { Result } from './result.ts'
import type { StreamService, WireItem, WireRequest } from './service.ts'
import { Transit } from './transit.ts'
import { encodeResultBody } from './wire-copy.ts'

export type Handler = (request: unknown, context: HandlerContext) => Result<unknown> | Promise<Result<unknown>>
export type HandlerTable = { readonly [method: string]: Handler | undefined }

/** Integers for metrics, over all streams of a service on this server. */
export interface ServeCounts {
  /** Streams open now. */
  streams: number
  items: number
  /** Messages written. */
  batches: number
  refused: number
  unknown: number
  /** Results that came after their caller's time was over. */
  late: number
  /** Items received and not yet answered. */
  inProgress: number
  /** How often reading stopped because of too many items in progress. */
  pauses: number
  pushes: number
}

export type ServerStream = ServerDuplexStream<WireRequest, Buffer>

interface Outgoing {
  id: number
  body: Uint8Array
}

const MAX_UNTAKEN_PUSHES = 256
/** No report is dated anew for less. */
const AGE_STEP_MS = 5

export class StreamSession<M extends MethodMap, U extends MethodMap, Push> {
  readonly peer: string
  readonly #stream: ServerStream
  readonly #service: StreamService<M, U, Push>
  readonly #handlers: HandlerTable
  readonly #limits: ServeLimits
  readonly #counts: ServeCounts
  readonly #onBug: OnBug
  readonly #tracer: ServerTracer | undefined
  readonly #transit = new Transit()
  #outgoing: Outgoing[] = []
  #outgoingBytes = 0
  #flushing: NodeJS.Immediate | undefined
  #inProgress = 0
  #untakenPushes = 0
  #congested = false
  #paused = false
  #closed = false
  #draining: Promise<void> | undefined
  #onDrained: ((value?: undefined) => void) | undefined

  constructor(
    stream: ServerStream,
    peer: string,
    service: StreamService<M, U, Push>,
    handlers: HandlerTable,
    limits: ServeLimits,
    counts: ServeCounts,
    onBug: OnBug,
    tracer?: ServerTracer,
  ) {
    this.#stream = stream
    this.peer = peer
    this.#service = service
    this.#handlers = handlers
    this.#limits = limits
    this.#counts = counts
    this.#onBug = onBug
    this.#tracer = tracer
  }

  /** `onClosed` is called once, whichever side ended the stream. */
  start(onClosed: () => void): void {
    const close = () => this.#close(onClosed)
    this.#stream.on('data', (request: WireRequest) => this.#receive(request))
    this.#stream.on('drain', () => this.#drained())
    this.#stream.on('end', () => void this.drain().then(close))
    this.#stream.on('cancelled', close)
    this.#stream.on('error', close)
    this.#stream.on('finish', close)
    this.#stream.sendMetadata(new Metadata())
  }

  push(push: Push): void {
    if (this.#closed) return
    if (this.#congested && ++this.#untakenPushes > MAX_UNTAKEN_PUSHES) {
      this.#stream.destroy(new Error('pushes are not being taken'))
      return
    }
    this.#counts.pushes++
    this.#write(Buffer.from(this.#service.response.encode({ results: [], pushes: [push], leaving: false }).finish()))
  }

  /** Tells the caller to find another node. */
  tellLeaving(): void {
    if (this.#closed) return
    this.#write(Buffer.from(this.#service.response.encode({ results: [], pushes: [], leaving: true }).finish()))
  }

  /** Reads nothing more, answers what was read, then ends the stream. */
  drain(): Promise<void> {
    this.#stream.pause()
    this.#paused = true
    this.#draining ??= new Promise<undefined>((resolve) => {
      this.#onDrained = resolve
      this.#checkDrained()
    }).then(() => void this.#stream.end())
    return this.#draining
  }

  #close(onClosed: () => void): void {
    if (this.#closed) return
    this.#closed = true
    clearImmediate(this.#flushing)
    this.#outgoing = []
    this.#progressed(this.#inProgress)
    onClosed()
  }

  #receive(request: WireRequest): void {
    const now = performance.now()
    this.#inProgress += request.items.length
    this.#counts.inProgress += request.items.length
    this.#counts.items += request.items.length
    const lateMs = request.sentMs ? this.#transit.lateness(request.sentMs, now) : 0
    for (const item of request.items) this.#run(item, now, lateMs)
    if (request.keepTraces !== '') this.#tracer?.keep(request.keepTraces)
    if (this.#inProgress < this.#limits.maxInProgressPerStream || this.#paused) return
    this.#paused = true
    this.#counts.pauses++
    this.#stream.pause()
  }

  #run(item: WireItem, now: number, lateMs: number): void {
    const method = item.request?.$case ?? ''
    const handler = this.#handlers[method]
    const deadlineMs = now + item.msLeft
    if (handler === undefined) {
      this.#settle(item.id, method, deadlineMs, refusedBy('unknown_method'))
      return
    }
    if (item.msLeft === 0) {
      this.#settle(item.id, method, deadlineMs, unknownBy('timeout'))
      return
    }
    const span = item.traceparent === '' ? undefined : this.#spanOf(item, method)
    try {
      const result = handler.call(this.#handlers, this.#requestOf(item, method, lateMs), {
        msLeft: item.msLeft,
        peer: this.peer,
        span,
      })
      if ('then' in result) this.#await(item.id, method, deadlineMs, result, span)
      else this.#settle(item.id, method, deadlineMs, result, span)
    } catch (error) {
      this.#failed(item.id, method, deadlineMs, error, span)
    }
  }

  #spanOf(item: WireItem, method: string): ServerSpan | undefined {
    return this.#tracer?.server(this.#service.name, method, item.traceparent, this.peer)
  }

  /** With the ages of this moment: what waited, there or on the way, is older than it says. */
  #requestOf(item: WireItem, method: string, lateMs: number): unknown {
    const waitedMs = (item.waitedMs ?? 0) + lateMs
    const { aged } = this.#service
    return waitedMs >= AGE_STEP_MS && aged !== undefined
      ? aged(method, item.request?.value, waitedMs)
      : item.request?.value
  }

  #await(
    id: number,
    method: string,
    deadlineMs: number,
    result: Promise<Result<unknown>>,
    span: ServerSpan | undefined,
  ): void {
    result.then(
      (value) => this.#settle(id, method, deadlineMs, value, span),
      (error: unknown) => this.#failed(id, method, deadlineMs, error, span),
    )
  }

  #failed(id: number, method: string, deadlineMs: number, error: unknown, span: ServerSpan | undefined): void {
    this.#onBug(error, `handler of ${method}`)
    this.#settle(id, method, deadlineMs, unknownBy('handler_failed'), span)
  }

  #settle(id: number, method: string, deadlineMs: number, result: Result<unknown>, span?: ServerSpan): void {
    if (span !== undefined) span.end(result)
    if (this.#closed) return
    if (performance.now() > deadlineMs) {
      this.#counts.late++
      this.#progressed(1)
      return
    }
    if (result.outcome === 'refused') this.#counts.refused++
    else if (result.outcome === 'unknown') this.#counts.unknown++
    const body = this.#encode(method, result)
    this.#outgoing.push({ id, body })
    this.#outgoingBytes += body.length
    this.#schedule()
  }

  #encode(method: string, result: Result<unknown>): Uint8Array {
    try {
      return encodeResultBody(this.#service, method, result)
    } catch (error) {
      this.#onBug(error, `response of ${method}`)
      return encodeResultBody(this.#service, method, unknownBy('handler_failed'))
    }
  }

  #schedule(): void {
    const { maxBatchItems, maxBatchBytes } = this.#limits
    if (this.#outgoing.length >= maxBatchItems || this.#outgoingBytes >= maxBatchBytes) this.#flush()
    else this.#flushing ??= setImmediate(() => this.#flush())
  }

  #flush(): void {
    clearImmediate(this.#flushing)
    this.#flushing = undefined
    while (this.#outgoing.length > 0 && !this.#congested && !this.#closed) this.#sendBatch()
  }

  #sendBatch(): void {
    const { maxBatchItems, maxBatchBytes } = this.#limits
    let count = 0
    let bytes = 0
    for (const { body } of this.#outgoing) {
      if (count >= maxBatchItems || (count > 0 && bytes + body.length > maxBatchBytes)) break
      bytes += body.length
      count++
    }
    const batch = new BatchWriter(bytes, count)
    for (const { id, body } of this.#outgoing.splice(0, count)) batch.append(id, 0, body)
    this.#outgoingBytes -= bytes
    this.#counts.batches++
    this.#write(batch.finish())
    this.#progressed(count)
  }

  #write(message: Buffer): void {
    if (!this.#stream.write(message)) this.#congested = true
  }

  #drained(): void {
    this.#congested = false
    this.#untakenPushes = 0
    this.#flush()
  }

  /** Reading goes on at half of the bound, so that it does not stop and go with every item. */
  #progressed(count: number): void {
    this.#inProgress -= count
    this.#counts.inProgress -= count
    if (this.#onDrained !== undefined) {
      this.#checkDrained()
      return
    }
    if (!this.#paused || this.#inProgress > this.#limits.maxInProgressPerStream / 2) return
    this.#paused = false
    this.#stream.resume()
  }

  #checkDrained(): void {
    if (this.#inProgress === 0) this.#onDrained?.()
  }
}
