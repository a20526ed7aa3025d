// SPDX-License-Identifier: MIT
//
// The client half of the batched streams: one stream to every replica of a service, one queue before them. A batch leaves
// when it is full, when its window is over, or at the end of the turn when nothing is in flight and the pace allows it
// (pace.ts); it goes to the ready stream with the fewest calls in flight. While no stream can be written to, calls wait in the queue, which has a bound in items and
// in bytes; what does not fit, and what waits too long, ends as unknown. So does what was in flight on a stream that breaks,
// unless another replica is there and the method may be repeated: then it is sent once more, within its time.
// A replica that says that it goes is asked on until another one is ready; those that are not are tried again and again meanwhile.
//
// With `circuit` each replica has a breaker: one that fails too often is passed over while there is another, and asked by single probes
// after a while. While none is fit, urgent methods end at once. A call on which its replica is silent for half of its time goes to
// another one, within a budget.
import { lookup } from 'node:dns/promises'
import { performance } from 'node:perf_hooks'
import type { TraceScope } from '@tandem/telemetry'
import { BaseCaller } from './base-caller.ts'
import { BatchingStream, type StreamOptions } from './batching-stream.ts'
import { type Caller, type EndpointState, type OnResult, type PushReply, warnOfBug } from './caller.ts'
import { refusedBy, unknownBy } from './errors.ts'
import type { MethodMap, MethodName } from './method-map.ts'
import { CALLER_DEFAULTS, type CircuitSettings, MAX_ITEM_BYTES, type StreamCallerOptions } from './options.ts'
import { Pace } from './pace.ts'
import { CallQueue, type PendingCall } from './pending-call.ts'
import type { Result } from './result.ts'
import { RetryBudget } from './retry-budget.ts'
import type { StreamService } from './service.ts'
import { encodeRequestBody } from './wire-copy.ts'

/** host:port of every replica: a list, or a function that is asked again every `resolveIntervalMs`. */
export type Addresses = readonly string[] | (() => Promise<readonly string[]>)

/** While a replica goes and no other is there. */
const SEEK_EVERY_MS = 200

class StreamCaller<M extends MethodMap, U extends MethodMap, Push> extends BaseCaller<M, Push> {
  readonly #service: StreamService<M, U, Push>
  readonly #options: StreamOptions
  readonly #streams = new Map<string, BatchingStream<M, U, Push>>()
  readonly #retired = new Set<BatchingStream<M, U, Push>>()
  readonly #queue = new CallQueue()
  readonly #pace: Pace
  readonly #hedges: RetryBudget
  #window: NodeJS.Timeout | undefined
  #endOfTurn: NodeJS.Immediate | undefined
  #resolving: NodeJS.Timeout | undefined
  #resolveNow: () => void = () => undefined
  /** While a replica goes. */
  #seeking: NodeJS.Timeout | undefined

  constructor(service: StreamService<M, U, Push>, addresses: Addresses, options: StreamCallerOptions) {
    super(service.name, options.onBug ?? warnOfBug)
    this.#service = service
    this.#options = { random: Math.random, ...CALLER_DEFAULTS, ...options }
    this.#hedges = new RetryBudget(options.circuit?.hedgeShare ?? 0)
    this.#pace = new Pace(this.#options.batchWindowMs, performance.now())
    if (typeof addresses === 'function') void this.#follow(addresses)
    else this.#connectTo(addresses)
  }

  call<K extends MethodName<M>>(
    method: K,
    request: M[K]['request'],
    timeoutMs: number,
    onResult: OnResult<M[K]['response']>,
    trace?: TraceScope,
  ): void {
    const call = this.begin(method, request, timeoutMs, onResult, trace)
    if (this.closed) {
      this.finishLater(call, unknownBy('closed'))
      return
    }
    if (!this.#encode(call)) return
    if (this.#isFull(call)) {
      this.finishLater(call, unknownBy('queue_full'))
      return
    }
    if (this.#options.circuit !== undefined && !this.#tryOnce(call, this.#options.circuit, timeoutMs)) return
    this.#queue.push(call)
    this.counts.queued++
    this.deadlines.add(call)
    this.#schedule()
  }

  endpoints(): readonly EndpointState[] {
    return [...this.#streams.values()].map(({ address, state, breaker }) => ({
      address,
      state,
      opened: breaker?.opened ?? 0,
    }))
  }

  /** Each replica: any of them may have worked on it. */
  keepTrace(traceId: string): void {
    for (const stream of this.#streams.values()) stream.keepTrace(traceId)
  }

  /** What the circuit says of a new call: false where it ends at once, and a first try that leaves time for a second. */
  #tryOnce(call: PendingCall, { downMs, hedgeShare }: CircuitSettings, timeoutMs: number): boolean {
    const { repeatable, urgent } = this.#service
    if (urgent.has(call.method) && this.#isNobodyFit(call.untilMs - timeoutMs, downMs)) {
      this.counts.shunned++
      this.finishLater(call, unknownBy('circuit_open'))
      return false
    }
    if (this.#streams.size > 1 && hedgeShare > 0 && repeatable.has(call.method)) {
      this.#hedges.earn()
      call.deadlineMs -= timeoutMs / 2
    }
    return true
  }

  #isNobodyFit(now: number, downMs: number): boolean {
    for (const stream of this.#streams.values()) if (!stream.isUnfit(now, downMs)) return false
    return this.#streams.size > 0
  }

  protected override expire(call: PendingCall): void {
    const now = performance.now()
    if (now >= call.untilMs) return super.expire(call)
    call.deadlineMs = call.untilMs
    this.deadlines.add(call)
    const { inFlight } = call
    const other = inFlight === undefined || call.isRepeat ? undefined : this.#leastLoaded(now, inFlight)
    if (other !== undefined && this.#hedges.spend()) this.#hedge(call, other)
  }

  /** The first replica is silent: its result counts for nothing from here on. */
  #hedge(call: PendingCall, other: BatchingStream<M, U, Push>): void {
    call.breaker?.settled(false, performance.now())
    call.inFlight?.delete(call.id)
    call.isRepeat = true
    this.counts.hedged++
    this.counts.batches++
    other.send([call], call.bytes)
  }

  protected override finish(call: PendingCall, result: Result<unknown>): void {
    if (call.breaker !== undefined && call.inFlight !== undefined && call.onResult !== undefined) {
      call.breaker.settled(result.outcome !== 'unknown', performance.now())
      call.breaker = undefined
    }
    super.finish(call, result)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.#cancelFlush()
    clearTimeout(this.#resolving)
    clearTimeout(this.#seeking)
    for (const call of this.deadlines.clear()) this.finish(call, unknownBy('closed'))
    for (const stream of [...this.#streams.values(), ...this.#retired]) stream.close()
    this.setReady(false)
  }

  protected forget(call: PendingCall): void {
    if (call.queue !== undefined) {
      this.#queue.remove(call)
      this.counts.queued--
    }
    if (call.inFlight?.delete(call.id)) {
      this.counts.inFlight--
      if (this.#queue.count > 0 && !this.closed) this.#schedule()
    }
  }

  /** The body is encoded here, so the request may change once `call` is over. */
  #encode(call: PendingCall): boolean {
    try {
      const body = encodeRequestBody(this.#service, call.method, call.request, call.span?.traceparent)
      call.request = body
      if (body.length <= MAX_ITEM_BYTES) return true
      this.finishLater(call, refusedBy('item_too_large', `${body.length} bytes, at most ${MAX_ITEM_BYTES}`))
    } catch (error) {
      this.bug(error, `request of ${call.method}`)
      this.finishLater(call, refusedBy('bad_request'))
    }
    return false
  }

  #isFull(call: PendingCall): boolean {
    const { maxQueueItems, maxQueueBytes } = this.#options
    return this.#queue.count >= maxQueueItems || this.#queue.bytes + call.bytes > maxQueueBytes
  }

  #schedule(): void {
    const { maxBatchItems, maxBatchBytes, batchWindowMs } = this.#options
    if (this.#queue.count >= maxBatchItems || this.#queue.bytes >= maxBatchBytes) {
      this.#sendFull()
      return
    }
    if (this.#endOfTurn !== undefined || this.#window !== undefined) return
    if (this.#mayLeave()) this.#endOfTurn = setImmediate(() => this.#flush())
    else this.#window = setTimeout(() => this.#flush(), batchWindowMs)
  }

  #mayLeave(): boolean {
    return (this.counts.inFlight === 0 || this.#options.batchWindowMs === 0) && this.#pace.allows(performance.now())
  }

  #cancelFlush(): void {
    clearImmediate(this.#endOfTurn)
    clearTimeout(this.#window)
    this.#endOfTurn = undefined
    this.#window = undefined
  }

  #flush(): void {
    this.#cancelFlush()
    while (this.#queue.count > 0 && this.#sendBatch());
  }

  #sendFull(): void {
    const { maxBatchItems, maxBatchBytes } = this.#options
    while ((this.#queue.count >= maxBatchItems || this.#queue.bytes >= maxBatchBytes) && this.#sendBatch());
  }

  #sendBatch(): boolean {
    const stream = this.#leastLoaded(performance.now())
    if (stream === undefined) return false
    const before = this.#queue.bytes
    const isProbe = stream.breaker !== undefined && stream.breaker.state !== 'closed'
    const calls = this.#queue.take(isProbe ? 1 : this.#options.maxBatchItems, this.#options.maxBatchBytes)
    this.counts.queued -= calls.length
    this.counts.inFlight += calls.length
    this.counts.batches++
    this.#pace.spend()
    stream.send(calls, before - this.#queue.bytes)
    return true
  }

  /**
   * The fit one with the fewest calls in flight; where none is fit, of those that can be written to.
   * @param except calls in flight on the one that is not meant
   */
  #leastLoaded(now: number, except?: Map<number, PendingCall>): BatchingStream<M, U, Push> | undefined {
    let best: BatchingStream<M, U, Push> | undefined
    let isBestFit = false
    for (const stream of this.#streams.values()) {
      if (!stream.writable || stream.inFlight === except) continue
      const isFit = !stream.leaving && (stream.breaker === undefined || stream.breaker.allows(now))
      if (isBestFit && !isFit) continue
      if (best !== undefined && isBestFit === isFit && stream.inFlight.size >= best.inFlight.size) continue
      best = stream
      isBestFit = isFit
    }
    return best
  }

  /** A stream became ready, broke, drained or brought results: what waits goes now if nothing is in flight. */
  #onProgress(): void {
    if (this.closed) return
    if (this.#seeking !== undefined) this.#leaveThoseThatGo()
    this.setReady(this.#isAnyReady())
    if (this.#queue.count === 0) return
    if (this.#mayLeave()) this.#flush()
    else this.#schedule()
  }

  /** Looks for another replica at once and then again and again, until none is left that goes. */
  #seek(): void {
    clearTimeout(this.#seeking)
    this.#seeking = undefined
    const streams = [...this.#streams.values()]
    if (this.closed || !streams.some(({ leaving, ready }) => leaving && ready)) return
    this.#seeking = setTimeout(() => this.#seek(), SEEK_EVERY_MS)
    this.#resolveNow()
    for (const stream of streams) if (!stream.ready && !stream.leaving) stream.connectNow()
    this.#leaveThoseThatGo()
  }

  #leaveThoseThatGo(): void {
    const streams = [...this.#streams.values()]
    if (!streams.some(({ leaving, ready }) => ready && !leaving)) return
    for (const stream of streams) if (stream.leaving) stream.leave()
  }

  #isAnyReady(): boolean {
    for (const stream of this.#streams.values()) if (stream.ready) return true
    return false
  }

  /** Its place in the queue is not bounded anew: it was counted in flight, and no more of them can be lost than were. */
  #onLost(call: PendingCall, result: Result<unknown>): void {
    const mayRepeat = !call.isRepeat && !this.closed && this.#service.repeatable.has(call.method)
    if (!mayRepeat || !this.#isAnyReady()) return this.finish(call, result)
    call.isRepeat = true
    call.breaker?.settled(false, performance.now())
    call.breaker = undefined
    call.inFlight?.delete(call.id)
    call.inFlight = undefined
    this.#queue.push(call)
    this.counts.inFlight--
    this.counts.queued++
    this.counts.repeated++
  }

  #connectTo(addresses: readonly string[]): void {
    for (const [address, stream] of this.#streams) {
      if (addresses.includes(address)) continue
      this.#streams.delete(address)
      this.#retire(stream)
    }
    for (const address of addresses) {
      if (!this.#streams.has(address)) this.#streams.set(address, this.#open(address))
    }
  }

  #open(address: string): BatchingStream<M, U, Push> {
    const stream = new BatchingStream<M, U, Push>(this.#service, address, this.#options, {
      finish: (call, result) => this.finish(call, result),
      onLost: (call, result) => this.#onLost(call, result),
      deliverPush: (push) => this.deliverPush(push, (...item) => this.#reply(stream, ...item)),
      onProgress: () => this.#onProgress(),
      onStray: () => {
        this.counts.late++
      },
      onLeaving: () => this.#seek(),
    })
    return stream
  }

  /** Past the queue: there is one stream that it can go to. */
  #reply(stream: BatchingStream<M, U, Push>, ...[method, request, timeoutMs]: Parameters<PushReply<M>>): void {
    const call = this.begin(method, request, timeoutMs, () => undefined, undefined)
    if (this.closed || !stream.ready) return this.finishLater(call, unknownBy('closed'))
    if (!this.#encode(call)) return
    this.deadlines.add(call)
    this.counts.inFlight++
    this.counts.batches++
    stream.send([call], call.bytes)
  }

  #retire(stream: BatchingStream<M, U, Push>): void {
    for (const old of this.#retired) if (old.inFlight.size === 0) this.#retired.delete(old)
    this.#retired.add(stream)
    stream.retire()
    this.#onProgress()
  }

  /** An answer that is empty or an error leaves the streams as they are: unreachable is not dead. */
  async #follow(resolve: () => Promise<readonly string[]>): Promise<void> {
    const addresses = await resolve().catch((): readonly string[] => [])
    if (this.closed) return
    if (addresses.length > 0) this.#connectTo(addresses)
    clearTimeout(this.#resolving)
    this.#resolving = setTimeout(() => void this.#follow(resolve), this.#options.resolveIntervalMs)
    this.#resolving.unref()
    this.#resolveNow = () => {
      this.#resolveNow = () => undefined
      void this.#follow(resolve)
    }
  }
}

export function createStreamCaller<M extends MethodMap, U extends MethodMap, Push>(
  service: StreamService<M, U, Push>,
  addresses: Addresses,
  options: StreamCallerOptions,
): Caller<M, Push> {
  return new StreamCaller(service, addresses, options)
}

/** Every address of a headless service's name, as `host:port`, for createStreamCaller. */
export function headlessAddresses(host: string, port: number): () => Promise<string[]> {
  return async () => {
    const found = await lookup(host, { all: true })
    return found.map(({ address, family }) => (family === 6 ? `[${address}]:${port}` : `${address}:${port}`)).sort()
  }
}
