// SPDX-License-Identifier: MIT
//
// Fraud events to a real HTTP server that takes them, fails, is slow, lies, or is not there. What a request looks like and
// when it is tried again: packages/service-kit/src/webhook. Not tested here: TLS.
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInProcessRecordFeed, type FeedStart, type RecordFeed, records } from '@tandem/rpc'
import { verifyWebhook } from '@tandem/service-kit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fraudWebhookFrom } from './create-fraud-webhook.ts'
import type { FraudWebhook } from './fraud-webhook.ts'

const SECRET = 'a secret of the webhook'
const LONG_MS = 10_000

interface Got {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let folder: string
let server: Server
let url: string
let got: Got[]
let answer: (response: ServerResponse, index: number) => void
const stops: (() => Promise<void>)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fraud-webhook-'))
  got = []
  answer = (response) => response.writeHead(204).end()
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      answer(response, got.length - 1)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

const eventOf = (id: string, changes: Partial<records.FraudEvent> = {}): records.FraudEvent =>
  records.FraudEvent.fromPartial({
    id,
    unixMs: BigInt(Date.now()),
    rule: 'night',
    scope: 'account',
    subject: 'demo',
    measure: 'callsPerWindow',
    level: 'critical',
    value: 11n,
    threshold: 10n,
    action: 'reject',
    account: 'demo',
    ...changes,
  })

/** Gives its events to whoever opens it, again until they are acknowledged. */
class ListFeed implements RecordFeed {
  readonly items = new Map<string, records.FeedItem>()
  start: FeedStart | undefined

  constructor(...events: records.FraudEvent[]) {
    for (const [i, fraudEvent] of events.entries()) {
      this.items.set(`1-${i}`, { id: `1-${i}`, record: undefined, fraudEvent })
    }
  }

  consume(start: FeedStart, onItems: (items: records.FeedItem[]) => void) {
    this.start = start
    onItems([...this.items.values()])
    return {
      acknowledge: (ids: string[]) => {
        for (const id of ids) this.items.delete(id)
      },
      close: () => undefined,
    }
  }
}

const DEFAULTS = {
  minLevel: 'warning',
  secretFile: '',
  secretEnv: '',
  authorizationFile: '',
  caFile: '',
  concurrency: 8,
  timeoutMs: 5_000,
  retryMinMs: 5,
  retryMaxMs: 20,
  maxAgeMs: 60_000,
  deadLetterFile: '',
  deadLetterMaxBytes: 65_536,
} as const

interface Options {
  readonly changes?: object
}

const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }

async function run(feed: RecordFeed, { changes = {} }: Options = {}): Promise<FraudWebhook> {
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, `${SECRET}\nthe next one\n`)
  const webhook = fraudWebhookFrom({
    feeds: [createInProcessRecordFeed(feed)],
    consumer: 'records-0',
    config: { file: join(folder, 'cdr.ndjson'), fraudWebhook: { url, ...DEFAULTS, secretFile, ...changes } },
    logger,
  })
  if (webhook === undefined) throw new Error('there is no webhook')
  stops.push(() => webhook.stop())
  vi.clearAllMocks()
  await webhook.start()
  return webhook
}

const deadLetters = async () =>
  (await readFile(join(folder, 'fraud-events.dead.ndjson'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { reason: string; event: { id: string } })

test('an event is posted as JSON with its id as key and the signatures of both secrets, and acknowledged', async () => {
  const feed = new ListFeed(eventOf('c1/night/critical', { value: 2n ** 50n }))
  const webhook = await run(feed)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(feed.start).toEqual({ group: 'webhook', consumer: 'records-0', window: 8 })
  const [{ headers, body }] = got as [Got]
  expect(headers['idempotency-key']).toBe('c1/night/critical')
  expect(headers['content-type']).toBe('application/json')
  const signature = String(headers['tandem-signature'])
  for (const secret of [SECRET, 'the next one']) {
    expect(verifyWebhook(signature, secret, body, Date.now() / 1_000)).toBe(true)
  }
  expect(verifyWebhook(signature, 'another', body, Date.now() / 1_000)).toBe(false)
  expect(verifyWebhook(signature, SECRET, body.replace('night', 'light'), Date.now() / 1_000)).toBe(false)
  expect(JSON.parse(body)).toMatchObject({
    type: 'fraud_events',
    events: [{ rule: 'night', level: 'critical', value: 2 ** 50, threshold: 10, dry_run: false, account: 'demo' }],
  })
  expect(webhook.counts).toMatchObject({ received: 1, delivered: 1, failures: 0 })
})

test('a server that fails gets the event again under the same key until it takes it; said once each way', async () => {
  const feed = new ListFeed(eventOf('e1'), eventOf('e2'))
  answer = (response, index) => response.writeHead(index < 6 ? 500 : 200).end()
  const webhook = await run(feed)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(new Set(got.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set(['e1', 'e2']))
  expect(webhook.counts).toMatchObject({ delivered: 2, failures: 6 })
  expect(logger.warn).toHaveBeenCalledTimes(1)
  expect(logger.info).toHaveBeenCalledTimes(1)
})

test('a server that is slow is given up and asked again; an event is not acknowledged before', async () => {
  const feed = new ListFeed(eventOf('slow'))
  answer = (response, index) => void (index > 0 && response.writeHead(200).end())
  const webhook = await run(feed, { changes: { timeoutMs: 150 } })
  await vi.waitFor(() => expect(got).toHaveLength(1), LONG_MS)
  expect(feed.items.size).toBe(1)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(webhook.counts).toMatchObject({ delivered: 1, failures: 1 })
})

test('a server that lies (a redirect, half an answer, an endless body) is no delivery, or a delivery, by its status', async () => {
  const feed = new ListFeed(eventOf('lie'))
  answer = (response, index) => {
    if (index === 0) response.writeHead(302, { location: `${url}/elsewhere` }).end()
    else if (index === 1) response.destroy()
    else response.writeHead(200).write('x'.repeat(200_000))
  }
  const webhook = await run(feed)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(got).toHaveLength(3)
  expect(webhook.counts).toMatchObject({ delivered: 1 })
  expect(webhook.counts.failures).toBeGreaterThanOrEqual(1)
})

test('what the server refuses for good goes to the dead letters once, with the reason, and is acknowledged', async () => {
  const feed = new ListFeed(eventOf('bad'), eventOf('good'))
  answer = (response, index) => {
    const isBad = got[index]?.headers['idempotency-key'] === 'bad'
    response.writeHead(isBad ? 422 : 200).end()
  }
  const webhook = await run(feed)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(await deadLetters()).toEqual([{ reason: 'HTTP 422', event: expect.objectContaining({ id: 'bad' }) }])
  expect(webhook.counts).toMatchObject({ delivered: 1, deadLetters: 1, failures: 0 })
})

test('with nobody there, an event that gets too old goes to the dead letters', async () => {
  const feed = new ListFeed(eventOf('old', { unixMs: BigInt(Date.now() - 3_600_000) }))
  server.closeAllConnections()
  server.close()
  await run(feed)
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  const [letter] = await deadLetters()
  expect(letter?.reason).toMatch(/too old; last: ECONNREFUSED/)
})

test('what is on its way at a stop is not acknowledged, and stop does not wait for the server', async () => {
  const feed = new ListFeed(eventOf('later'))
  answer = () => undefined
  const webhook = await run(feed)
  await vi.waitFor(() => expect(got).toHaveLength(1), LONG_MS)
  const started = performance.now()
  await webhook.stop()
  expect(performance.now() - started).toBeLessThan(4_000)
  expect(feed.items.size).toBe(1)
})

test('events below the level are acknowledged without a request', async () => {
  const feed = new ListFeed(eventOf('w', { level: 'warning' }), eventOf('c'))
  const webhook = await run(feed, { changes: { minLevel: 'critical' } })
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(got.map(({ headers }) => headers['idempotency-key'])).toEqual(['c'])
  expect(webhook.counts.skipped).toBe(1)
})

test('no more than the bound are on their way at once', async () => {
  const feed = new ListFeed(...Array.from({ length: 30 }, (_, i) => eventOf(`e${i}`)))
  let now = 0
  let most = 0
  answer = (response) => {
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      response.writeHead(200).end()
    }, 5)
  }
  await run(feed, { changes: { concurrency: 3 } })
  await vi.waitFor(() => expect(feed.items.size).toBe(0), LONG_MS)
  expect(most).toBeLessThanOrEqual(3)
  expect(got).toHaveLength(30)
})

test('without a URL there is no webhook, and a secret file that is not there is bad configuration', () => {
  const config = (changes: object) => ({ file: 'cdr.ndjson', fraudWebhook: { url: '', ...DEFAULTS, ...changes } })
  const parts = { feeds: [new ListFeed()], consumer: 'r', logger }
  expect(fraudWebhookFrom({ ...parts, config: config({}) })).toBeUndefined()
  expect(() => fraudWebhookFrom({ ...parts, config: config({ url, secretFile: join(folder, 'none') }) })).toThrow(
    /fraudWebhook/,
  )
})
