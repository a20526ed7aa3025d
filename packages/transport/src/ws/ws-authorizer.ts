// SPDX-License-Identifier: MIT
// Who may open a WebSocket, asked of the operator's web site (RFC 7118 §7): it set the cookies of its pages, so it alone knows what they mean.
// A GET with some headers of the upgrade request; only the status of the answer counts, and its challenge with 401. No redirect is
// followed, no cookie of the answer is passed back, and its body is thrown away.
// Invariants: fails closed, whatever goes wrong. At most maxConcurrent requests are under way; the others wait in order, as part of the same
// deadline, each for a connection that the admission of its transport has counted. Nothing that a client sent gets into a notice.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as overHttp } from 'node:http'
import { Agent as HttpsAgent, request as overHttps } from 'node:https'

export interface WsAuthorizerOptions {
  /** http or https. */
  readonly url: string
  /** For the answer, waiting for a turn included. */
  readonly timeoutMs: number
  /** Requests under way at once. */
  readonly maxConcurrent: number
  /** Headers of the upgrade request that are passed on. */
  readonly forwardHeaders: readonly string[]
  /** Takes a sentence for the operator when it begins to fail, and when it works again. */
  readonly onNotice?: (sentence: string) => void
}

export interface WsQuestion {
  readonly request: Pick<IncomingMessage, 'headers' | 'url'>
  /** Of the client: the load balancer's word where there is one. */
  readonly address: string
  readonly isSecure: boolean
}

/** 200: the upgrade goes on. 503: nobody could say. `challenge` is there with 401. */
export interface WsVerdict {
  readonly status: 200 | 401 | 403 | 503
  readonly challenge?: string
  readonly isTimeout?: boolean
}

/** What the asking is for `onVerdict`, once, unless it is cancelled. */
interface Asking {
  readonly headers: Readonly<Record<string, string>>
  readonly onVerdict: (verdict: WsVerdict) => void
  timer: NodeJS.Timeout | undefined
  request: ClientRequest | undefined
  isSettled: boolean
  isSecondTry: boolean
}

const SETTING = 'edge.webSocket.authorize.url'
const MAX_HEADER_BYTES = 16_384
/** A longer one takes its connection with it. */
const MAX_BODY_BYTES = 65_536
/** With a 401 that has no challenge, though it must have one (RFC 7235 §3.1). */
const FALLBACK_CHALLENGE = 'Basic realm="sip"'
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/

export class WsAuthorizer {
  readonly #options: WsAuthorizerOptions
  readonly #url: URL
  readonly #agent: HttpAgent | HttpsAgent
  readonly #waiting = new Set<Asking>()
  #underWay = 0
  #isFailing = false

  /** Throws where `url` is none. */
  constructor(options: WsAuthorizerOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    const keeping = { keepAlive: true, maxFreeSockets: options.maxConcurrent }
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(keeping) : new HttpAgent(keeping)
  }

  /** @returns cancels it: the client is gone, and `onVerdict` is not called any more */
  ask(question: WsQuestion, onVerdict: (verdict: WsVerdict) => void): () => void {
    const headers = headersOf(question, this.#options.forwardHeaders)
    const asking: Asking = {
      headers,
      onVerdict,
      timer: undefined,
      request: undefined,
      isSettled: false,
      isSecondTry: false,
    }
    asking.timer = setTimeout(() => this.#onTimeout(asking), this.#options.timeoutMs)
    this.#waiting.add(asking)
    this.#next()
    return () => this.#cancel(asking)
  }

  close(): void {
    this.#agent.destroy()
  }

  #next(): void {
    for (const asking of this.#waiting) {
      if (this.#underWay >= this.#options.maxConcurrent) return
      this.#waiting.delete(asking)
      this.#underWay++
      this.#begin(asking)
    }
  }

  #begin(asking: Asking): void {
    const { protocol } = this.#url
    const options = { agent: this.#agent, headers: asking.headers, maxHeaderSize: MAX_HEADER_BYTES }
    const request = protocol === 'https:' ? overHttps(this.#url, options) : overHttp(this.#url, options)
    asking.request = request
    let wasReset = false
    request.on('error', ({ code }: NodeJS.ErrnoException) => (wasReset = code === 'ECONNRESET'))
    request.once('response', (response) => this.#onAnswer(asking, response))
    request.once('close', () => {
      // The far end closed a kept connection while we wrote to it.
      if (!asking.isSettled && wasReset && request.reusedSocket && !asking.isSecondTry) return this.#retry(asking)
      clearTimeout(asking.timer)
      this.#settle(asking, { status: 503 }, 'its connection failed')
      this.#underWay--
      this.#next()
    })
    request.end()
  }

  #retry(asking: Asking): void {
    asking.isSecondTry = true
    this.#begin(asking)
  }

  #onAnswer(asking: Asking, response: IncomingMessage): void {
    let bytes = 0
    response.on('error', () => {})
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) response.destroy()
    })
    const status = response.statusCode ?? 0
    if (status >= 200 && status <= 299) this.#settle(asking, { status: 200 })
    else if (status === 401) this.#settle(asking, { status, challenge: challengeOf(response) })
    else if (status === 403) this.#settle(asking, { status })
    else this.#settle(asking, { status: 503 }, `it answered ${status}`)
  }

  /** The rest of an answer that counted already ends here too. */
  #onTimeout(asking: Asking): void {
    this.#waiting.delete(asking)
    this.#settle(asking, { status: 503, isTimeout: true }, `no answer within ${this.#options.timeoutMs} ms`)
    asking.request?.destroy()
  }

  #cancel(asking: Asking): void {
    if (asking.isSettled) return
    asking.isSettled = true
    clearTimeout(asking.timer)
    this.#waiting.delete(asking)
    asking.request?.destroy()
  }

  #settle(asking: Asking, verdict: WsVerdict, failure = ''): void {
    if (asking.isSettled) return
    asking.isSettled = true
    this.#notice(failure)
    asking.onVerdict(verdict)
  }

  /** At each change only. */
  #notice(failure: string): void {
    const isFailing = failure !== ''
    if (isFailing === this.#isFailing) return
    this.#isFailing = isFailing
    const sentence = isFailing ? `${failure}; WebSockets are refused with 503` : 'it answers again'
    this.#options.onNotice?.(`${SETTING}: ${sentence}`)
  }
}

/** [RFC7118-7a] The cookies among them. Ours come last: a client does not choose its address. */
function headersOf({ request, address, isSecure }: WsQuestion, names: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of names) {
    const value = request.headers[name.toLowerCase()]
    if (typeof value === 'string') headers[name.toLowerCase()] = value
  }
  headers['x-forwarded-for'] = address
  headers['x-forwarded-proto'] = isSecure ? 'https' : 'http'
  // What Node's parser has let in, its headers may have.
  headers['x-original-uri'] = request.url ?? '/'
  return headers
}

function challengeOf({ headers }: IncomingMessage): string {
  const challenge = headers['www-authenticate']
  return challenge !== undefined && FIELD_VALUE.test(challenge) ? challenge : FALLBACK_CHALLENGE
}
