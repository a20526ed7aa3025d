// SPDX-License-Identifier: MIT
// UDP over real sockets on loopback, where the kernel's buffer never fills: that case is played with the socket's methods replaced.
// Not tested here: the native batch addon.
import { Socket } from 'node:dgram'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { UdpListener } from './types.ts'
import { createUdpListener, type UdpOptions } from './udp.ts'

interface Seen {
  text: string
  address: string
  port: number
}

const opened: UdpListener[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(opened.splice(0).map((listener) => listener.close()))
})

async function open(address = '127.0.0.1', seen: Seen[] = [], options: Partial<UdpOptions> = {}) {
  let wake = (): void => {}
  const sink = {
    onDatagram(buf: Buffer, start: number, end: number, from: string, port: number): void {
      seen.push({ text: buf.toString('latin1', start, end), address: from, port })
      wake()
    },
  }
  const listener = await createUdpListener({
    address,
    port: options.port ?? 0,
    sink,
    setting: '--base-port',
    ...options,
  })
  opened.push(listener)
  const waitFor = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { listener, seen, waitFor }
}

describe('createUdpListener', () => {
  it.each(['127.0.0.1', '::1'])(
    'sends and receives on %s with the true source [RFC3581-3bc] [RFC3261-18.1.1l]',
    async (address) => {
      const a = await open(address)
      const b = await open(address)
      const bytes = Buffer.from('..OPTIONS..')
      a.listener.send(bytes, 2, 9, b.listener.port, address)
      await b.waitFor(1)
      expect(b.seen).toEqual([{ text: 'OPTIONS', address, port: a.listener.port }])
      expect(a.listener.counters).toMatchObject({ sent: 1, sentBytes: 7, errors: 0, dropped: 0 })
      expect(b.listener.counters).toMatchObject({ received: 1, receivedBytes: 7 })
      expect(b.listener.family).toBe(address.includes(':') ? 6 : 4)
    },
  )

  it('lets the caller reuse its bytes after each of many sends in one turn', async () => {
    const a = await open()
    const b = await open()
    const bytes = Buffer.alloc(8)
    for (let i = 0; i < 100; i++) {
      bytes.write(String(i).padStart(8, '0'))
      a.listener.send(bytes, 0, 8, b.listener.port, '127.0.0.1')
      bytes.fill(0xa5)
    }
    a.listener.flush()
    await b.waitFor(100)
    expect(b.seen.map((datagram) => Number(datagram.text))).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('sends a datagram of the largest size and drops a larger one, counted [RFC3261-18.1.1c]', async () => {
    const a = await open()
    const b = await open()
    const bytes = Buffer.alloc(70_000, 'x')
    a.listener.send(bytes, 0, 65_508, b.listener.port, '127.0.0.1')
    a.listener.send(bytes, 0, 65_507, b.listener.port, '127.0.0.1')
    await b.waitFor(1)
    expect(b.seen[0]?.text.length).toBe(65_507)
    expect(a.listener.counters).toMatchObject({ dropped: 1, sent: 1 })
  })

  it.each([0, -1, 65_536])('drops a datagram to port %i, counted', async (port) => {
    const { listener } = await open()
    listener.send(Buffer.from('x'), 0, 1, port, '127.0.0.1')
    expect(listener.counters).toMatchObject({ dropped: 1, sent: 0 })
  })

  it('does nothing after close, and closes twice', async () => {
    const { listener } = await open()
    await listener.close()
    await listener.close()
    listener.send(Buffer.from('x'), 0, 1, 5060, '127.0.0.1')
    expect(listener.counters).toMatchObject({ sent: 0, dropped: 1 })
  })

  it('names address, port and setting where the port is taken', async () => {
    const { listener } = await open()
    await expect(open('127.0.0.1', [], { port: listener.port })).rejects.toMatchObject({
      code: 'portTaken',
      message: `UDP 127.0.0.1 port ${listener.port} is taken by another process; free it or change --base-port.`,
    })
  })

  it('names the address where the machine does not have it', async () => {
    await expect(open('192.0.2.1')).rejects.toMatchObject({
      code: 'addressNotLocal',
      message: expect.stringContaining('192.0.2.1'),
    })
  })

  it('shares a port where asked to', async () => {
    const first = await open('127.0.0.1', [], { reusePort: true })
    const second = await open('127.0.0.1', [], { reusePort: true, port: first.listener.port })
    expect(second.listener.port).toBe(first.listener.port)
  })

  it('keeps the bytes of datagrams that wait for the kernel, up to the bound, and reuses its memory after', async () => {
    const { listener } = await open('127.0.0.1', [], { maxQueuedBytes: 300_000 })
    const waiting: Buffer[] = []
    let isFull = true
    vi.spyOn(Socket.prototype, 'send').mockImplementation(((slab: Buffer, offset: number, length: number) => {
      waiting.push(slab.subarray(offset, offset + length))
    }) as Socket['send'])
    vi.spyOn(Socket.prototype, 'getSendQueueCount').mockImplementation(() => (isFull ? waiting.length : 0))
    vi.spyOn(Socket.prototype, 'getSendQueueSize').mockImplementation(() => waiting.length * 60_000)
    const bytes = Buffer.alloc(60_000)
    for (let i = 0; i < 100; i++) listener.send(bytes.fill(i), 0, bytes.length, 5060, '127.0.0.1')
    expect(waiting.every((datagram, i) => datagram.every((byte) => byte === i))).toBe(true)
    expect(waiting.length).toBeLessThanOrEqual(300_000 / 60_000 + 4)
    expect(listener.counters).toMatchObject({ sent: waiting.length, dropped: 100 - waiting.length })
    isFull = false
    waiting.length = 0
    for (let i = 0; i < 3; i++) listener.send(bytes, 0, 100, 5060, '127.0.0.1')
    expect(new Set(waiting.slice(1).map((datagram) => datagram.byteOffset)).size).toBe(1)
  })

  it('counts and tells what the socket reports', async () => {
    const errors: Error[] = []
    const listener = await createUdpListener({
      address: '127.0.0.1',
      port: 0,
      sink: { onDatagram: () => {} },
      onError: (error) => errors.push(error),
    })
    opened.push(listener)
    vi.spyOn(Socket.prototype, 'send').mockImplementation(() => {
      throw new Error('EBADF')
    })
    listener.send(Buffer.from('x'), 0, 1, 5060, '127.0.0.1')
    expect(listener.counters).toMatchObject({ errors: 1, sent: 0 })
    expect(errors).toMatchObject([{ message: 'EBADF' }])
  })
})
