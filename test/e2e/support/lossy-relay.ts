// SPDX-License-Identifier: MIT
// A piece of network between one program and one server over UDP that loses the first copy of every message, both ways. A message is
// known by its start line and CSeq, so that a repetition is the same message.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

export class LossyRelay {
  readonly port: number
  /** Messages that it has swallowed. */
  lost = 0
  readonly #socket: Socket
  readonly #server: number
  readonly #seen = new Set<string>()
  /** Port of whoever talks to the server. */
  #client = 0

  private constructor(socket: Socket, server: number) {
    this.#socket = socket
    this.#server = server
    this.port = socket.address().port
    socket.on('message', (bytes, { port }) => this.#take(bytes, port))
  }

  /** @param server port on 127.0.0.1 that messages from elsewhere go to */
  static async open(server: number): Promise<LossyRelay> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new LossyRelay(socket, server)
  }

  close(): void {
    this.#socket.close()
  }

  #take(bytes: Buffer, from: number): void {
    if (from !== this.#server) this.#client = from
    const text = bytes.toString('latin1')
    const identity = `${from} ${text.slice(0, text.indexOf('\r\n'))} ${/^CSeq: .*$/m.exec(text)?.[0] ?? ''}`
    if (this.#seen.has(identity))
      this.#socket.send(bytes, from === this.#server ? this.#client : this.#server, '127.0.0.1')
    else {
      this.#seen.add(identity)
      this.lost += 1
    }
  }
}
