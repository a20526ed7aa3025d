// SPDX-License-Identifier: MIT
// What the tests of this folder share: messages as text, and a stateful proxy over a transaction layer, a clock and peers
// that only write down what is sent to them.
import { Buffer } from 'node:buffer'
import { Edits, METHOD, SipMessage, scan } from '../message/index.ts'
import { type Peer, TransactionLayer, type TransactionUser } from '../transaction/index.ts'
import { editForwardedRequest } from './forward-request.ts'
import type { ContextUser, ProxyBranch, ProxyContext, SourcePeer } from './proxy-context.ts'
import { StatefulProxy } from './stateful-proxy.ts'

export interface RequestOptions {
  readonly method?: string
  readonly uri?: string
  readonly branch?: string
  readonly via?: string
  readonly headers?: readonly string[]
  readonly cseqMethod?: string
  readonly toTag?: string
  readonly body?: string
}

export const requestText = (options: RequestOptions = {}): string => {
  const { method = 'INVITE', uri = 'sip:bob@example.test', headers = [], toTag = '', body = '' } = options
  return [
    `${method} ${uri} SIP/2.0`,
    options.via ?? `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=${options.branch ?? 'z9hG4bK-up-1'}`,
    ...headers,
    'From: <sip:alice@example.test>;tag=alice',
    `To: <sip:bob@example.test>${toTag === '' ? '' : `;tag=${toTag}`}`,
    'Call-ID: call-1',
    `CSeq: 1 ${options.cseqMethod ?? method}`,
    `Content-Length: ${body.length}`,
    `\r\n${body}`,
  ].join('\r\n')
}

/** A response to a request as it was sent. */
export const responseTo = (request: string, status: number, tag = 'bob', headers: readonly string[] = []): string => {
  const lines = request.slice(0, request.indexOf('\r\n\r\n')).split('\r\n')
  const copied = lines.filter((line) => /^(Via|From|Call-ID|CSeq|Record-Route):/.test(line))
  const to = lines.find((line) => line.startsWith('To:')) ?? ''
  const toLine = to.includes(';tag=') || status === 100 ? to : `${to};tag=${tag}`
  return [`SIP/2.0 ${status} Reason`, ...copied, toLine, ...headers, 'Content-Length: 0', '\r\n'].join('\r\n')
}

export const messageOf = (text: string): SipMessage => {
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  const error = scan(msg, buf, 0, buf.length)
  if (error !== 0) throw new Error(`test message does not scan: ${error} at ${msg.errorOffset}`)
  return msg
}

/** Values of a header, one line each. */
export const valuesOf = (text: string, name: string): string[] =>
  text
    .slice(0, text.indexOf('\r\n\r\n'))
    .split('\r\n')
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2))

/** "INVITE" or "200". */
export const wordOf = (text: string): string =>
  text.startsWith('SIP/2.0 ') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))

export class TestPeer implements SourcePeer {
  readonly name: string
  readonly reliable: boolean
  readonly address: string
  readonly port = 5060
  /** All messages sent to it, as text. */
  readonly sent: string[] = []
  private taken = 0

  constructor(name: string, address = '192.0.2.1', reliable = false) {
    this.name = name
    this.address = address
    this.reliable = reliable
  }

  /** First words of what was sent to it since the last call. */
  take(): string[] {
    const words = this.sent.slice(this.taken).map(wordOf)
    this.taken = this.sent.length
    return words
  }

  /** The last message sent with this first word. */
  last(word: string): string {
    const found = this.sent.findLast((text) => wordOf(text) === word)
    if (found === undefined) throw new Error(`${this.name} was sent no ${word}`)
    return found
  }
}

export interface Step {
  readonly peers: readonly TestPeer[]
  readonly ringMs?: number
}

/** Forks step by step, and writes down what it is told. */
export class Script implements ContextUser {
  readonly log: string[] = []
  readonly acks: string[] = []
  readonly steps: readonly Step[]
  /** Hold every 2xx back; what was held is in `held`. */
  holds = false
  readonly held: { branch: ProxyBranch; answer: SipMessage }[] = []
  onForkMore: (context: ProxyContext) => void = () => undefined
  onFailOver: ContextUser['failOver'] = () => false
  onRedirect: ContextUser['recurse'] = () => undefined
  private step = 0
  private readonly bench: ProxyBench

  constructor(bench: ProxyBench, steps: readonly Step[]) {
    this.bench = bench
    this.steps = steps
  }

  /** Forks the next step; false when there is none. */
  next(context: ProxyContext): boolean {
    const step = this.steps[this.step]
    if (step === undefined) return false
    this.step += 1
    for (const peer of step.peers) this.bench.fork(context, peer, step.ringMs ?? 0)
    return true
  }

  onProvisional(_context: ProxyContext, _branch: ProxyBranch, status: number): void {
    this.log.push(`provisional ${status}`)
  }

  holdSuccess(_context: ProxyContext, branch: ProxyBranch, msg: SipMessage): boolean {
    if (this.holds) this.held.push({ branch, answer: msg.clone() })
    return this.holds
  }

  failOver(context: ProxyContext, branch: ProxyBranch, status: number): boolean {
    return this.onFailOver(context, branch, status)
  }

  recurse(context: ProxyContext, branch: ProxyBranch, msg: SipMessage): string | undefined {
    return this.onRedirect(context, branch, msg)
  }

  forkMore(context: ProxyContext, status: number): boolean {
    this.log.push(`failed ${status}`)
    this.onForkMore(context)
    return this.next(context)
  }

  onFinal(_context: ProxyContext, status: number): void {
    this.log.push(`final ${status}`)
  }

  onAck(msg: SipMessage): void {
    this.acks.push(msg.text(msg.start, msg.end))
  }

  onEnd(): void {
    this.log.push('end')
  }
}

export const TIMER_C_MS = 185_000

export class ProxyBench {
  readonly layer: TransactionLayer
  readonly proxy: StatefulProxy
  readonly caller: TestPeer
  readonly gone: string[] = []
  readonly contexts: ProxyContext[] = []
  nowMs = 1_000
  private readonly edits = new Edits()
  private forked = 0

  constructor(options: { maxClients?: number; maxServers?: number; callerReliable?: boolean } = {}) {
    this.caller = new TestPeer('caller', '192.0.2.1', options.callerReliable)
    let proxy: StatefulProxy | undefined
    const user: TransactionUser = {
      onResponse: (tx, msg) => proxy?.onResponse(tx, msg),
      onClientTimeout: (tx) => proxy?.onClientTimeout(tx),
      onClientTransportError: (tx) => proxy?.onClientTransportError(tx),
      onClientTerminated: (tx) => proxy?.onClientTerminated(tx),
      onAck: (tx, msg) => proxy?.onAck(tx, msg),
      onServerTransportError: () => proxy?.onServerTransportError(),
      onServerTerminated: (tx) => proxy?.onServerTerminated(tx),
    }
    const { maxClients = 1_000, maxServers = 1_000 } = options
    this.layer = new TransactionLayer({
      io: { send: (buf, start, end, peer: Peer) => void (peer as TestPeer).sent.push(buf.latin1Slice(start, end)) },
      user,
      limits: { maxClients, maxServers },
    })
    proxy = new StatefulProxy({
      layer: this.layer,
      timers: { timerCMs: TIMER_C_MS, cancelMs: 32_000 },
      out: Buffer.alloc(70_000),
      onClientGone: (tx) => this.gone.push(tx.branch),
    })
    this.proxy = proxy
    this.tick()
  }

  /** A request from the caller that nobody has seen, forked by the script's first step. */
  open(script: Script, text = requestText()): ProxyContext {
    const context = this.tryOpen(script, text)
    if (context === undefined) throw new Error('the proxy refused the request')
    script.next(context)
    return context
  }

  tryOpen(script: Script, text: string): ProxyContext | undefined {
    const msg = messageOf(text)
    const context = this.proxy.open(msg, this.layer.serverKey(msg), this.caller, script)
    msg.buf.fill(0xa5) // the receive buffer belongs to the next message now
    if (context !== undefined) this.contexts.push(context)
    return context
  }

  fork(context: ProxyContext, peer: TestPeer, ringMs: number): void {
    const request = context.request
    if (request === undefined) return
    this.forked += 1
    const id = `z9hG4bK-down-${this.forked}`
    editForwardedRequest(request, this.edits, {
      uri: `sip:${peer.name}@${peer.address}`,
      via: `Via: SIP/2.0/UDP 198.51.100.1:5060;branch=${id}\r\n`,
      recordRoute: '',
      route: '',
      added: '',
      popRoutes: 0,
      strict: false,
      maxBreadth: 0,
      sourceAddress: context.source.address,
      sourcePort: context.source.port,
      stream: peer.reliable,
    })
    this.proxy.fork(context, this.edits, id, `sip:${peer.name}@${peer.address}`, peer, ringMs)
  }

  /** A repeated request, CANCEL or ACK from the caller. False when it matches nothing. */
  receiveRequest(text: string): boolean {
    const msg = messageOf(text)
    if (msg.method === METHOD.CANCEL) {
      const invite = this.layer.findInviteOfCancel(msg)
      if (invite !== undefined) this.proxy.cancel(invite.context as ProxyContext | undefined)
      return invite !== undefined
    }
    const known = this.layer.findServer(msg)
    if (known !== undefined) this.layer.receiveRequest(known, msg)
    return known !== undefined
  }

  /** The peer answers the last request with this first word that it was sent. False when it matches nothing. */
  answer(peer: TestPeer, status: number, tag = peer.name, word = 'INVITE', headers: readonly string[] = []): boolean {
    return this.receiveResponse(responseTo(peer.last(word), status, tag, headers))
  }

  receiveResponse(text: string): boolean {
    const msg = messageOf(text)
    const client = this.layer.findClient(msg)
    if (client !== undefined) this.layer.receiveResponse(client, msg)
    msg.buf.fill(0xa5)
    return client !== undefined
  }

  advance(ms: number): void {
    const until = this.nowMs + ms
    while (this.nowMs < until) {
      this.nowMs = Math.min(until, this.nowMs + 50)
      this.tick()
    }
  }

  private tick(): void {
    this.layer.tick(this.nowMs)
    this.proxy.tick(this.nowMs)
  }
}
