// SPDX-License-Identifier: MIT
// What the tests of this folder share: messages as text, and surroundings that write down what the layer did.
import { Buffer } from 'node:buffer'
import { METHOD, SipMessage, scan } from '../message/index.ts'
import type { ClientTransaction } from './client-transaction.ts'
import { TransactionLayer } from './layer.ts'
import type { ServerTransaction } from './server-transaction.ts'
import type { TimerValues } from './timers.ts'
import type { Peer, TransactionIo, TransactionLimits, TransactionUser } from './types.ts'

export const UDP: Peer = { reliable: false }
export const TCP: Peer = { reliable: true }
export const BRANCH = 'z9hG4bK776asdhds'

export interface MessageParts {
  method?: string
  branch?: string
  sentBy?: string
  fromTag?: string
  toTag?: string
  callId?: string
  cseq?: number
  uri?: string
  cseqMethod?: string
}

const headers = (parts: MessageParts): string => {
  const { branch = BRANCH, sentBy = 'pc33.example.test:5060', fromTag = '1928301774', toTag = '' } = parts
  const branchText = branch === '' ? '' : `;branch=${branch}`
  return [
    `Via: SIP/2.0/UDP ${sentBy}${branchText}`,
    'Max-Forwards: 70',
    `From: <sip:alice@example.test>;tag=${fromTag}`,
    `To: <sip:bob@example.test>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${parts.callId ?? 'a84b4c76e66710'}`,
    `CSeq: ${parts.cseq ?? 314159} ${parts.cseqMethod ?? parts.method ?? 'INVITE'}`,
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
}

export const requestText = (parts: MessageParts = {}): string =>
  `${parts.method ?? 'INVITE'} ${parts.uri ?? 'sip:bob@example.test'} SIP/2.0\r\n${headers(parts)}`

export const responseText = (status: number, parts: MessageParts = {}): string =>
  `SIP/2.0 ${status} Reason\r\n${headers({ toTag: status > 100 ? 'a6c85cf' : '', ...parts })}`

export const message = (text: string): SipMessage => {
  const msg = new SipMessage()
  const buf = Buffer.from(text, 'latin1')
  const error = scan(msg, buf, 0, buf.length)
  if (error !== 0) throw new Error(`test message does not scan: ${error} at ${msg.errorOffset}`)
  return msg
}

export const request = (parts: MessageParts = {}): SipMessage => message(requestText(parts))
export const response = (status: number, parts: MessageParts = {}): SipMessage => message(responseText(status, parts))

/** Writes down each call as a word, in order. Sent messages become `send <first word or status>`. */
export class Recorder implements TransactionIo, TransactionUser {
  log: string[] = []
  sent: string[] = []
  /** Its false is the transport's: not taken. */
  onSend: (text: string) => unknown = () => true
  onEvent: (tx: ClientTransaction | ServerTransaction, word: string) => void = () => {}

  send(buf: Buffer, start: number, end: number): boolean {
    const text = buf.toString('latin1', start, end)
    this.sent.push(text)
    this.log.push(`send ${text.startsWith('SIP/2.0 ') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))}`)
    return this.onSend(text) !== false
  }

  onResponse(tx: ClientTransaction, msg: SipMessage): void {
    this.#note(tx, `up ${msg.status}`)
  }

  onClientTimeout(tx: ClientTransaction): void {
    this.#note(tx, 'timeout')
  }

  onClientTransportError(tx: ClientTransaction): void {
    this.#note(tx, 'client transport error')
  }

  onClientTerminated(tx: ClientTransaction): void {
    this.#note(tx, 'client end')
  }

  onAck(tx: ServerTransaction, msg: SipMessage): void {
    this.#note(tx, `up ${msg.method === METHOD.ACK ? 'ACK' : 'other'}`)
  }

  onServerTransportError(tx: ServerTransaction): void {
    this.#note(tx, 'server transport error')
  }

  onServerTerminated(tx: ServerTransaction, ackMissing: boolean): void {
    this.#note(tx, ackMissing ? 'server end, no ACK' : 'server end')
  }

  /** What happened since the last call. */
  take(): string[] {
    const log = this.log
    this.log = []
    return log
  }

  #note(tx: ClientTransaction | ServerTransaction, word: string): void {
    this.log.push(word)
    this.onEvent(tx, word)
  }
}

export const START_MS = 1_000_000

export class Bench {
  readonly recorder = new Recorder()
  readonly layer: TransactionLayer
  nowMs = START_MS

  constructor(options: { timers?: Partial<TimerValues>; limits?: Partial<TransactionLimits> } = {}) {
    this.layer = new TransactionLayer({ io: this.recorder, user: this.recorder, ...options })
    this.layer.tick(this.nowMs)
  }

  client(text: string, peer: Peer, context: unknown = undefined): ClientTransaction {
    const msg = message(text)
    const branch = msg.text(msg.viaBranchStart, msg.viaBranchEnd)
    const tx = this.layer.createClient(branch, msg.method, msg.buf, msg.start, msg.end, peer, context)
    if (tx === undefined) throw new Error('client transaction refused')
    return tx
  }

  server(msg: SipMessage, peer: Peer): ServerTransaction {
    const tx = this.layer.createServer(msg, this.layer.serverKey(msg), peer, undefined)
    if (tx === undefined) throw new Error('server transaction refused')
    return tx
  }

  respond(tx: ServerTransaction, status: number, parts: MessageParts = {}): void {
    const buf = Buffer.from(responseText(status, parts), 'latin1')
    this.layer.respond(tx, status, buf, 0, buf.length)
  }

  /** Moves the clock, stopping at each deadline; gives `[ms since the call, what happened]`. */
  advance(ms: number): [number, string][] {
    const from = this.nowMs
    const events: [number, string][] = []
    while (this.layer.nextDeadline() <= from + ms) {
      this.nowMs = Math.max(this.nowMs, this.layer.nextDeadline())
      this.layer.tick(this.nowMs)
      for (const word of this.recorder.take()) events.push([this.nowMs - from, word])
    }
    this.nowMs = from + ms
    this.layer.tick(this.nowMs)
    for (const word of this.recorder.take()) events.push([ms, word])
    return events
  }
}
