// SPDX-License-Identifier: MIT
//
// Signature, judgement of answers, attempts over real sockets, retries. Not tested here: TLS to the receiver (Node's).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { deliver } from './deliver.ts'
import type { WebhookOutcome, WebhookSettings } from './index.ts'
import { LONGEST_RETRY_AFTER_MS, outcomeOf, parseRetryAfter } from './outcome.ts'
import { RetryPause } from './retry-pause.ts'
import { WebhookSender } from './sender.ts'
import { signWebhook, verifyWebhook } from './signature.ts'

describe('signature', () => {
  // RFC 4231 gives no case with a dot in it; this one was computed with `openssl dgst -sha256 -hmac`.
  it('is HMAC-SHA256 over time, dot and body', () => {
    expect(signWebhook(['key'], 1_700_000_000, '{"a":1}')).toBe(
      't=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03',
    )
  })

  it.each([
    { name: 'as sent', verified: true },
    { name: 'another body', body: '{"a":2}', verified: false },
    { name: 'another secret', secret: 'other', verified: false },
    { name: 'the second of two secrets', secrets: ['new', 'key'], verified: true },
    { name: 'within the tolerance', now: 1_700_000_300, verified: true },
    { name: 'too old', now: 1_700_000_301, verified: false },
    { name: 'from the future', now: 1_699_999_699, verified: false },
  ])('$name: $verified', ({ body = '{"a":1}', secret = 'key', secrets = ['key'], now = 1_700_000_000, verified }) => {
    expect(verifyWebhook(signWebhook(secrets, 1_700_000_000, '{"a":1}'), secret, body, now)).toBe(verified)
  })

  it.each(['', 't=1', 'v1=00', 't=x,v1=00', 't=1700000000,v1=zz'])('refuses %j', (header) => {
    expect(verifyWebhook(header, 'key', '{}', 1_700_000_000)).toBe(false)
  })
})

describe('outcomeOf', () => {
  it.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [301, 'failed'],
    [400, 'refused'],
    [401, 'failed'],
    [404, 'failed'],
    [409, 'failed'],
    [410, 'refused'],
    [413, 'refused'],
    [422, 'refused'],
    [429, 'failed'],
    [500, 'failed'],
    [503, 'failed'],
  ])('%i is %s', (status, state) => {
    expect(outcomeOf(status, undefined, 0).state).toBe(state)
  })

  it.each([
    [undefined, 0],
    ['7', 7_000],
    ['Thu, 01 Jan 1970 00:00:30 GMT', 20_000],
    ['Thu, 01 Jan 1970 00:00:05 GMT', 0],
    ['99999999', LONGEST_RETRY_AFTER_MS],
    ['soon', 0],
    ['-5', 0],
  ])('[RFC9110-10.2.3] Retry-After: %s at 10 s is %i ms', (value, expected) => {
    expect(parseRetryAfter(value, 10_000)).toBe(expected)
  })
})

describe('RetryPause', () => {
  it('doubles to its bound, between half and whole, and obeys the other side', () => {
    const low = new RetryPause({ retryMinMs: 100, retryMaxMs: 1_000 }, () => 0)
    expect(Array.from({ length: 6 }, () => low.next())).toEqual([50, 100, 200, 400, 500, 500])
    const high = new RetryPause({ retryMinMs: 100, retryMaxMs: 1_000 }, () => 1)
    expect([high.next(), high.next(5_000), high.next()]).toEqual([100, 5_000, 400])
    high.reset()
    expect(high.next()).toBe(100)
  })
})

let server: Server | undefined
const senders: WebhookSender[] = []

afterEach(() => {
  for (const sender of senders.splice(0)) sender.close()
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void

async function receiver(handle: Handler): Promise<string> {
  const started = createServer((request, response) => {
    void text(request).then((body) => handle(request, body, response))
  })
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}/hook?x=1`
}

function senderTo(url: string, settings: Partial<WebhookSettings> = {}): WebhookSender {
  const sender = new WebhookSender({ url, secrets: ['key'], timeoutMs: 5_000, maxConnections: 2, ...settings })
  senders.push(sender)
  return sender
}

describe('WebhookSender', () => {
  it('posts the body with key and signature, and the headers that were set', async () => {
    const seen = vi.fn()
    const url = await receiver((request, body, response) => {
      const header = String(request.headers['tandem-signature'])
      seen(request.method, request.url, body, request.headers['idempotency-key'], request.headers['x-team'])
      response.statusCode = verifyWebhook(header, 'key', body, Date.now() / 1_000) ? 204 : 400
      response.end()
    })
    const sender = senderTo(url, { headers: { 'x-team': 'fraud' } })
    expect(await sender.send({ key: 'k1', body: '{"ü":1}' })).toEqual({ state: 'delivered', status: 204 })
    expect(seen).toHaveBeenCalledWith('POST', '/hook?x=1', '{"ü":1}', 'k1', 'fraud')
  })

  it('does not follow a redirect', async () => {
    const paths: (string | undefined)[] = []
    const url = await receiver((request, _body, response) => {
      paths.push(request.url)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    expect(await senderTo(url).send({ key: 'k', body: '{}' })).toMatchObject({ state: 'failed', reason: 'HTTP 307' })
    expect(paths).toEqual(['/hook?x=1'])
  })

  it('fails where nobody answers in time, and where nobody listens', async () => {
    const url = await receiver(() => undefined)
    const late = await senderTo(url, { timeoutMs: 50 }).send({ key: 'k', body: '{}' })
    expect(late).toEqual({ state: 'failed', reason: 'no answer within 50 ms', retryAfterMs: 0 })
    await new Promise((resolve) => {
      server?.closeAllConnections()
      server?.close(resolve)
    })
    expect(await senderTo(url).send({ key: 'k', body: '{}' })).toMatchObject({
      state: 'failed',
      reason: 'ECONNREFUSED',
    })
  })

  it('sends again at once on a fresh connection where a kept one was closed', async () => {
    let requests = 0
    const url = await receiver((request, _body, response) => {
      requests++
      if (requests === 2) request.socket.destroy()
      else response.end()
    })
    const sender = senderTo(url, { maxConnections: 1 })
    expect(await sender.send({ key: 'k', body: '{}' })).toMatchObject({ state: 'delivered' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(await sender.send({ key: 'k', body: '{}' })).toMatchObject({ state: 'delivered' })
    expect(requests).toBe(3)
  })

  it('ends with its signal', async () => {
    const url = await receiver(() => undefined)
    const abort = new AbortController()
    const sent = senderTo(url).send({ key: 'k', body: '{}' }, abort.signal)
    abort.abort()
    expect(await sent).toMatchObject({ state: 'failed' })
  })
})

describe('deliver', () => {
  const options = { retryMinMs: 1, retryMaxMs: 2, maxAgeMs: 10_000 }
  const answers = (...outcomes: WebhookOutcome[]) => {
    const send = vi.fn(async () => outcomes.shift() ?? ({ state: 'delivered', status: 200 } as const))
    return { send }
  }
  const failed = { state: 'failed', reason: 'HTTP 503', retryAfterMs: 0 } as const

  it('repeats with the same key until it is taken', async () => {
    const sender = answers(failed, failed)
    const onFailure = vi.fn()
    expect(await deliver(sender, { key: 'k', body: '{}' }, { ...options, onFailure })).toEqual({ state: 'delivered' })
    expect(sender.send.mock.calls.map(([message]: unknown[]) => (message as { key: string }).key)).toEqual([
      'k',
      'k',
      'k',
    ])
    expect(onFailure).toHaveBeenCalledTimes(2)
  })

  it('gives up what is refused, and what is too old', async () => {
    const refusal = answers({ state: 'refused', status: 400, reason: 'HTTP 400' })
    expect(await deliver(refusal, { key: 'k', body: '{}' }, options)).toEqual({ state: 'dead', reason: 'HTTP 400' })
    const old = await deliver(answers(failed), { key: 'k', body: '{}' }, { ...options, bornUnixMs: 1 })
    expect(old).toEqual({ state: 'dead', reason: 'too old; last: HTTP 503' })
  })

  it('ends with its signal, in a pause too', async () => {
    const abort = new AbortController()
    const delivery = deliver(
      answers({ ...failed, retryAfterMs: 9_000 }),
      { key: 'k', body: '{}' },
      { ...options, signal: abort.signal, onFailure: () => setImmediate(() => abort.abort()) },
    )
    expect(await delivery).toEqual({ state: 'aborted' })
  })
})
