// SPDX-License-Identifier: MIT
// WebSocket over real sockets on loopback, with the client of the package ws. Not tested here: a browser.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { LIMITS } from '@tandem/sip'
import { buildRequest, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { TlsCredentials } from './tls/credentials.ts'
import type { CloseReason, Connection } from './types.ts'
import { WsTransport, type WsTransportOptions } from './ws.ts'

const MESSAGE = buildRequest({ method: 'OPTIONS' })
const BYTES = Buffer.from(MESSAGE)
const transports: WsTransport[] = []
const sockets: Socket[] = []
const clients: WebSocket[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate()
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
})

class Recorder {
  readonly texts: string[] = []
  readonly opened: Connection[] = []
  readonly reasons: CloseReason[] = []
  onMessage(_conn: Connection, buf: Buffer, start: number, end: number): void {
    this.texts.push(buf.toString('latin1', start, end))
  }
  onClose(_conn: Connection, reason: CloseReason): void {
    this.reasons.push(reason)
  }
  onFramingError(): void {}
  onOpen(conn: Connection): void {
    this.opened.push(conn)
  }
}

async function listening(options: Partial<WsTransportOptions> = {}) {
  const sink = new Recorder()
  const time = { now: 0 }
  const pings = { intervalMs: 0, timeoutMs: 0 }
  const transport = new WsTransport({ sink, origins: [], pings, now: () => time.now, ...options })
  transports.push(transport)
  const { port } = await transport.listen({ address: '127.0.0.1', port: 0 })
  return { sink, transport, time, port }
}

/** Resolves when it is open; rejects with what the server answered. */
async function dial(url: string, protocol: string[] = ['sip'], options: ClientOptions = {}) {
  const ws = new WebSocket(url, protocol, options)
  clients.push(ws)
  const received: string[] = []
  const kinds: boolean[] = []
  ws.on('message', (data, isBinary) => {
    received.push((data as Buffer).toString('latin1'))
    kinds.push(isBinary)
  })
  ws.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    ws.once('open', () => resolve())
    ws.once('error', reject)
  })
  return { ws, received, kinds }
}

function rawDial(port: number): { socket: Socket; received: () => string } {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  return { socket, received: () => text }
}

const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 4_000, 2)
const isGone = (transport: WsTransport): boolean => transport.arrivalCount + transport.connectionCount === 0

describe('the handshake', () => {
  it('is answered with the subprotocol sip, among others offered [RFC7118-4.1a] [RFC7118-5a]', async () => {
    const { port, sink } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}/any`, ['xmpp', 'sip'])
    expect(ws.protocol).toBe('sip')
    expect(sink.opened[0]).toMatchObject({
      transport: 'ws',
      reliable: true,
      inbound: true,
      remoteAddress: '127.0.0.1',
      localPort: port,
    })
  })

  it.each([
    ['another subprotocol', ['xmpp'], {}, /400/],
    ['no subprotocol', [], {}, /400/],
    ['an Origin that is not allowed', ['sip'], { origin: 'https://evil.test' }, /403/],
  ])('with %s is refused [RFC7118-4.1c]', async (_what, protocols, options, answer) => {
    const { port, transport } = await listening({ origins: ['https://app.test'] })
    await expect(dial(`ws://127.0.0.1:${port}`, protocols, options)).rejects.toThrow(answer)
    expect(transport.counters).toMatchObject({ handshakeFailures: 1, handshakes: 0 })
    await until(() => isGone(transport))
  })

  it('from an allowed Origin, or from a program without one, is taken', async () => {
    const { port } = await listening({ origins: ['https://App.test'] })
    await dial(`ws://127.0.0.1:${port}`, ['sip'], { origin: 'https://app.test' })
    await dial(`ws://127.0.0.1:${port}`)
  })

  it.each([
    ['an HTTP request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1.1 426 Upgrade Required\r\nUpgrade: websocket/],
    [
      'an upgrade to something else',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
      /^HTTP\/1.1 426/,
    ],
    [
      'a version of WebSocket that is none of ours',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Protocol: sip\r\n\r\n',
      /^HTTP\/1.1 426[\s\S]*Sec-WebSocket-Version: 13/,
    ],
    ['a tunnel', 'CONNECT example.test:443 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1.1 426/],
    ['SIP', MESSAGE, /^HTTP\/1.1 400/],
    ['garbage', '\0\x01\x02\r\n\r\n', /^HTTP\/1.1 400/],
    ['a PROXY header of a stranger', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', /^HTTP\/1.1 400/],
    ['headers without end', `GET / HTTP/1.1\r\nA: ${'a'.repeat(20_000)}`, /^HTTP\/1.1 400/],
  ])('%s is answered and its connection closed', async (_what, text, answer) => {
    const { port, transport, sink } = await listening()
    const { socket, received } = rawDial(port)
    socket.write(text, 'latin1')
    await until(() => answer.test(received()))
    await until(() => isGone(transport))
    expect(transport.counters.handshakeFailures).toBe(1)
    expect(sink.opened).toHaveLength(0)
  })

  it('that is not finished in time ends (slowloris)', async () => {
    const { port, transport, time } = await listening()
    rawDial(port).socket.write('GET / HTTP/1.1\r\nHost: ')
    await until(() => transport.arrivalCount === 1)
    time.now = 10_001
    transport.sweep()
    await until(() => isGone(transport))
    expect(transport.counters.handshakeTimeouts).toBe(1)
  })
})

describe('messages', () => {
  it('come as text or binary, whole or in fragments, with or without Content-Length [RFC7118-4.2a] [RFC7118-5b]', async () => {
    const { port, sink } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    const bare = MESSAGE.replace(/Content-Length: 0\r\n/, '')
    ws.send(MESSAGE)
    ws.send(BYTES)
    ws.send(bare)
    ws.send(MESSAGE.slice(0, 20), { fin: false })
    ws.send(MESSAGE.slice(20), { fin: true })
    await until(() => sink.texts.length === 4)
    expect(sink.texts).toEqual([MESSAGE, MESSAGE, bare, MESSAGE])
  })

  it('in a stream that is split at every byte are the same', async () => {
    const { port, sink, transport } = await listening()
    const { socket, received } = rawDial(port)
    const key =
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n'
    const hello = `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`
    const frame = Buffer.concat([Buffer.from([0x82, 0xfe, BYTES.length >> 8, BYTES.length & 0xff, 0, 0, 0, 0]), BYTES])
    socket.setNoDelay(true)
    for (const byte of Buffer.concat([Buffer.from(hello), frame])) socket.write(Buffer.from([byte]))
    await until(() => sink.texts.length === 1)
    expect(sink.texts).toEqual([MESSAGE])
    await until(() => received().includes('Sec-WebSocket-Protocol: sip'))
    expect(transport.counters.messagesReceived).toBe(1)
  })

  it('leave as text where they are UTF-8, else binary [RFC7118-4.2b] [RFC7118-5b]', async () => {
    const { port, sink } = await listening()
    const { received, kinds } = await dial(`ws://127.0.0.1:${port}`)
    const [conn] = sink.opened
    const latin = Buffer.from(`${MESSAGE}\xff`, 'latin1')
    const scratch = Buffer.from(BYTES)
    conn?.send(scratch, 0, scratch.length)
    scratch.fill(0xa5)
    conn?.send(latin, 0, latin.length)
    await until(() => received.length === 2)
    expect(received).toEqual([MESSAGE, latin.toString('latin1')])
    expect(kinds).toEqual([false, true])
  })

  it('CRLF keep-alives are answered and handed to nobody [RFC7118-6] [RFC5626-4.4.1a]', async () => {
    const { port, sink, transport } = await listening()
    const { ws, received } = await dial(`ws://127.0.0.1:${port}`)
    ws.send('\r\n\r\n')
    ws.send('\r\n')
    ws.send('')
    await until(() => received.length === 1 && transport.counters.pongs === 2)
    expect(received).toEqual(['\r\n'])
    expect(sink.texts).toEqual([])
  })

  it('two in one are an error: neither is taken, and it is counted [RFC7118-5c]', async () => {
    const { port, sink, transport } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.send(MESSAGE + MESSAGE)
    ws.send(`${MESSAGE}\r\n`)
    await until(() => sink.texts.length === 1)
    expect(transport.counters).toMatchObject({ overfullFrames: 1, messagesReceived: 2 })
  })

  it('that are no SIP are counted, and close the connection at a bound [RFC7118-4.1b]', async () => {
    const { port, sink, transport } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    for (let k = 0; k < 20; k++) ws.send('{"hello":"world"}')
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).toBe(1008)
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['framing'])
    expect(transport.counters.notSipFrames).toBe(8)
  })

  it('beyond the size of a SIP message end the connection, however they come', async () => {
    const { port, sink, transport } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.send(Buffer.alloc(10 << 20))
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).toBe(1009)
    const other = await dial(`ws://127.0.0.1:${port}`)
    for (let k = 0; k < 12; k++) other.ws.send(Buffer.alloc(100_000), { fin: false })
    await once(other.ws, 'close')
    await until(() => sink.reasons.length === 2)
    expect(sink.reasons).toEqual(['reset', 'reset'])
    expect(sink.texts).toEqual([])
    expect(transport.counters).toMatchObject({ errors: 2, oversizeFrames: 2 })
  })

  it('in too many fragments end the connection: each costs more than its bytes', async () => {
    const { port, sink, transport } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    for (let k = 0; k < 1_025; k++) ws.send('O', { fin: false })
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).toBe(1008)
    expect(transport.counters.oversizeFrames).toBe(1)
    expect(sink.texts).toEqual([])
  })

  it('that stay unfinished end the connection, however alive it looks (slowloris)', async () => {
    const { port, sink, transport, time } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.send(MESSAGE.slice(0, 20), { fin: false })
    await until(() => transport.counters.accepted === 1)
    for (time.now = 4_000; time.now <= 16_000; time.now += 4_000) {
      ws.ping()
      await once(ws, 'pong')
      ws.send('X', { fin: false })
      transport.sweep()
      expect(sink.opened[0]?.isOpen).toBe(true)
    }
    time.now = 20_001
    transport.sweep()
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['partialMessage'])
    expect(transport.counters.partialMessages).toBe(1)
  })

  it('that are whole leave no deadline behind', async () => {
    const { port, sink, transport, time } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.send(MESSAGE.slice(0, 20), { fin: false })
    ws.send(MESSAGE.slice(20))
    await until(() => sink.texts.length === 1)
    time.now = 100_000
    transport.sweep()
    expect(sink.opened[0]?.isOpen).toBe(true)
  })

  it('of the greatest size are taken', async () => {
    const { port, sink } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    const body = 'a'.repeat(LIMITS.bodyBytes)
    ws.send(MESSAGE.replace('Content-Length: 0', `Content-Length: ${body.length}`) + body)
    await until(() => sink.texts.length === 1)
  })

  it('to a slow reader lose it the connection at the bound', async () => {
    const { port, sink, transport } = await listening({ limits: { maxQueuedBytes: 100_000 } })
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.pause()
    const block = Buffer.alloc(50_000, 'a')
    let accepted = 0
    while (accepted < 10_000 && sink.opened[0]?.send(block, 0, block.length) === true) {
      accepted++
      if (accepted % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['slowReader'])
    expect(transport.counters.slowReaders).toBe(1)
  })

  it.each(['CRLF', 'ping'])('keep-alives (%s) of who does not read count for the bound', async (what) => {
    const maxQueuedBytes = 100_000
    const { port, sink } = await listening({ limits: { maxQueuedBytes } })
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.pause()
    const conn = sink.opened[0] as Connection
    const block = Buffer.alloc(50_000, 'a')
    while (conn.queuedBytes < block.length) {
      conn.send(block, 0, block.length)
      await new Promise((resolve) => setImmediate(resolve))
    }
    while (conn.queuedBytes < maxQueuedBytes)
      conn.send(block, 0, Math.min(block.length, maxQueuedBytes - conn.queuedBytes))
    expect(conn.isOpen).toBe(true)
    if (what === 'ping') ws.ping()
    else ws.send('\r\n\r\n')
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['slowReader'])
  })
})

describe('a connection', () => {
  const pings = { intervalMs: 30_000, timeoutMs: 10_000 }

  it('is asked whether it lives, and ends when it does not answer [RFC7118-6]', async () => {
    const { port, sink, transport, time } = await listening({ pings })
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    const pinged = once(ws, 'ping')
    time.now = 30_000
    transport.sweep()
    await pinged
    await new Promise((resolve) => setTimeout(resolve, 30))
    time.now = 41_000
    transport.sweep()
    expect(sink.opened[0]?.isOpen).toBe(true)
    const mute = await dial(`ws://127.0.0.1:${port}`, ['sip'], { autoPong: false })
    time.now = 80_000
    transport.sweep()
    await once(mute.ws, 'ping')
    time.now = 90_001
    await new Promise((resolve) => setTimeout(resolve, 30))
    transport.sweep()
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['pingTimeout'])
    expect(transport.counters.pingTimeouts).toBe(1)
  })

  it('ends when it says nothing for too long, pongs aside', async () => {
    const { port, sink, transport, time } = await listening({ pings, limits: { idleMs: 60_000 } })
    await dial(`ws://127.0.0.1:${port}`)
    time.now = 60_001
    transport.sweep()
    await until(() => sink.reasons.length === 1)
    expect(sink.reasons).toEqual(['idle'])
  })

  it('is told of its end once, whoever ends it', async () => {
    const { port, sink, transport } = await listening()
    const { ws } = await dial(`ws://127.0.0.1:${port}`)
    ws.close()
    await until(() => sink.reasons.length === 1)
    await dial(`ws://127.0.0.1:${port}`)
    const [, conn] = sink.opened
    conn?.close()
    expect(conn?.send(BYTES, 0, 10)).toBe(false)
    await until(() => sink.reasons.length === 2)
    expect(sink.reasons).toEqual(['remoteClosed', 'localClosed'])
    expect(isGone(transport)).toBe(true)
  })
})

it('WSS is the same within TLS', async () => {
  const own = { certificates: [], caFile: '', minVersion: 'TLSv1.2', ownName: 'x', ownNames: ['localhost'] } as const
  const credentials = await TlsCredentials.open(own, () => undefined)
  const { port, sink, transport } = await listening({ tls: { credentials, clientCertificates: 'none' } })
  const { ws, received } = await dial(`wss://localhost:${port}`, ['sip'], { rejectUnauthorized: false })
  ws.send(MESSAGE)
  await until(() => sink.texts.length === 1)
  expect(sink.opened[0]?.transport).toBe('wss')
  sink.opened[0]?.send(BYTES, 0, BYTES.length)
  await until(() => received.length === 1)
  rawDial(port).socket.write(MESSAGE)
  await until(() => transport.counters.handshakeFailures === 1)
  const plain = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  sockets.push(plain)
  plain.on('error', () => {})
  let answer = ''
  plain.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => answer.startsWith('HTTP/1.1 426'))
  await until(() => transport.arrivalCount === 0)
})
