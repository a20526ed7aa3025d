// SPDX-License-Identifier: MIT
//
// The consuming half of the feeds of records, of fraud events and of ledgers over gRPC. It reconnects with jitter for as long as it is open; after a reconnect
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

const {
  consume: CONSUME,
  consumeFraudEvents: CONSUME_FRAUD_EVENTS,
  consumeLedger: CONSUME_LEDGER,
} = RecordFeedServiceService

type Method = typeof CONSUME | typeof CONSUME_FRAUD_EVENTS | typeof CONSUME_LEDGER
const STABLE_AFTER_MS = 1_000

class RemoteConsumer implements FeedConsumer {
  readonly #addresses: readonly string[]
  readonly #method: Method
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

  constructor(
    addresses: readonly string[],
    method: Method,
    options: Options,
    start: FeedStart,
    onItems: (items: FeedItem[]) => void,
  ) {
    this.#addresses = addresses
    this.#method = method
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
      this.#method.path,
      this.#method.requestSerialize,
      this.#method.responseDeserialize,
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

function feedClient(method: Method, address: string, options: StreamCallerOptions): RecordFeed {
  const all: Options = { ...CALLER_DEFAULTS, ...options }
  const addresses = address.split(',').map((one) => one.trim())
  return { consume: (start, onItems) => new RemoteConsumer(addresses, method, all, start, onItems) }
}

/** @param address host:port, of several replicas with commas between them */
export function createRecordFeedClient(address: string, options: StreamCallerOptions): RecordFeed {
  return feedClient(CONSUME, address, options)
}

/** Fraud events in the same way. */
export function createFraudFeedClient(address: string, options: StreamCallerOptions): RecordFeed {
  return feedClient(CONSUME_FRAUD_EVENTS, address, options)
}

/** Entries of ledgers in the same way. */
export function createLedgerFeedClient(address: string, options: StreamCallerOptions): RecordFeed {
  return feedClient(CONSUME_LEDGER, address, options)
}
