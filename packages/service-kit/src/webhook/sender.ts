// SPDX-License-Identifier: MIT
//
// Posts signed JSON to one URL. Each attempt carries the same `Idempotency-Key`, so a receiver can tell a repetition; what
// is repeated is the caller's business (`deliver` here, or a sink with its own queue). Connections are kept open and
// bounded; of an answer only status and Retry-After are looked at.
// Invariants: never throws, never follows a redirect, never logs (the URL and the headers may hold secrets).
// Race: a kept connection that the receiver closes as we write is one more attempt at once, on a fresh one.
import { type IncomingMessage, Agent as PlainAgent, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import { outcomeOf, type WebhookOutcome } from './outcome.ts'
import { SIGNATURE_HEADER, signWebhook } from './signature.ts'

export interface WebhookSettings {
  /** http:// or https:// */
  readonly url: string
  /** Each signs; none: unsigned. */
  readonly secrets: readonly string[]
  /** Of one attempt, connecting included. */
  readonly timeoutMs: number
  /** Further headers, e.g. authorization. */
  readonly headers?: Readonly<Record<string, string>>
  /** Connections at most. */
  readonly maxConnections: number
  /** PEM of the authorities that the receiver is verified against; Node's own where absent. */
  readonly ca?: string
}

export interface WebhookMessage {
  /** The same for every repetition: printable ASCII. */
  readonly key: string
  readonly body: string
  /** application/json where absent. */
  readonly contentType?: string
}

/** Bytes of an answer that are read so that its connection can be used again; one that sends more is closed. */
const MAX_ANSWER_BYTES = 65_536

const nameOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : String(error)

export class WebhookSender {
  readonly #settings: WebhookSettings
  readonly #options: RequestOptions
  readonly #request: typeof requestPlain
  readonly #agent: PlainAgent
  readonly #nowMs: () => number

  /** @throws TypeError where the URL is none. */
  constructor(settings: WebhookSettings, nowMs: () => number = Date.now) {
    const url = new URL(settings.url)
    const isTls = url.protocol === 'https:'
    const agentOptions = {
      keepAlive: true,
      maxSockets: settings.maxConnections,
      maxFreeSockets: settings.maxConnections,
    }
    this.#settings = settings
    this.#nowMs = nowMs
    this.#request = isTls ? (requestTls as typeof requestPlain) : requestPlain
    this.#agent = isTls ? new TlsAgent({ ...agentOptions, ...caOf(settings) }) : new PlainAgent(agentOptions)
    this.#options = {
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      agent: this.#agent,
      ...(url.username === ''
        ? {}
        : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
    }
  }

  /** One attempt (two where a kept connection was gone). An aborted one is `failed`. */
  async send(message: WebhookMessage, signal?: AbortSignal): Promise<WebhookOutcome> {
    const timeout = AbortSignal.timeout(this.#settings.timeoutMs)
    const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    try {
      return await this.#attempt(message, both)
    } catch (error) {
      const reason = timeout.aborted ? `no answer within ${this.#settings.timeoutMs} ms` : nameOf(error)
      return { state: 'failed', reason, retryAfterMs: 0 }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #attempt(message: WebhookMessage, signal: AbortSignal): Promise<WebhookOutcome> {
    try {
      return await this.#post(message, signal)
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      return await this.#post(message, signal)
    }
  }

  #post(message: WebhookMessage, signal: AbortSignal): Promise<WebhookOutcome> {
    return new Promise((resolve, reject) => {
      const request = this.#request({ ...this.#options, headers: this.#headersOf(message), signal }, (response) => {
        resolve(outcomeOf(response.statusCode ?? 0, response.headers['retry-after'], this.#nowMs()))
        drain(response)
      })
      request.on('error', (error) => {
        const isStale = request.reusedSocket && !signal.aborted && nameOf(error) === 'ECONNRESET'
        reject(isStale ? new StaleConnection() : error)
      })
      request.end(message.body)
    })
  }

  #headersOf({ key, body, contentType }: WebhookMessage): Record<string, string | number> {
    const { secrets, headers } = this.#settings
    const unixSeconds = Math.floor(this.#nowMs() / 1_000)
    return {
      'user-agent': 'tandem',
      ...headers,
      'content-type': contentType ?? 'application/json',
      'content-length': Buffer.byteLength(body),
      'idempotency-key': key,
      ...(secrets.length === 0 ? {} : { [SIGNATURE_HEADER]: signWebhook(secrets, unixSeconds, body) }),
    }
  }
}

class StaleConnection extends Error {}

function caOf({ ca }: WebhookSettings): { ca?: string } {
  return ca === undefined ? {} : { ca }
}

/** The status is known; an answer that breaks off or goes on for ever changes nothing. */
function drain(response: IncomingMessage): void {
  let bytes = 0
  response.on('error', () => response.destroy())
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) response.destroy()
  })
}
