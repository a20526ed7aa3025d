// SPDX-License-Identifier: MIT
// What every transport of plain streams does, over real sockets on loopback: run by tcp.test.ts and sctp.test.ts. Time is a number that the
// tests move, deadlines are applied by sweep(). The framing itself is tested where it stands, in @tandem/sip. Not part of the package's doors.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FRAMING_ERROR } from '@tandem/sip'
import { buildRequest, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import type { StreamTransport } from './stream-transport.ts'
import type { StreamOptions } from './stream-types.ts'
import type { CloseReason, Connection, TransportName } from './types.ts'

export interface ContractTransport extends StreamTransport {
  connect(address: string, port: number): Connection | undefined
}

export interface StreamKind {
  readonly name: TransportName
  make(options: StreamOptions): ContractTransport
  /** Writes for so many messages of one turn. */
  writesOf(messages: number): number
  /** Of one message that its sockets take. */
  readonly blockBytes: number
}

const MESSAGE = buildRequest({ method: 'OPTIONS' })
const BYTES = Buffer.from(MESSAGE)
const transports: ContractTransport[] = []
const sockets: Socket[] = []
export class Recorder {
  readonly messages: { text: string; conn: Connection }[] = []
  readonly closed: { conn: Connection; reason: CloseReason }[] = []
  readonly errors: number[] = []
  readonly opened: Connection[] = []
  onEach: (conn: Connection) => void = () => {}
  onMessage(conn: Connection, buf: Buffer, start: number, end: number): void {
    this.messages.push({ text: buf.toString('latin1', start, end), conn })
    this.onEach(conn)
  }
  onClose(conn: Connection, reason: CloseReason): void {
    this.closed.push({ conn, reason })
  }
  onFramingError(conn: Connection, code: number): void {
    this.errors.push(code)
    conn.send(Buffer.from('bad'), 0, 3)
  }
  onOpen(conn: Connection): void {
    this.opened.push(conn)
  }
  texts(): string[] {
    return this.messages.map((message) => message.text)
  }
  reasons(): CloseReason[] {
    return this.closed.map((closed) => closed.reason)
  }
}

export function describeStreams(kind: StreamKind): void {
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
  })

  function open(options: Omit<StreamOptions, 'sink'> = {}) {
    const sink = new Recorder()
    const time = { now: 0 }
    const transport = kind.make({ sink, now: () => time.now, ...options })
    transports.push(transport)
    return { sink, transport, time }
  }

  async function listening(options: Omit<StreamOptions, 'sink'> = {}) {
    const opened = open(options)
    const { port } = await opened.transport.listen({ address: '127.0.0.1', port: 0 })
    return { ...opened, port }
  }

  /** A plain socket of the test. */
  async function dial(port: number): Promise<{ socket: Socket; received: () => string }> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.push(socket)
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    await once(socket, 'connect')
    return { socket, received: () => text }
  }

  const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 3_000, 2)

  describe('an inbound connection', () => {
    it('hands up each message, however it was cut, and answers over the same connection', async () => {
      const { sink, port } = await listening()
      const { socket, received } = await dial(port)
      socket.write(`${MESSAGE}${MESSAGE}${MESSAGE.slice(0, 50)}`)
      await until(() => sink.messages.length === 2)
      socket.write(MESSAGE.slice(50))
      await until(() => sink.messages.length === 3)
      expect(sink.texts()).toEqual([MESSAGE, MESSAGE, MESSAGE])
      const conn = sink.messages[0]?.conn
      expect(conn).toMatchObject({ inbound: true, remoteAddress: '127.0.0.1', localPort: port, transport: kind.name })
      expect(conn?.send(BYTES, 0, BYTES.length)).toBe(true)
      await until(() => received() === MESSAGE)
    })

    it('MUST answer a double CRLF with a single one [RFC5626-4.4.1a] [RFC5626-5.4b]', async () => {
      const { sink, transport, port } = await listening()
      const { socket, received } = await dial(port)
      socket.write('\r\n\r\n')
      await until(() => received() === '\r\n')
      socket.write(MESSAGE)
      await until(() => sink.messages.length === 1)
      expect(transport.counters).toMatchObject({ pings: 1, messagesSent: 0, messagesReceived: 1 })
    })

    it('is closed when its framing is lost, after the answer has left', async () => {
      const { sink, transport, port } = await listening()
      const { socket, received } = await dial(port)
      socket.write(`${MESSAGE}OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n${MESSAGE}`)
      await until(() => sink.closed.length === 1)
      expect(sink.errors).toEqual([FRAMING_ERROR.BAD_CONTENT_LENGTH])
      expect(sink.reasons()).toEqual(['framing'])
      expect(received()).toBe('bad')
      expect(sink.messages).toHaveLength(1)
      expect(transport.connectionCount).toBe(0)
    })

    it('is told of its end once, whoever ends it, and hands up nothing after close()', async () => {
      const { sink, port } = await listening()
      sink.onEach = (conn) => conn.close()
      const { socket } = await dial(port)
      socket.write(MESSAGE + MESSAGE)
      await until(() => sink.closed.length === 1)
      expect(sink.messages).toHaveLength(1)
      const other = await dial(port)
      await until(() => sink.opened.length === 2)
      other.socket.end()
      await until(() => sink.closed.length === 2)
      expect(sink.reasons()).toEqual(['localClosed', 'remoteClosed'])
      const reset = await dial(port)
      await until(() => sink.opened.length === 3)
      reset.socket.resetAndDestroy()
      await until(() => sink.closed.length === 3)
      expect(sink.reasons()[2]).toBe('reset')
    })

    it('does nothing with send() and close() once it is closed', async () => {
      const { sink, port } = await listening()
      const { socket } = await dial(port)
      await until(() => sink.opened.length === 1)
      socket.destroy()
      await until(() => sink.closed.length === 1)
      const conn = sink.closed[0]?.conn
      expect(conn?.send(BYTES, 0, 10)).toBe(false)
      conn?.close()
      expect(conn?.isOpen).toBe(false)
    })
  })

  describe('writes', () => {
    it('go out at the end of the turn, and the bytes may be reused', async () => {
      const { sink, transport, port } = await listening()
      const { received } = await dial(port)
      await until(() => sink.opened.length === 1)
      const conn = sink.opened[0]
      const bytes = Buffer.alloc(4)
      for (let i = 0; i < 1_000; i++) {
        bytes.write(String(i).padStart(4, '0'))
        conn?.send(bytes, 0, 4)
        bytes.fill(0xa5)
      }
      expect(conn?.queuedBytes).toBe(4_000)
      await until(() => received().length === 4_000)
      expect(received()).toBe(Array.from({ length: 1_000 }, (_, i) => String(i).padStart(4, '0')).join(''))
      expect(transport.counters).toMatchObject({ writes: kind.writesOf(1_000), messagesSent: 1_000, bytesSent: 4_000 })
      expect(conn?.queuedBytes).toBe(0)
    })

    it('keep their bytes over several turns, also when the kernel takes them late', async () => {
      const { sink, port } = await listening({ limits: { maxQueuedBytes: 64 << 20 } })
      const { socket, received } = await dial(port)
      await until(() => sink.opened.length === 1)
      socket.pause()
      const block = Buffer.alloc(kind.blockBytes)
      for (let i = 0; i < 16; i++) {
        block.fill(97 + i)
        sink.opened[0]?.send(block, 0, block.length)
        await new Promise((resolve) => setImmediate(resolve))
      }
      socket.resume()
      await until(() => received().length === 16 * block.length)
      for (let i = 0; i < 16; i++)
        expect(received().slice(i * block.length, (i + 1) * block.length)).toMatch(/^(.)\1*$/)
    })

    it('to a slow reader lose it the connection at the bound', async () => {
      const { sink, transport, port } = await listening({ limits: { maxQueuedBytes: 100_000 } })
      const { socket } = await dial(port)
      await until(() => sink.opened.length === 1)
      socket.pause()
      const block = Buffer.alloc(50_000)
      let accepted = 0
      while (accepted < 10_000 && sink.opened[0]?.send(block, 0, block.length) === true) {
        accepted++
        if (accepted % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => sink.closed.length === 1)
      expect(accepted).toBeLessThan(10_000)
      expect(sink.reasons()).toEqual(['slowReader'])
      expect(transport.counters.slowReaders).toBe(1)
      expect(transport.queuedBytes).toBe(0)
    })
  })

  describe('an outgoing connection', () => {
    it('queues until it is established, and is reused in both directions [RFC3261-18.1.1io]', async () => {
      const server = await listening()
      const client = open()
      const conn = client.transport.connect('127.0.0.1', server.port)
      expect(conn?.send(BYTES, 0, BYTES.length)).toBe(true)
      expect(client.transport.connect('127.0.0.1', server.port)).toBe(conn)
      await until(() => server.sink.messages.length === 1)
      const inbound = server.sink.messages[0]?.conn
      expect(server.transport.connect('127.0.0.1', inbound?.remotePort ?? 0)).toBe(inbound)
      inbound?.send(BYTES, 0, BYTES.length)
      await until(() => client.sink.messages.length === 1)
      expect(conn).toMatchObject({ inbound: false, remotePort: server.port })
      expect(conn?.localPort).toBe(inbound?.remotePort)
      expect(client.transport.find(conn?.id ?? 0)).toBe(conn)
      expect(client.transport.counters).toMatchObject({ connected: 1, accepted: 0 })
    })

    it('is made anew once the old one is closed', async () => {
      const server = await listening()
      const client = open()
      const first = client.transport.connect('127.0.0.1', server.port)
      await until(() => client.sink.opened.length === 1)
      first?.close()
      const second = client.transport.connect('127.0.0.1', server.port)
      expect(second).not.toBe(first)
      await until(() => client.sink.closed.length === 1)
      expect(client.transport.connect('127.0.0.1', server.port)).toBe(second)
      expect(client.transport.find(first?.id ?? 0)).toBeUndefined()
    })

    it('that fails is told as a close, asynchronously [RFC3261-18.4c]', async () => {
      const { port, transport } = await listening()
      await transport.close()
      const client = open()
      const conn = client.transport.connect('127.0.0.1', port)
      conn?.send(BYTES, 0, BYTES.length)
      expect(client.sink.closed).toHaveLength(0)
      await until(() => client.sink.closed.length === 1)
      expect(client.sink.reasons()).toEqual(['connectFailed'])
      expect(client.transport.counters).toMatchObject({ connectFailures: 1, connected: 0 })
    })

    it('that is not answered is given up at its deadline', async () => {
      const { transport, sink, time } = open({ limits: { connectTimeoutMs: 4_000 } })
      // TEST-NET-1 is routed nowhere: either nothing answers, or the machine says at once that it is unreachable.
      transport.connect('192.0.2.1', 5060)
      time.now = 4_001
      transport.sweep()
      await until(() => sink.closed.length === 1)
      expect(['connectTimeout', 'connectFailed']).toContain(sink.reasons()[0])
    })
  })

  describe('bounds', () => {
    it('of connections in total and per source', async () => {
      const perSource = await listening({ limits: { maxConnectionsPerSource: 2 } })
      const total = await listening({ limits: { maxConnections: 2 } })
      for (const { port, transport, sink } of [perSource, total]) {
        for (let i = 0; i < 3; i++) await dial(port)
        await until(() => transport.counters.refusedPerSource + transport.counters.refusedTotal === 1)
        expect(transport.connectionCount).toBe(2)
        sink.opened[0]?.close()
        await until(() => transport.connectionCount === 1)
        await dial(port)
        await until(() => transport.connectionCount === 2)
      }
      expect(perSource.transport.counters.refusedPerSource).toBe(1)
      expect(total.transport.counters.refusedTotal).toBe(1)
      expect(total.transport.connect('127.0.0.1', perSource.port)).toBeUndefined()
    })

    it('of silence [RFC3261-18a]', async () => {
      const { sink, transport, time, port } = await listening({ limits: { idleMs: 60_000 } })
      const { socket } = await dial(port)
      await until(() => sink.opened.length === 1)
      time.now = 50_000
      socket.write(MESSAGE)
      await until(() => sink.messages.length === 1)
      time.now = 110_000
      transport.sweep()
      expect(sink.opened[0]?.isOpen).toBe(true)
      time.now = 110_001
      transport.sweep()
      await until(() => sink.closed.length === 1)
      expect(sink.reasons()).toEqual(['idle'])
    })

    it('of the time that a message may stay incomplete, however often a byte comes', async () => {
      const { sink, transport, time, port } = await listening({ limits: { partialMessageMs: 16_000 } })
      const { socket } = await dial(port)
      for (let i = 0; i < 4; i++) {
        const before = transport.counters.bytesReceived
        socket.write(MESSAGE.slice(i, i + 1))
        await until(() => transport.counters.bytesReceived > before)
        time.now += 5_000
        transport.sweep()
      }
      await until(() => sink.closed.length === 1)
      expect(sink.reasons()).toEqual(['partialMessage'])
    })

    it('of the time that an ended connection may linger', async () => {
      const { sink, transport, time, port } = await listening()
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      sockets.push(socket)
      await until(() => sink.opened.length === 1)
      sink.opened[0]?.close()
      time.now = 2_001
      transport.sweep()
      await until(() => sink.closed.length === 1)
      expect(sink.reasons()).toEqual(['localClosed'])
    })
  })

  describe('listen', () => {
    it('names address, port and setting where the port is taken', async () => {
      const { port } = await listening()
      const { transport } = open()
      await expect(transport.listen({ address: '127.0.0.1', port, setting: '--base-port' })).rejects.toMatchObject({
        code: 'portTaken',
        message: `${kind.name.toUpperCase()} 127.0.0.1 port ${port} is taken by another process; free it or change --base-port.`,
      })
    })

    it('stops taking connections, keeps those that are open', async () => {
      const { sink, transport } = open()
      const listener = await transport.listen({ address: '127.0.0.1', port: 0 })
      const { socket } = await dial(listener.port)
      await until(() => sink.opened.length === 1)
      await listener.close()
      await expect(dial(listener.port)).rejects.toThrow(/ECONNREFUSED/)
      socket.write(MESSAGE)
      await until(() => sink.messages.length === 1)
    })

    it('listens on IPv6 and IPv4 at the same port number', async () => {
      const { transport, port } = await listening()
      const listener = await transport.listen({ address: '::1', port })
      expect(listener).toMatchObject({ address: '::1', port })
    })
  })

  it('closes with everything, also where the peer does not', async () => {
    const { sink, transport, port } = await listening()
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(socket)
    await until(() => sink.opened.length === 1)
    await transport.close(20)
    expect(transport.connectionCount).toBe(0)
    expect(sink.reasons()).toEqual(['localClosed'])
    expect(transport.connect('127.0.0.1', port)).toBeUndefined()
  })
}
