// SPDX-License-Identifier: MIT
// Bytes on a connection, without any protocol of ours in between: what a phone would never send, from whatever address of this machine
// it is to come from. WebSocket frames are made by hand.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { waitUntil } from '@tandem/test-kit'

export interface RawOptions {
  readonly port: number
  /** TLS around it; whatever certificate is shown is taken. */
  readonly tls?: boolean
  /** 127.x.y.z, for tests that count by source. */
  readonly from?: string
  /** Sent before TLS begins. */
  readonly preface?: Buffer
}

/** A connection that is told what to send, and keeps what comes. */
export class Raw {
  readonly socket: Socket
  isClosed = false
  #bytes = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** Without waiting for anything. */
  static dial({ port, tls = false, from, preface }: RawOptions): Raw {
    const tcp = connect({ port, host: '127.0.0.1', ...(from === undefined ? {} : { localAddress: from }) })
    if (preface !== undefined) tcp.write(preface)
    if (!tls) return new Raw(tcp)
    tcp.on('error', () => {})
    return new Raw(connectTls({ socket: tcp, rejectUnauthorized: false }))
  }

  static async open(options: RawOptions): Promise<Raw> {
    const raw = Raw.dial(options)
    await once(raw.socket, options.tls === true ? 'secureConnect' : 'connect')
    return raw
  }

  get received(): Buffer {
    return this.#bytes
  }

  get text(): string {
    return this.#bytes.toString('latin1')
  }

  send(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
  }

  /** Each byte in a write of its own, a turn apart. */
  async sendByBytes(data: string): Promise<void> {
    for (const byte of Buffer.from(data, 'latin1')) {
      await new Promise<void>((resolve) => this.socket.write(Buffer.of(byte), () => resolve()))
    }
  }

  async until(what: string, fits: (text: string) => boolean, timeoutMs = 4_000): Promise<void> {
    await waitUntil(what, () => fits(this.text), timeoutMs, 5).catch((error: Error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(this.text.slice(-300))}`)
    })
  }

  untilClosed(timeoutMs = 4_000): Promise<void> {
    return waitUntil('the end of the connection', () => this.isClosed, timeoutMs, 5)
  }

  close(): void {
    this.socket.destroy()
  }
}

export const FIN = 0x80
export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

/** A frame of a client: masked with zeros. @param first FIN and opcode */
export function frame(first: number, data: string | Buffer, isMasked = true): Buffer {
  const payload = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
  const { length } = payload
  const mask = isMasked ? 0x80 : 0
  const head =
    length < 126
      ? Buffer.of(first, mask | length)
      : length < 65_536
        ? Buffer.of(first, mask | 126, length >> 8, length & 0xff)
        : Buffer.concat([Buffer.of(first, mask | 127), bigLength(length)])
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), payload])
}

function bigLength(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return bytes
}

/** The request of a WebSocket handshake. @param more header lines, which take the place of those of the same name */
export function upgrade(more: readonly string[] = [], path = '/'): string {
  const usual = [
    'Host: example.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: sip',
  ]
  const nameOf = (line: string): string => line.slice(0, line.indexOf(':'))
  const kept = usual.filter((line) => !more.some((other) => nameOf(other) === nameOf(line)))
  return `GET ${path} HTTP/1.1\r\n${[...kept, ...more].filter((line) => !line.endsWith(':')).join('\r\n')}\r\n\r\n`
}

/** An open WebSocket whose frames are made by hand. */
export async function openWebSocket(options: RawOptions, more: readonly string[] = []): Promise<Raw> {
  const raw = await Raw.open(options)
  raw.send(upgrade(more))
  await raw.until('the answer to the handshake', (text) => text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n'))
  return raw
}

/** Frames of a server behind the handshake: opcode and payload. */
export function framesOf(raw: Raw): { opcode: number; payload: Buffer }[] {
  const bytes = raw.received
  const frames: { opcode: number; payload: Buffer }[] = []
  let at = bytes.indexOf('\r\n\r\n') + 4
  while (at + 2 <= bytes.length) {
    const short = (bytes[at + 1] as number) & 0x7f
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0
    if (at + 2 + extra > bytes.length) break
    const length =
      extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    const start = at + 2 + extra
    if (start + length > bytes.length) break
    frames.push({ opcode: (bytes[at] as number) & 0x0f, payload: bytes.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

/** The status of the close frame that a server has sent; 0 without one. */
export function closeStatus(raw: Raw): number {
  const close = framesOf(raw).find(({ opcode }) => opcode === OPCODE.CLOSE)
  return close === undefined || close.payload.length < 2 ? 0 : close.payload.readUInt16BE(0)
}
