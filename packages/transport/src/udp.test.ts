// SPDX-License-Identifier: MIT
// The contract of UDP listeners, on real sockets on loopback, held by node:dgram and by the native addon; and the choice between the two.
// Not tested here: what only one of them does (udp-dgram.test.ts, udp-batch.test.ts).
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { UdpListener } from './types.ts'
import { createUdpListener, type UdpOptions } from './udp.ts'
import { addonOrReason, openListener, turn } from './udp-testing.ts'

const found = addonOrReason()
const opened: UdpListener[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(opened.splice(0).map((listener) => listener.close()))
})

async function open(given: Partial<UdpOptions> = {}, onDatagram?: UdpOptions['sink']['onDatagram']) {
  const one = await openListener(given, onDatagram)
  opened.push(one.listener)
  return one
}

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const

describe.each([
  ['off', 0],
  ['require', 0],
  ['require', 4],
] as const)('a UDP listener, batch: %s, gatherMs: %i', (batch, gatherMs) => {
  beforeEach((context) => {
    if (batch === 'require' && typeof found === 'string') context.skip(`the UDP addon: ${found}`)
  })
  const pair = async (given: Partial<UdpOptions> = {}) =>
    [await open({ batch, gatherMs, ...given }), await open({ batch, gatherMs, ...given })] as const

  it.each(['127.0.0.1', '::1'])(
    'sends and receives on %s with the true source [RFC3581-3bc] [RFC3261-18.1.1l]',
    async (address) => {
      const [a, b] = await pair({ address })
      const bytes = Buffer.from('..OPTIONS..')
      a.listener.send(bytes, 2, 9, b.listener.port, address)
      await b.waitFor(1)
      expect(b.seen).toEqual([{ text: 'OPTIONS', address, port: a.listener.port }])
      await turn()
      expect(a.listener.counters).toMatchObject({ sent: 1, sentBytes: 7, errors: 0, dropped: 0 })
      expect(b.listener.counters).toMatchObject({ received: 1, receivedBytes: 7 })
      expect(b.listener).toMatchObject({ address, family: address.includes(':') ? 6 : 4, transport: 'udp' })
      expect(b.listener.implementation).toBe(batch === 'off' ? 'dgram' : 'batch')
    },
  )

  it('lets the caller reuse its bytes after each of many sends in one turn', async () => {
    const [a, b] = await pair()
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

  it('sends what was written in a timer, a microtask and a callback, without flush()', async () => {
    const [a, b] = await pair()
    const say = (text: string): void => a.listener.send(Buffer.from(text), 0, text.length, b.listener.port, '127.0.0.1')
    setTimeout(() => say('timer'), 1)
    setImmediate(() => say('immediate'))
    queueMicrotask(() => say('microtask'))
    process.nextTick(() => say('tick'))
    await b.waitFor(4)
    expect(b.seen.map((datagram) => datagram.text).sort()).toEqual(['immediate', 'microtask', 'tick', 'timer'])
  })

  it('answers out of the callback, at once and from a microtask', async () => {
    const echo = await open({ batch, gatherMs }, (buf, start, end, address, port, listener) => {
      listener.send(buf, start, end, port, address)
      queueMicrotask(() => listener.send(Buffer.from('later'), 0, 5, port, address))
    })
    const client = await open({ batch, gatherMs })
    for (let i = 0; i < 50; i++) client.listener.send(Buffer.from('now'), 0, 3, echo.listener.port, '127.0.0.1')
    await client.waitFor(100)
    expect(client.seen.filter(({ text }) => text === 'now')).toHaveLength(50)
  })

  it('delivers the largest datagram, and drops a larger one, counted [RFC3261-18.1.1c]', async () => {
    const [a, b] = await pair()
    const bytes = Buffer.alloc(70_000, 'x')
    a.listener.send(bytes, 0, 65_508, b.listener.port, '127.0.0.1')
    a.listener.send(bytes, 0, 65_507, b.listener.port, '127.0.0.1')
    await b.waitFor(1)
    await turn()
    expect(b.seen[0]?.text.length).toBe(65_507)
    expect(a.listener.counters).toMatchObject({ dropped: 1, sent: 1 })
  })

  it('delivers an empty datagram', async () => {
    const [a, b] = await pair()
    a.listener.send(Buffer.alloc(0), 0, 0, b.listener.port, '127.0.0.1')
    await b.waitFor(1)
    expect(b.seen).toEqual([{ text: '', address: '127.0.0.1', port: a.listener.port }])
  })

  it.each([0, -1, 65_536])('drops a datagram to port %i, counted', async (port) => {
    const { listener } = await open({ batch, gatherMs })
    listener.send(Buffer.from('x'), 0, 1, port, '127.0.0.1')
    expect(listener.counters).toMatchObject({ dropped: 1, sent: 0 })
  })

  it.each([
    ['a name', 'localhost', 4],
    ['no text', '', 4],
    ['a number out of range', '127.0.0.256', 4],
    ['a shorter form', '127.1', 4],
    ['a NUL behind it', '127.0.0.1\0', 4],
    ['a long text', '1'.repeat(10_000), 4],
    ['brackets', '[::1]', 6],
    ['the other family', '::1', 4],
    ['the other family', '127.0.0.1', 6],
    ['a zone that is none', '::1%', 6],
  ] as const)('drops a datagram to %s, counted: %j on IPv%i', async (_name, address, family) => {
    const { listener } = await open({ batch, gatherMs, address: LOOPBACK[family] })
    for (let k = 0; k < 2; k++) listener.send(Buffer.from('x'), 0, 1, 5060, address)
    expect(listener.counters).toMatchObject({ dropped: 2, sent: 0 })
  })

  it.each([
    [-1, 1],
    [0, 2],
    [1, 0],
  ])('drops bytes %i to %i of one byte, counted: nothing else of its memory leaves', async (start, end) => {
    const { listener } = await open({ batch, gatherMs })
    listener.send(Buffer.from('x'), start, end, 5060, '127.0.0.1')
    expect(listener.counters).toMatchObject({ dropped: 1, sent: 0 })
  })

  it('takes a burst of 10,000 datagrams, each once and whole', async () => {
    const [a, b] = await pair({ recvBufferBytes: 4 << 20 })
    const bytes = Buffer.alloc(600, '.')
    for (let sent = 0; sent < 10_000; ) {
      for (let k = 0; k < 500; k++) {
        bytes.write(String(sent++).padStart(8, '0'))
        a.listener.send(bytes, 0, 600, b.listener.port, '127.0.0.1')
      }
      await b.waitFor(sent)
    }
    expect(b.seen.every(({ text }, i) => text.length === 600 && Number(text.slice(0, 8)) === i)).toBe(true)
    expect(b.listener.counters).toMatchObject({ received: 10_000, errors: 0 })
  })

  it('delivers nothing after close() within a callback, and closes twice', async () => {
    const closing = await open(
      { batch, gatherMs },
      (_buf, _start, _end, _address, _port, listener) => void listener.close(),
    )
    const other = await open({ batch, gatherMs })
    const { port } = closing.listener
    for (let i = 0; i < 20; i++) other.listener.send(Buffer.from('x'), 0, 1, port, '127.0.0.1')
    await closing.waitFor(1)
    for (let i = 0; i < 5; i++) await turn()
    expect(closing.seen).toHaveLength(1)
    await closing.listener.close()
    closing.listener.send(Buffer.from('x'), 0, 1, port, '127.0.0.1')
    closing.listener.flush()
    expect(closing.listener.counters).toMatchObject({ sent: 0, dropped: 1 })
    const again = await open({ batch, gatherMs, port })
    expect(again.listener.port).toBe(port)
  })

  it('sends what was written before close()', async () => {
    const [a, b] = await pair()
    a.listener.send(Buffer.from('bye'), 0, 3, b.listener.port, '127.0.0.1')
    await a.listener.close()
    await b.waitFor(1)
    expect(b.seen[0]?.text).toBe('bye')
  })

  it('loses only the datagram whose sink throws; the exception is uncaught, as it should be', async () => {
    const caught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => caught.push(error))
    try {
      const a = await open({ batch, gatherMs })
      const b = await open({ batch, gatherMs }, (buf, start) => {
        if (buf[start] === 0x62) throw new Error('bug')
      })
      for (const text of ['a', 'b', 'c']) a.listener.send(Buffer.from(text), 0, 1, b.listener.port, '127.0.0.1')
      await b.waitFor(3)
      await turn()
      expect(b.seen.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
      expect(caught).toMatchObject([{ message: 'bug' }])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
  })

  it('overwrites what a sink keeps, where it is told to', async () => {
    const kept: [Buffer, number, number][] = []
    const b = await open({ batch, gatherMs, poison: true }, (buf, start, end) => kept.push([buf, start, end]))
    const a = await open({ batch, gatherMs })
    a.listener.send(Buffer.from('secret'), 0, 6, b.listener.port, '127.0.0.1')
    await b.waitFor(1)
    await turn()
    const [[buf, start, end] = [Buffer.alloc(0), 0, 0]] = kept
    expect(buf.subarray(start, end)).toEqual(Buffer.alloc(6, 0xa5))
  })

  it('names address, port and setting where the port is taken', async () => {
    const { listener } = await open({ batch, gatherMs })
    await expect(open({ batch, gatherMs, port: listener.port })).rejects.toMatchObject({
      code: 'portTaken',
      message: `UDP 127.0.0.1 port ${listener.port} is taken by another process; free it or change --base-port.`,
    })
  })

  it('names the address where the machine does not have it', async () => {
    await expect(open({ batch, gatherMs, address: '192.0.2.1' })).rejects.toMatchObject({
      code: 'addressNotLocal',
      message: expect.stringContaining('192.0.2.1'),
    })
  })

  it('shares a port where asked to', async () => {
    const first = await open({ batch, gatherMs, reusePort: true })
    const second = await open({ batch, gatherMs, reusePort: true, port: first.listener.port })
    expect(second.listener.port).toBe(first.listener.port)
  })

  it('listens for IPv6 alone on the IPv6 wildcard', async () => {
    const first = await open({ batch, gatherMs, address: '::' })
    const second = await open({ batch, gatherMs, address: '0.0.0.0', port: first.listener.port })
    expect([first.listener.family, second.listener.family]).toEqual([6, 4])
  })
})

describe('createUdpListener', () => {
  const missing = () => ({ addon: undefined, reason: 'it was not built' }) as const
  const options = { address: '127.0.0.1', port: 0, sink: { onDatagram: () => {} } }

  it('falls back to node:dgram without the addon, and says why once', async () => {
    const onFallback = vi.fn()
    const listener = await createUdpListener({ ...options, onFallback }, missing)
    opened.push(listener)
    expect(listener.implementation).toBe('dgram')
    expect(onFallback.mock.calls).toEqual([['it was not built']])
  })

  it('refuses to open without the addon where it is required', async () => {
    await expect(createUdpListener({ ...options, batch: 'require' }, missing)).rejects.toMatchObject({
      code: 'udpBatchUnavailable',
      message: 'The UDP addon is required and not there: it was not built.',
    })
  })

  it('does not look for the addon where it is off', async () => {
    const load = vi.fn(missing)
    opened.push(await createUdpListener({ ...options, batch: 'off' }, load))
    expect(load).not.toHaveBeenCalled()
  })
})
