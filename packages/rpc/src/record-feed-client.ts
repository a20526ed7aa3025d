// SPDX-License-Identifier: MIT
//
// The consuming half of the record feed over gRPC. It reconnects with jitter for as long as it is open; after a reconnect
// the service sends again whatever was not acknowledged. An acknowledgement made while the stream is down is lost, and its
// item comes again: sinks tell repeats by `cdrId`. Of several addresses it asks the next one each time it connects anew: any replica has
// all records.
import { performance } from 'node:perf_hooks'
import type { Client, ClientDuplexStream } from '@grpc/grpc-js'
import { type OnBug, warnOfBug } from './caller.ts'
import { backoffMs, createClient, peerMetadata } from './channel.ts'
import {
  type ConsumeRequest,
  type ConsumeResponse,
  type FeedItem,
  RecordFeedServiceService,
} from './gen/tandem/records/v1/records.ts'
import { CALLER_DEFAULTS, type CallerLimits, type StreamCallerOptions } from './options.ts'
import type { FeedConsumer, FeedStart, RecordFeed } from './record-feed.ts'

type Wire = ClientDuplexStream<ConsumeRequest, ConsumeResponse>
type Options = CallerLimits & StreamCallerOptions

const CONSUME = RecordFeedServiceService.consume
const STABLE_AFTER_MS = 1_000

class RemoteConsumer implements FeedConsumer {
  readonly #addresses: readonly string[]
  readonly #options: Options
  readonly #start: FeedStart
  readonly #onItems: (items: FeedItem[]) => void
  readonly #onBug: OnBug
  #client: Client | undefined
  #stream: Wire | undefined
  #timer: NodeJS.Timeout | undefined
  #attempt = 0
  #connectedMs = 0
  #connections = 0
  #closed = false

  constructor(addresses: readonly string[], options: Options, start: FeedStart, onItems: (items: FeedItem[]) => void) {
    this.#addresses = addresses
    this.#options = options
    this.#start = start
    this.#onItems = onItems
    this.#onBug = options.onBug ?? warnOfBug
    this.#connect()
  }

  acknowledge(ids: string[]): void {
    this.#stream?.write({ request: { $case: 'acknowledge', value: { ids } } })
  }

  /** Acknowledgements that were written still leave. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#stream?.end()
  }

  #connect(): void {
    const address = this.#addresses[this.#connections++ % this.#addresses.length] as string
    const client = createClient(address, this.#options, this.#options.credentials)
    const stream: Wire = client.makeBidiStreamRequest(
      CONSUME.path,
      CONSUME.requestSerialize,
      CONSUME.responseDeserialize,
      peerMetadata(this.#options.peer),
    )
    this.#client = client
    this.#stream = stream
    this.#connectedMs = performance.now()
    stream.on('data', (response: ConsumeResponse) => this.#receive(response))
    stream.on('error', () => this.#lost(stream))
    stream.on('end', () => this.#lost(stream))
    stream.write({ request: { $case: 'start', value: { ...this.#start } } })
  }

  #receive(response: ConsumeResponse): void {
    if (this.#closed) return
    try {
      this.#onItems(response.items)
    } catch (error) {
      this.#onBug(error, 'onItems')
    }
  }

  #lost(stream: Wire): void {
    if (stream !== this.#stream) return
    this.#stream = undefined
    stream.cancel()
    this.#client?.close()
    if (this.#closed) return
    const { backoffMinMs, backoffMaxMs, random = Math.random } = this.#options
    this.#attempt = performance.now() - this.#connectedMs > STABLE_AFTER_MS ? 1 : this.#attempt + 1
    this.#timer = setTimeout(() => this.#connect(), backoffMs(this.#attempt, backoffMinMs, backoffMaxMs, random))
  }
}

/** @param address host:port, of several replicas with commas between them */
export function createRecordFeedClient(address: string, options: StreamCallerOptions): RecordFeed {
  const all: Options = { ...CALLER_DEFAULTS, ...options }
  const addresses = address.split(',').map((one) => one.trim())
  return { consume: (start, onItems) => new RemoteConsumer(addresses, all, start, onItems) }
}
