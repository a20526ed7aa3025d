// SPDX-License-Identifier: MIT
// A second connection to the server that ioredis has found, for scripts alone: it writes a batch as one buffer and reads replies with as
// little as that takes. ioredis makes a command, a promise and a queue's entry of each script, which costs many times as much
// (docs/performance.md, "Redis"). Whoever has no wire uses ioredis: a wire that can't be opened is no failure.
//
// Replies come in the order of the commands: the head of the queue is the batch that is being answered. A wire that closes ends
// every batch that waits with an error (sent, not answered), and is never used again.

import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Reply } from './batcher.ts'
import { ReplyError, RespReader } from './resp-reader.ts'
import { RespWriter } from './resp-writer.ts'

export interface WirePlace {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly db: number
  /** Absent: without TLS. */
  readonly tls: ConnectionOptions | undefined
  readonly timeoutMs: number
}

export type WireOutcome = [error: Error | null, reply: Reply]
/** All outcomes of a batch, in order; or why there are none. */
export type OnAnswered = (outcomes: WireOutcome[] | Error) => void

interface Sent {
  readonly count: number
  readonly outcomes: WireOutcome[]
  readonly onAnswered: OnAnswered
}

export class Wire {
  readonly writer = new RespWriter()
  readonly #socket: Socket
  readonly #sent: Sent[] = []
  /** Place of the head: entries before it are done, and go when there are enough of them. */
  #head = 0
  #isClosed = false

  private constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket
    const reader = new RespReader((reply) => this.#receive(reply))
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.write(chunk)
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.close()
      onClose()
    })
  }

  /** Connected and logged in; rejects after `timeoutMs`. `onClose` is told once, also of a wire that never was open. */
  static async open(place: WirePlace, onClose: () => void): Promise<Wire> {
    const socket = openSocket(place)
    const wire = new Wire(socket, onClose)
    const timer = setTimeout(() => wire.close(), place.timeoutMs)
    try {
      const outcomes = await wire.#logIn(place)
      const refused = outcomes.find(([error]) => error !== null)
      if (refused !== undefined) throw refused[0]
      return wire
    } catch (error) {
      wire.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** Sends what was written since the last time: `count` commands. */
  send(count: number, onAnswered: OnAnswered): void {
    const bytes = this.writer.take()
    if (this.#isClosed) {
      onAnswered(new Error('connection lost'))
      return
    }
    this.#sent.push({ count, outcomes: [], onAnswered })
    this.#socket.write(bytes)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.destroy()
    const waiting = this.#sent.splice(0).slice(this.#head)
    this.#head = 0
    for (const { onAnswered } of waiting) onAnswered(new Error('connection lost'))
  }

  #logIn({ username, password, db }: WirePlace): Promise<WireOutcome[]> {
    const commands = [
      ...(password === '' ? [] : [username === '' ? ['AUTH', password] : ['AUTH', username, password]]),
      ...(db === 0 ? [] : [['SELECT', String(db)]]),
      ['CLIENT', 'SETNAME', 'tandem-scripts'],
    ]
    for (const words of commands) {
      this.writer.raw(`*${words.length}\r\n`)
      for (const word of words) this.writer.argument(word)
    }
    return new Promise((resolve, reject) => {
      this.send(commands.length, (outcomes) => (outcomes instanceof Error ? reject(outcomes) : resolve(outcomes)))
    })
  }

  #receive(reply: Reply | ReplyError): void {
    const sent = this.#sent[this.#head]
    if (sent === undefined) throw new RangeError('a reply that nobody waits for')
    sent.outcomes.push(reply instanceof ReplyError ? [reply, null] : [null, reply])
    if (sent.outcomes.length < sent.count) return
    this.#head++
    if (this.#head === this.#sent.length || this.#head > MANY_DONE) {
      this.#sent.splice(0, this.#head)
      this.#head = 0
    }
    sent.onAnswered(sent.outcomes)
  }
}

const MANY_DONE = 256

function openSocket({ host, port, tls }: WirePlace): Socket {
  if (tls === undefined) return connectTcp({ host, port })
  return connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, port })
}
