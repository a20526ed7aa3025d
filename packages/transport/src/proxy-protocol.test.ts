// SPDX-License-Identifier: MIT
import { BlockList, connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { buildRequest, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { MAX_PROXY_HEADER_BYTES, readProxyHeader, StrangerWatch } from './proxy-protocol.ts'
import { TcpTransport } from './tcp.ts'
import { TlsCredentials } from './tls/credentials.ts'
import { TlsTransport } from './tls.ts'
import type { CloseReason, Connection } from './types.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'

function header(command: number, family: number, body: Buffer, announced = body.length): Buffer {
  const fixed = Buffer.alloc(16)
  fixed.write(SIGNATURE, 'latin1')
  fixed[12] = command
  fixed[13] = family
  fixed.writeUInt16BE(announced, 14)
  return Buffer.concat([fixed, body])
}

const IPV4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0xc3, 0x50, 0x13, 0xc4])
const V4 = header(0x21, 0x11, IPV4)
const V6_SOURCE = Buffer.from('20010db8000000000000000000000007', 'hex')
const V6 = header(0x21, 0x21, Buffer.concat([V6_SOURCE, V6_SOURCE, Buffer.from([0xc3, 0x50, 0x13, 0xc4])]))
const MAPPED = Buffer.concat([Buffer.from('00000000000000000000ffffc0000207', 'hex'), Buffer.alloc(20)])

describe('the header', () => {
  it.each([
    ['IPv4', V4, { state: 'whole', length: 28, address: '192.0.2.7', port: 50_000 }],
    ['IPv6', V6, { state: 'whole', length: 52, address: '2001:db8::7', port: 50_000 }],
    ['IPv4 as IPv6', header(0x21, 0x21, MAPPED), { state: 'whole', length: 52, address: '192.0.2.7', port: 0 }],
    [
      'values behind',
      header(0x21, 0x11, Buffer.concat([IPV4, Buffer.alloc(40)])),
      { length: 68, address: '192.0.2.7' },
    ],
    ['LOCAL', header(0x20, 0x00, Buffer.alloc(0)), { state: 'whole', length: 16, address: '' }],
    ['LOCAL with an address', header(0x20, 0x11, IPV4), { state: 'whole', length: 28, address: '' }],
    ['a UNIX socket', header(0x21, 0x31, Buffer.alloc(216)), { state: 'whole', length: 232, address: '' }],
    ['an address cut short', header(0x21, 0x11, IPV4.subarray(0, 11)), { state: 'bad' }],
    ['an unknown command', header(0x22, 0x11, IPV4), { state: 'bad' }],
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5060\r\n'), { state: 'bad' }],
    ['version 3', header(0x31, 0x11, IPV4), { state: 'bad' }],
    ['a length beyond the bound', header(0x21, 0x11, IPV4, MAX_PROXY_HEADER_BYTES), { state: 'bad' }],
    ['no header', Buffer.from('OPTIONS sip:a SIP/2.0\r\n'), { state: 'bad' }],
  ])('of %s', (_what, bytes, expected) => {
    expect(readProxyHeader(bytes)).toMatchObject(expected)
  })

  it.each([V4, V6])('is partial at every byte before its end', (bytes) => {
    for (let end = 0; end < bytes.length; end++) {
      expect(readProxyHeader(bytes.subarray(0, end))).toEqual({ state: 'partial' })
    }
  })

  it('of a stranger is seen wherever it is cut; SIP and keep-alives are none', () => {
    for (const text of [SIGNATURE, 'PROXY TCP4 ']) {
      const bytes = Buffer.from(text, 'latin1')
      const watch = new StrangerWatch()
      const seen = [...bytes].map((byte) => watch.sees(Buffer.from([byte])))
      expect(seen.indexOf(true)).toBe(text === SIGNATURE ? 11 : 5)
    }
    for (const text of ['\r\n\r\nOPTIONS', 'PRACK sip:a', '\r\n\r\n\r\n\r\n']) {
      const watch = new StrangerWatch()
      expect(watch.sees(Buffer.from(text))).toBe(false)
      expect(watch.isOpen).toBe(false)
    }
  })
})

describe('behind a load balancer', () => {
  const MESSAGE = buildRequest({ method: 'OPTIONS' })
  const transports: (TcpTransport | TlsTransport)[] = []
  const sockets: Socket[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await Promise.all(transports.splice(0).map((transport) => transport.close(50)))
  })

  const balancer = new BlockList()
  balancer.addSubnet('127.0.0.0', 8, 'ipv4')

  function recorder() {
    const opened: Connection[] = []
    const texts: string[] = []
    const reasons: CloseReason[] = []
    return {
      opened,
      texts,
      reasons,
      onOpen: (conn: Connection): unknown => opened.push(conn),
      onMessage: (_conn: Connection, buf: Buffer, start: number, end: number): unknown =>
        texts.push(buf.latin1Slice(start, end)),
      onClose: (_conn: Connection, reason: CloseReason): unknown => reasons.push(reason),
      onFramingError: () => undefined,
    }
  }

  async function listening(proxySources?: BlockList) {
    const sink = recorder()
    const time = { now: 0 }
    const options = { sink, now: () => time.now, limits: { maxConnectionsPerSource: 1 } }
    const transport = new TcpTransport(proxySources === undefined ? options : { ...options, proxySources })
    transports.push(transport)
    const { port } = await transport.listen({ address: '127.0.0.1', port: 0 })
    const dial = (): Socket => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      sockets.push(socket)
      return socket.on('error', () => {})
    }
    return { sink, transport, time, dial }
  }

  const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 3_000, 2)

  it('the connection is from whom its header says, SIP behind it in the same packet or byte by byte', async () => {
    const { sink, dial } = await listening(balancer)
    dial().write(Buffer.concat([V4, Buffer.from(MESSAGE)]))
    await until(() => sink.texts.length === 1)
    expect(sink.opened[0]).toMatchObject({ remoteAddress: '192.0.2.7', remotePort: 50_000 })
    const slow = dial()
    for (const byte of Buffer.concat([V6, Buffer.from(MESSAGE)])) slow.write(Buffer.from([byte]))
    await until(() => sink.texts.length === 2)
    expect(sink.opened[1]).toMatchObject({ remoteAddress: '2001:db8::7' })
    expect(sink.texts).toEqual([MESSAGE, MESSAGE])
  })

  it('counts as that source, and not as the balancer', async () => {
    const { sink, transport, dial } = await listening(balancer)
    dial().write(V4)
    dial().write(V4)
    dial().write(V6)
    await until(() => sink.opened.length === 2 && transport.counters.refusedPerSource === 1)
  })

  it('a health check of the balancer itself is its own', async () => {
    const { sink, dial } = await listening(balancer)
    dial().write(header(0x20, 0x00, Buffer.alloc(0)))
    await until(() => sink.opened.length === 1)
    expect(sink.opened[0]?.remoteAddress).toBe('127.0.0.1')
  })

  it('a connection without a header, with a bad one or an unfinished one ends and is counted', async () => {
    const { sink, transport, time, dial } = await listening(balancer)
    dial().write(MESSAGE)
    dial().write('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5060\r\n')
    await until(() => transport.counters.proxyHeaderErrors === 2)
    dial().write(V4.subarray(0, 20))
    await until(() => transport.arrivalCount === 1)
    time.now = 10_001
    transport.sweep()
    expect(transport.counters.handshakeTimeouts).toBe(1)
    expect(sink.opened).toHaveLength(0)
  })

  it('a stranger with a header loses its connection', async () => {
    const { sink, transport, dial } = await listening()
    dial().write(Buffer.concat([V4, Buffer.from(MESSAGE)]))
    await until(() => sink.reasons.length === 1)
    expect(transport.counters.proxyHeadersOfStrangers).toBe(1)
    expect(sink.texts).toHaveLength(0)
  })

  it('TLS begins behind the header', async () => {
    const sink = recorder()
    const own = { certificates: [], caFile: '', minVersion: 'TLSv1.2', ownName: 'x', ownNames: ['localhost'] } as const
    const credentials = await TlsCredentials.open(own, () => undefined)
    const tls = { credentials, clientCertificates: 'none' } as const
    const transport = new TlsTransport({ sink, tls, proxySources: balancer })
    transports.push(transport)
    const { port } = await transport.listen({ address: '127.0.0.1', port: 0 })
    for (const isSplit of [true, false]) {
      const raw = connect({ port, host: '127.0.0.1', noDelay: true })
      sockets.push(raw)
      if (isSplit) raw.write(V4)
      else raw.cork()
      if (!isSplit) raw.write(V4)
      const secure = tlsConnect({ socket: raw, rejectUnauthorized: false })
      secure.on('error', () => {})
      secure.write(MESSAGE)
      if (!isSplit) setImmediate(() => raw.uncork())
      await until(() => sink.texts.length === (isSplit ? 1 : 2))
    }
    expect(sink.opened[0]).toMatchObject({ remoteAddress: '192.0.2.7', remotePort: 50_000, transport: 'tls' })
  })
})
