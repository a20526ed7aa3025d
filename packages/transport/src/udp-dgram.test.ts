// SPDX-License-Identifier: MIT
// What only node:dgram does. The kernel's buffer never fills on loopback: that case is played with the socket's methods replaced.
import { Socket } from 'node:dgram'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { UdpListener } from './types.ts'
import { openDgramListener } from './udp-dgram.ts'
import type { UdpOptions } from './udp-options.ts'

const opened: UdpListener[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(opened.splice(0).map((listener) => listener.close()))
})

async function open(given: Partial<UdpOptions> = {}): Promise<UdpListener> {
  const listener = await openDgramListener({ address: '127.0.0.1', port: 0, sink: { onDatagram: () => {} }, ...given })
  opened.push(listener)
  return listener
}

describe('openDgramListener', () => {
  it('keeps the bytes of datagrams that wait for the kernel, up to the bound, and reuses its memory after', async () => {
    const listener = await open({ maxQueuedBytes: 300_000 })
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
    const listener = await open({ onError: (error) => errors.push(error) })
    vi.spyOn(Socket.prototype, 'send').mockImplementation(() => {
      throw new Error('EBADF')
    })
    listener.send(Buffer.from('x'), 0, 1, 5060, '127.0.0.1')
    expect(listener.counters).toMatchObject({ errors: 1, sent: 0 })
    expect(errors).toMatchObject([{ message: 'EBADF' }])
  })
})
