// SPDX-License-Identifier: MIT
//
// The serving half of the feeds of records, of fraud events and of ledgers: one stream is one consumer. The window is held here as well as by the feed: what a
// feed offers beyond it waits, in order, for acknowledgements. Messages are cut by size, so none reaches grpc's limit.
import { type ServerDuplexStream, status } from '@grpc/grpc-js'
import { FeedWindow } from './feed-window.ts'
import {
  type ConsumeRequest,
  type ConsumeResponse,
  FeedItem,
  RecordFeedServiceService,
} from './gen/tandem/records/v1/records.ts'
import type { FeedConsumer, RecordFeed } from './record-feed.ts'
import type { RpcServer } from './rpc-server.ts'

type Stream = ServerDuplexStream<ConsumeRequest, ConsumeResponse>

const MAX_MESSAGE_ITEMS = 256
const MAX_MESSAGE_BYTES = 524_288

class FeedSession {
  readonly #stream: Stream
  readonly #feed: RecordFeed
  #consumer: FeedConsumer | undefined

  constructor(stream: Stream, feed: RecordFeed) {
    this.#stream = stream
    this.#feed = feed
  }

  start(onClosed: () => void): void {
    const close = () => {
      this.#consumer?.close()
      this.#consumer = undefined
      onClosed()
    }
    this.#stream.on('data', (message: ConsumeRequest) => this.#receive(message))
    this.#stream.on('end', () => this.end())
    for (const event of ['cancelled', 'error', 'finish']) this.#stream.on(event, close)
  }

  end(): void {
    this.#stream.end()
  }

  #receive(message: ConsumeRequest): void {
    const { request } = message
    if (request?.$case === 'acknowledge' && this.#consumer !== undefined) {
      this.#consumer.acknowledge(request.value.ids)
    } else if (request?.$case === 'start' && this.#consumer === undefined && request.value.window > 0) {
      this.#consumer = new FeedWindow(this.#feed, request.value, (items) => this.#send(items))
    } else {
      const details = 'expected one start with a window above 0, then acknowledgements'
      this.#stream.destroy(Object.assign(new Error(details), { code: status.INVALID_ARGUMENT, details }))
    }
  }

  #send(items: FeedItem[]): void {
    let batch: FeedItem[] = []
    let bytes = 0
    for (const item of items) {
      const size = FeedItem.encode(item).finish().length
      if (batch.length > 0 && (batch.length >= MAX_MESSAGE_ITEMS || bytes + size > MAX_MESSAGE_BYTES)) {
        this.#stream.write({ items: batch })
        batch = []
        bytes = 0
      }
      batch.push(item)
      bytes += size
    }
    this.#stream.write({ items: batch })
  }
}

const refuse = (what: string) => (stream: Stream) => {
  const details = `this server has no ${what}`
  stream.destroy(Object.assign(new Error(details), { code: status.UNIMPLEMENTED, details }))
}

/** Without one of the further feeds its method is one that this server lacks. */
export function serveRecordFeed(
  server: RpcServer,
  feed: RecordFeed,
  fraudFeed?: RecordFeed,
  ledgerFeed?: RecordFeed,
): void {
  const sessions = new Set<FeedSession>()
  const serve = (of: RecordFeed) => (stream: Stream) => {
    const session = new FeedSession(stream, of)
    sessions.add(session)
    session.start(() => sessions.delete(session))
  }
  const consumeFraudEvents = fraudFeed === undefined ? refuse('fraud events') : serve(fraudFeed)
  const consumeLedger = ledgerFeed === undefined ? refuse('copy of ledgers') : serve(ledgerFeed)
  const drain = async () => {
    for (const session of sessions) session.end()
  }
  server.add(RecordFeedServiceService, { consume: serve(feed), consumeFraudEvents, consumeLedger }, { drain })
}
