// SPDX-License-Identifier: MIT
//
// One bidirectional stream to one replica, kept up by reconnecting. It is ready from the service's initial metadata on.
// It sends batches that it is given, matches results by id and knows when `write` wants a pause. When it breaks, everything
// in flight on it goes back to its owner: the replica may have acted, so whoever asks again does so with the same keys.
// A replica that says UNIMPLEMENTED to the stream, of a service whose methods are all unary too, is asked by those.
// Race: a result that arrives after its call timed out finds no entry, is told to the owner and dropped.
import { performance } from 'node:perf_hooks'
import { type Client, type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js'
import { BatchWriter } from './batch.ts'
import { Breaker } from './breaker.ts'
import type { EndpointState } from './caller.ts'
import { backoffMs, createClient, peerMetadata } from './channel.ts'
import { unknownBy } from './errors.ts'
import type { MethodMap } from './method-map.ts'
import type { CallerLimits, StreamCallerOptions } from './options.ts'
import type { PendingCall } from './pending-call.ts'
import type { Result } from './result.ts'
import type { StreamService, WireItemResult, WireResponse } from './service.ts'
import { UnaryReplica } from './unary-replica.ts'
import { fromWireResult } from './wire-copy.ts'

export interface StreamOwner<Push> {
  finish(call: PendingCall, result: Result<unknown>): void
  /** The stream broke under it. `result` says so. */
  onLost(call: PendingCall, result: Result<unknown>): void
  deliverPush(push: Push): void
  /** Ready or not, writable again, or a batch of results came: there may be something to send. */
  onProgress(): void
  /** A result that no call waits for. */
  onStray(): void
  /** The replica is about to go. */
  onLeaving(): void
}

export type StreamOptions = CallerLimits &
  Pick<StreamCallerOptions, 'peer' | 'credentials' | 'onUnary' | 'circuit'> & { random: () => number }

type Wire<Push> = ClientDuplexStream<Buffer, WireResponse<Push>>

const STABLE_AFTER_MS = 1_000
const ID_LIMIT = 2 ** 32
/** Less than this is not told: it costs more than it says. */
const AGE_STEP_MS = 5
/** Ids of failed calls go together. */
const KEEP_EVERY_MS = 50
const MAX_KEEPS = 256

export class BatchingStream<M extends MethodMap, U extends MethodMap, Push> {
  readonly address: string
  readonly inFlight = new Map<number, PendingCall>()
  ready = false
  /** No more batches; closes when the last result is in. */
  retiring = false
  /** The replica has said that it goes: asked only where no other can be. */
  leaving = false
  /** Since when there is no connection; NaN while there is one. */
  downSinceMs = performance.now()
  /** Whether it is fit to be asked. */
  readonly breaker: Breaker | undefined
  readonly #service: StreamService<M, U, Push>
  readonly #options: StreamOptions
  readonly #owner: StreamOwner<Push>
  #client: Client | undefined
  #stream: Wire<Push> | undefined
  /** In the place of the stream. */
  #unary: UnaryReplica<M, U, Push> | undefined
  #hasToldUnary = false
  #timer: NodeJS.Timeout | undefined
  readonly #keeps: string[] = []
  #keeping: NodeJS.Timeout | undefined
  #congested = false
  #attempt = 0
  #readySinceMs = 0
  #nextId = 1
  #closed = false

  constructor(service: StreamService<M, U, Push>, address: string, options: StreamOptions, owner: StreamOwner<Push>) {
    this.#service = service
    this.address = address
    this.#options = options
    this.#owner = owner
    this.breaker = options.circuit && new Breaker(options.circuit)
    this.#connect()
  }

  /** Whether it has been too bad lately, or away for too long. */
  isUnfit(now: number, downMs: number): boolean {
    if (!this.ready) return now - this.downSinceMs > downMs
    return this.breaker !== undefined && !this.breaker.allows(now)
  }

  get state(): EndpointState['state'] {
    return this.ready ? (this.breaker?.state ?? 'closed') : 'down'
  }

  get writable(): boolean {
    const room = this.inFlight.size < this.#options.maxInFlightPerStream
    return this.ready && !this.#congested && !this.retiring && room
  }

  /** One message. The calls are in flight from here on. */
  send(calls: readonly PendingCall[], bodyBytes: number): void {
    const now = performance.now()
    const msLeft = (call: PendingCall) => Math.max(1, Math.floor(call.untilMs - now))
    if (this.breaker?.state !== 'closed') this.breaker?.asked(now)
    for (const call of calls) {
      call.id = this.#takeId()
      call.inFlight = this.inFlight
      call.breaker = this.breaker
      this.inFlight.set(call.id, call)
    }
    const tellsAges = this.#service.aged !== undefined
    const waitedMs = (call: PendingCall) =>
      tellsAges && now - call.madeMs >= AGE_STEP_MS ? Math.floor(now - call.madeMs) : 0
    if (this.#unary !== undefined) {
      for (const call of calls) this.#unary.send(call, msLeft(call), waitedMs(call))
      return
    }
    const batch = new BatchWriter(bodyBytes, calls.length)
    for (const call of calls) batch.append(call.id, msLeft(call), call.request as Uint8Array, waitedMs(call))
    if (tellsAges) batch.sentAt(Math.floor(now) >>> 0)
    this.#congested = this.#stream?.write(batch.finish()) === false
  }

  /** Tells the replica of a call that has failed, with others in one message; nothing where it has no stream or is slow. */
  keepTrace(traceId: string): void {
    if (this.#stream === undefined || this.#keeps.length >= MAX_KEEPS) return
    this.#keeps.push(traceId)
    this.#keeping ??= setTimeout(() => this.#sendKeeps(), KEEP_EVERY_MS).unref()
  }

  #sendKeeps(): void {
    this.#keeping = undefined
    const keepTraces = this.#keeps.splice(0).join(',')
    if (!this.ready || this.#congested || this.#stream === undefined) return
    const message = this.#service.request.encode({ items: [], sentMs: 0, keepTraces }).finish()
    this.#congested = !this.#stream.write(Buffer.from(message.buffer, message.byteOffset, message.length))
  }

  /** Asks nothing more of a replica that goes; what is in flight it answers, and then ends the stream. */
  leave(): void {
    if (!this.ready || this.#stream === undefined) return
    this.ready = false
    this.downSinceMs = performance.now()
    this.#stream.end()
  }

  /** Tries at once where it would wait for its next attempt. */
  connectNow(): void {
    if (this.#stream !== undefined || this.#unary !== undefined || this.#closed) return
    clearTimeout(this.#timer)
    this.#attempt = 0
    this.#connect()
  }

  retire(): void {
    this.retiring = true
    if (this.inFlight.size === 0) this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#keeping)
    this.#drop('closed')
  }

  #takeId(): number {
    do {
      this.#nextId = this.#nextId + 1 < ID_LIMIT ? this.#nextId + 1 : 1
    } while (this.inFlight.has(this.#nextId))
    return this.#nextId
  }

  #connect(): void {
    this.leaving = false
    const { credentials, peer, connectTimeoutMs } = this.#options
    const client = createClient(this.address, this.#options, credentials)
    const stream: Wire<Push> = client.makeBidiStreamRequest(
      this.#service.streamPath,
      (batch: Buffer) => batch,
      (bytes: Buffer) => this.#service.response.decode(bytes),
      peerMetadata(peer),
    )
    this.#client = client
    this.#stream = stream
    this.#timer = setTimeout(() => this.#lost(stream, 'no answer to the connection attempt'), connectTimeoutMs)
    stream.on('metadata', () => this.#opened(stream))
    stream.on('data', (response: WireResponse<Push>) => this.#receive(response))
    stream.on('drain', () => this.#drained(stream))
    stream.on('error', (error: ServiceError) => this.#failed(stream, error))
    stream.on('end', () => this.#lost(stream, 'ended by the service'))
  }

  #opened(stream: Wire<Push>): void {
    if (stream !== this.#stream) return
    clearTimeout(this.#timer)
    this.ready = true
    this.downSinceMs = Number.NaN
    this.#readySinceMs = performance.now()
    this.#owner.onProgress()
  }

  #drained(stream: Wire<Push>): void {
    if (stream !== this.#stream) return
    this.#congested = false
    this.#owner.onProgress()
  }

  #receive(response: WireResponse<Push>): void {
    for (const result of response.results) this.#settle(result)
    for (const push of response.pushes) this.#owner.deliverPush(push)
    if (response.leaving) {
      this.leaving = true
      this.#owner.onLeaving()
    }
    this.#progressed()
  }

  #settle(result: WireItemResult): void {
    const call = this.inFlight.get(result.id)
    if (call === undefined) this.#owner.onStray()
    else this.#owner.finish(call, fromWireResult(call.method, result))
  }

  #settleUnary(id: number, result: Result<unknown>): void {
    const call = this.inFlight.get(id)
    if (call === undefined) this.#owner.onStray()
    else this.#owner.finish(call, result)
    this.#progressed()
  }

  #progressed(): void {
    if (this.retiring && this.inFlight.size === 0) this.close()
    this.#owner.onProgress()
  }

  #failed(stream: Wire<Push>, error: ServiceError): void {
    if (stream !== this.#stream || this.#closed) return
    const client = this.#client
    if (client === undefined || error.code !== status.UNIMPLEMENTED || !this.#service.isWholeAsUnary)
      this.#lost(stream, error.message)
    else this.#goUnary(client)
  }

  #goUnary(client: Client): void {
    clearTimeout(this.#timer)
    this.#stream = undefined
    this.#endInFlight('it has no stream')
    const unary: UnaryReplica<M, U, Push> = new UnaryReplica(this.#service, client, this.#options.peer, {
      onResult: (id, result) => this.#settleUnary(id, result),
      onLost: (reason) => this.#lost(unary, reason),
    })
    this.#unary = unary
    this.ready = true
    this.downSinceMs = Number.NaN
    this.#congested = false
    this.#readySinceMs = performance.now()
    if (!this.#hasToldUnary) this.#options.onUnary?.(this.address)
    this.#hasToldUnary = true
    this.#owner.onProgress()
  }

  /** The stream is gone; its successor comes after a pause that grows unless the stream had been up for a while. */
  #lost(link: Wire<Push> | UnaryReplica<M, U, Push>, reason: string): void {
    if ((link !== this.#stream && link !== this.#unary) || this.#closed) return
    clearTimeout(this.#timer)
    const stable = this.ready && performance.now() - this.#readySinceMs > STABLE_AFTER_MS
    this.#attempt = stable ? 0 : this.#attempt + 1
    this.#drop(reason)
    if (this.retiring) {
      this.close()
      return
    }
    const { backoffMinMs, backoffMaxMs, random } = this.#options
    this.#timer = setTimeout(() => this.#connect(), backoffMs(this.#attempt, backoffMinMs, backoffMaxMs, random))
  }

  #drop(reason: string): void {
    const stream = this.#stream
    this.#stream = undefined
    this.#unary?.close()
    this.#unary = undefined
    if (this.ready) this.downSinceMs = performance.now()
    this.ready = false
    this.#congested = false
    stream?.cancel()
    this.#client?.close()
    this.#endInFlight(reason)
    this.#owner.onProgress()
  }

  #endInFlight(reason: string): void {
    const result = unknownBy('stream_broken', `the stream to ${this.address} broke: ${reason}`)
    for (const call of [...this.inFlight.values()]) this.#owner.onLost(call, result)
  }
}
