// SPDX-License-Identifier: MIT
//
// A phone for checking a cluster from outside: it registers, calls, is called, and hangs up, with digest, over UDP or TCP. Retransmissions
// as RFC 3261 has them (Timers A, E and G), so that a lost packet is no failure. One call at a time.
// Leaves out whatever a check does not need: media, forks (the first 2xx counts), strict routes.
import { randomBytes } from 'node:crypto'
import { answerChallenge, chooseChallenges } from '@tandem/sip'
import { CommandFailed } from '../command-failed.ts'
import type { Line } from './line.ts'
import {
  headerOf,
  headersOf,
  methodOf,
  type Request,
  requestText,
  responseText,
  startLineOf,
  statusOf,
  uriOf,
} from './sip-text.ts'

export interface Login {
  readonly user: string
  readonly domain: string
  readonly password: string
}

const T1_MS = 500
const T2_MS = 4_000
const token = (): string => randomBytes(8).toString('hex')

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

function deferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...(settle as unknown as Pick<Deferred<T>, 'resolve' | 'reject'>) }
}

interface Waiting {
  onResponse(message: string): void
}

interface Dialog {
  readonly invite: Request
  readonly answer: string
}

export class CheckPhone {
  readonly login: Login
  readonly #line: Line
  readonly #timeoutMs: number
  readonly #waiting = new Map<string, Waiting>()
  readonly #tag = token()
  #cseq = 0
  #resent: NodeJS.Timeout | undefined
  /** Methods of the requests that came, in order. */
  readonly heard: string[] = []
  #onHeard: () => void = () => undefined

  constructor(line: Line, login: Login, timeoutMs: number) {
    this.#line = line
    this.login = login
    this.#timeoutMs = timeoutMs
    line.onMessage = (text, reply) => this.#receive(text, reply)
  }

  get aor(): string {
    return `${this.login.user}@${this.login.domain}`
  }

  get #contact(): string {
    const transport = this.#line.transport === 'udp' ? '' : `;transport=${this.#line.transport}`
    return `Contact: <sip:${this.login.user}@${this.#line.place}${transport}>`
  }

  /** @param seconds 0 removes the binding */
  async register(seconds: number): Promise<void> {
    const address = `<sip:${this.aor}>`
    const answer = await this.#ask({
      method: 'REGISTER',
      uri: `sip:${this.login.domain}`,
      from: `${address};tag=${token()}`,
      to: address,
      callId: `${this.#tag}-r`,
      lines: [this.#contact, `Expires: ${seconds}`],
    })
    if (statusOf(answer) !== 200) throw new CommandFailed(`REGISTER of ${this.aor}: ${startLineOf(answer)}`)
  }

  /** Resolves when the call stands: answered, and the ACK sent. @param onRinging told once */
  async call(callee: string, onRinging: () => void): Promise<Dialog> {
    const request = {
      method: 'INVITE',
      uri: `sip:${callee}`,
      from: `<sip:${this.aor}>;tag=${token()}`,
      to: `<sip:${callee}>`,
      callId: `${token()}@check`,
      lines: [this.#contact],
      body: offer(this.#line.place),
    }
    const { final, sent } = await this.#try(request, onRinging)
    if (statusOf(final) !== 200) throw new CommandFailed(`INVITE of ${this.aor} to ${callee}: ${startLineOf(final)}`)
    const dialog = { invite: sent, answer: final }
    this.#line.send(requestText(this.#inside(dialog, 'ACK', sent.cseq)))
    return dialog
  }

  async hangUp(dialog: Dialog): Promise<void> {
    const bye = this.#inside(dialog, 'BYE', ++this.#cseq)
    const answer = await this.#transaction(bye, () => undefined)
    if (statusOf(answer) !== 200) throw new CommandFailed(`BYE of ${this.aor}: ${startLineOf(answer)}`)
  }

  /** Resolves when such a request has come. */
  hears(method: string): Promise<void> {
    const { promise, resolve, reject } = deferred<void>()
    const late = new CommandFailed(`no ${method} reached ${this.aor} within ${this.#timeoutMs} ms`)
    const timer = setTimeout(() => reject(late), this.#timeoutMs)
    this.#onHeard = () => {
      if (!this.heard.includes(method)) return
      clearTimeout(timer)
      resolve()
    }
    this.#onHeard()
    return promise
  }

  close(): void {
    clearTimeout(this.#resent)
    this.#line.close()
  }

  async #ask(request: Omit<Request, 'via' | 'cseq'>): Promise<string> {
    return (await this.#try(request, () => undefined)).final
  }

  /** Once more with credentials where they are asked for. [RFC3261-22.2] */
  async #try(request: Omit<Request, 'via' | 'cseq'>, onRinging: () => void): Promise<{ final: string; sent: Request }> {
    let sent: Request = { ...request, via: this.#via(), cseq: ++this.#cseq }
    let final = await this.#transaction(sent, onRinging)
    for (let attempt = 0; attempt < 2 && (statusOf(final) === 401 || statusOf(final) === 407); attempt++) {
      const lines = [...(request.lines ?? []), ...this.#credentials(final, request)]
      sent = { ...request, lines, via: this.#via(), cseq: ++this.#cseq }
      final = await this.#transaction(sent, onRinging)
    }
    return { final, sent }
  }

  #credentials(challenged: string, { method, uri, body = '' }: Omit<Request, 'via' | 'cseq'>): string[] {
    const isProxy = statusOf(challenged) === 407
    const values = headersOf(challenged, isProxy ? 'proxy-authenticate' : 'www-authenticate')
    const { user: username, password } = this.login
    const answer = { username, password, method, uri, count: 1, cnonce: token(), body: Buffer.from(body) }
    const name = isProxy ? 'Proxy-Authorization' : 'Authorization'
    return chooseChallenges(values, undefined).map((challenge) => `${name}: ${answerChallenge(challenge, answer)}`)
  }

  #via(): string {
    const { transport, place } = this.#line
    return `SIP/2.0/${transport.toUpperCase()} ${place};branch=z9hG4bK${token()};rport`
  }

  #inside({ invite, answer }: Dialog, method: string, cseq: number): Request {
    const routes = headersOf(answer, 'record-route').flatMap((value) => value.split(/,(?=\s*<)/))
    const lines = routes.reverse().map((route) => `Route: ${route.trim()}`)
    const { from, callId } = invite
    return {
      method,
      uri: uriOf(headerOf(answer, 'contact')),
      via: this.#via(),
      from,
      to: headerOf(answer, 'to'),
      callId,
      cseq,
      lines,
    }
  }

  /** The final response. Sends again until something comes. [RFC3261-17.1] */
  #transaction(request: Request, onRinging: () => void): Promise<string> {
    const { promise, resolve, reject } = deferred<string>()
    const text = requestText(request)
    const key = `${request.via} ${request.method}`
    let resend: NodeJS.Timeout | undefined
    const sendAgain = (waitMs: number): void => {
      this.#line.send(text)
      if (this.#line.transport === 'udp') resend = setTimeout(() => sendAgain(Math.min(2 * waitMs, T2_MS)), waitMs)
    }
    const end = (): void => {
      clearTimeout(resend)
      clearTimeout(late)
      this.#waiting.delete(key)
    }
    const late = setTimeout(() => {
      end()
      reject(new CommandFailed(`${request.method} of ${this.aor}: no final answer within ${this.#timeoutMs} ms`))
    }, this.#timeoutMs)
    const onResponse = (message: string): void => {
      clearTimeout(resend)
      if (statusOf(message) === 180) onRinging()
      if (statusOf(message) < 200) return
      end()
      if (request.method === 'INVITE' && statusOf(message) >= 300) this.#acknowledge(request, message)
      resolve(message)
    }
    this.#waiting.set(key, { onResponse })
    sendAgain(T1_MS)
    return promise
  }

  /** [RFC3261-17.1.1.3] */
  #acknowledge({ uri, via, from, callId, cseq }: Request, final: string): void {
    this.#line.send(requestText({ method: 'ACK', uri, via, from, to: headerOf(final, 'to'), callId, cseq }))
  }

  #receive(text: string, reply: (text: string) => void): void {
    if (!Number.isNaN(statusOf(text))) {
      const method = headerOf(text, 'cseq').split(' ').at(-1)
      const branch = /branch=([^;\s]+)/.exec(headerOf(text, 'via'))?.[1]
      for (const [key, waiting] of this.#waiting)
        if (branch !== undefined && key.includes(branch) && key.endsWith(` ${method}`)) waiting.onResponse(text)
      return
    }
    this.#answer(text, reply)
    this.heard.push(methodOf(text))
    this.#onHeard()
  }

  #answer(text: string, reply: (text: string) => void): void {
    const method = methodOf(text)
    if (method === 'ACK') return clearTimeout(this.#resent)
    if (method !== 'INVITE')
      return reply(
        responseText(text, method === 'BYE' || method === 'OPTIONS' ? '200 OK' : '501 Not Implemented', this.#tag),
      )
    reply(responseText(text, '180 Ringing', this.#tag, [this.#contact]))
    const ok = responseText(text, '200 OK', this.#tag, [this.#contact], offer(this.#line.place))
    const sendAgain = (waitMs: number): void => {
      reply(ok)
      clearTimeout(this.#resent)
      this.#resent = setTimeout(() => sendAgain(Math.min(2 * waitMs, T2_MS)), waitMs)
    }
    clearTimeout(this.#resent)
    this.#resent = setTimeout(() => sendAgain(T1_MS), 100)
  }
}

/** A session without media: the port is the discard port. */
function offer(place: string): string {
  const host = place.replace(/:\d+$/, '').replace(/[[\]]/g, '')
  const kind = host.includes(':') ? 'IP6' : 'IP4'
  return `v=0\r\no=check 1 1 IN ${kind} ${host}\r\ns=-\r\nc=IN ${kind} ${host}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=inactive\r\n`
}
