// SPDX-License-Identifier: MIT
//
// One suite on both bindings of the record feed, and what only a network can do. Not tested: the store behind a feed.
import { afterEach, describe, expect, it } from 'vitest'
import { counter, deferred, turn } from './contract-kit.ts'
import { CallRecord, type FeedItem } from './gen/tandem/records/v1/records.ts'
import type { FeedStart, RecordFeed } from './record-feed.ts'
import { createRecordFeedClient } from './record-feed-client.ts'
import { createInProcessRecordFeed } from './record-feed-in-process.ts'
import { serveRecordFeed } from './record-feed-server.ts'
import { createRpcServer } from './rpc-server.ts'

const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A feed that offers everything it has at once, again to each consumer, until it is acknowledged. */
class ListFeed implements RecordFeed {
  readonly items = new Map<string, FeedItem>()
  readonly starts: FeedStart[] = []
  consumers = 0
  #offer: ((items: FeedItem[]) => void) | undefined

  constructor(count: number, payloadBytes = 0) {
    for (let i = 0; i < count; i++) this.#add(`3/${i}`, payloadBytes)
  }

  consume(start: FeedStart, onItems: (items: FeedItem[]) => void) {
    this.starts.push({ ...start })
    this.consumers++
    this.#offer = onItems
    onItems([...this.items.values()])
    return {
      acknowledge: (ids: string[]) => {
        for (const id of ids) this.items.delete(id)
      },
      close: () => {
        this.consumers--
      },
    }
  }

  offerAgain(): void {
    this.#offer?.([...this.items.values()])
  }

  #add(id: string, payloadBytes: number): void {
    const record = CallRecord.fromPartial({ cdrId: `c${id}`, durationMs: 2n ** 40n, reason: 'x'.repeat(payloadBytes) })
    this.items.set(id, { id, record })
  }
}

const START = { group: 'ndjson', consumer: 'records-0', window: 10 }

async function serve(feed: RecordFeed, port = 0) {
  const server = createRpcServer()
  serveRecordFeed(server, feed)
  const bound = await server.listen('127.0.0.1', port)
  closers.push(() => server.close(0))
  return { server, port: bound }
}

async function overGrpc(feed: RecordFeed): Promise<RecordFeed> {
  const { port } = await serve(feed)
  return createRecordFeedClient(`127.0.0.1:${port}`, { peer: 'records-0', backoffMaxMs: 50 })
}

const bindings: [string, (feed: RecordFeed) => Promise<RecordFeed>][] = [
  ['in process', async (feed) => createInProcessRecordFeed(feed)],
  ['gRPC', overGrpc],
]

describe.each(bindings)('record feed: %s', (_name, bind) => {
  it('delivers in order, never more than the window unacknowledged', async () => {
    const source = new ListFeed(100)
    const feed = await bind(source)
    const ids: string[] = []
    const all = counter(100)
    let out = 0
    let most = 0
    const consumer = feed.consume(START, (items) => {
      out += items.length
      most = Math.max(most, out)
      setImmediate(() => {
        consumer.acknowledge(items.map(({ id }) => id))
        out -= items.length
        for (const { id } of items) {
          ids.push(id)
          all.hit()
        }
      })
    })
    closers.push(() => consumer.close())
    await all.reached
    while (source.items.size > 0) await turn()
    expect(ids).toEqual(Array.from({ length: 100 }, (_, i) => `3/${i}`))
    expect(most).toBe(10)
    expect(source.starts).toEqual([START])
  })

  it('shares no objects, keeps 64-bit integers and delivers nothing inside consume()', async () => {
    const source = new ListFeed(1)
    const got = deferred<FeedItem[]>()
    const feed = await bind(source)
    let inside = true
    const consumer = feed.consume(START, (items) => {
      expect(inside).toBe(false)
      got.resolve(items)
    })
    inside = false
    closers.push(() => consumer.close())
    const [item] = await got.promise
    expect(item).toEqual(source.items.get('3/0'))
    expect(item).not.toBe(source.items.get('3/0'))
  })

  it('does not deliver twice what is still out', async () => {
    const source = new ListFeed(5)
    const feed = await bind(source)
    const ids: string[] = []
    const five = counter(5)
    const consumer = feed.consume(START, (items) => {
      for (const { id } of items) {
        ids.push(id)
        five.hit()
      }
    })
    closers.push(() => consumer.close())
    await five.reached
    source.offerAgain()
    consumer.acknowledge(['3/0'])
    while (source.items.has('3/0')) await turn()
    expect(ids).toEqual(['3/0', '3/1', '3/2', '3/3', '3/4'])
  })

  it('lets go of its consumer when it is closed', async () => {
    const source = new ListFeed(5)
    const feed = await bind(source)
    const got = deferred<FeedItem[]>()
    const consumer = feed.consume(START, got.resolve)
    await got.promise
    expect(source.consumers).toBe(1)
    consumer.close()
    while (source.consumers > 0) await turn()
    expect(source.items.size).toBe(5)
  })
})

describe('record feed over a network', () => {
  it('delivers again after the service died what was not acknowledged', async () => {
    const source = new ListFeed(3)
    const { server, port } = await serve(source)
    const feed = createRecordFeedClient(`127.0.0.1:${port}`, { peer: 'records-0', backoffMaxMs: 50 })
    const ids: string[] = []
    const [three, five] = [counter(3), counter(5)]
    const consumer = feed.consume(START, (items) => {
      for (const { id } of items) {
        ids.push(id)
        three.hit()
        five.hit()
      }
    })
    closers.push(() => consumer.close())
    await three.reached
    consumer.acknowledge(['3/1'])
    while (source.items.has('3/1')) await turn()
    await server.close(0)
    await serve(source, port)
    await five.reached
    expect(ids).toEqual(['3/0', '3/1', '3/2', '3/0', '3/2'])
  })

  it('goes on at another node when the one that it asks dies', async () => {
    const [first, second] = [new ListFeed(1), new ListFeed(2)]
    const [a, b] = [await serve(first), await serve(second)]
    const places = `127.0.0.1:${a.port}, 127.0.0.1:${b.port}`
    const feed = createRecordFeedClient(places, { peer: 'records-0', backoffMaxMs: 50 })
    const ids: string[] = []
    const [one, three] = [counter(1), counter(3)]
    const consumer = feed.consume(START, (items) => {
      for (const { id } of items) {
        ids.push(id)
        one.hit()
        three.hit()
      }
    })
    closers.push(() => consumer.close())
    await one.reached
    await a.server.close(0)
    await three.reached
    expect(ids).toEqual(['3/0', '3/0', '3/1'])
  })

  it('cuts large windows into messages below the limit', async () => {
    const source = new ListFeed(40, 200_000)
    const feed = await overGrpc(source)
    const all = counter(40)
    let messages = 0
    const consumer = feed.consume({ ...START, window: 40 }, (items) => {
      messages++
      items.forEach(all.hit)
    })
    closers.push(() => consumer.close())
    await all.reached
    expect(messages).toBe(20)
  })
})
