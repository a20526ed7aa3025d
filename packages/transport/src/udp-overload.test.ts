// SPDX-License-Identifier: MIT
//
// What the addon says and does under overload: how long datagrams have waited in the kernel, and the share of REGISTERs that the kernel
// drops. On loopback, where a send has arrived when it returns.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { createUdpListener } from './index.ts'
import type { UdpListener } from './types.ts'
import { addonOrReason } from './udp-testing.ts'

const found = addonOrReason()
if (typeof found === 'string') console.warn(`UDP under overload is not tested: ${found}`)
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Bench {
  readonly listener: UdpListener
  readonly seen: string[]
  readonly waits: number[]
  /** Sends so many, and waits until none comes any more. */
  send(text: string, count: number, blockMs?: number): Promise<void>
}

async function open(): Promise<Bench> {
  const seen: string[] = []
  const waits: number[] = []
  const sink = {
    onDatagram: (buf: Buffer, start: number, end: number, _address: string, _port: number, listener: UdpListener) => {
      seen.push(buf.latin1Slice(start, end))
      waits.push(listener.queueMs ?? 0)
    },
  }
  const listener = await createUdpListener({ address: '127.0.0.1', port: 0, setting: 'test', sink, batch: 'require' })
  cleanups.push(() => listener.close())
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  cleanups.push(() => socket.close())
  const send = async (text: string, count: number, blockMs = 0): Promise<void> => {
    await sendAll(socket, text, count, listener.port)
    if (blockMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
    for (let before = -1; before !== seen.length; await new Promise((resolve) => setTimeout(resolve, 30)))
      before = seen.length
  }
  return { listener, seen, waits, send }
}

function sendAll(socket: Socket, text: string, count: number, port: number): Promise<unknown> {
  const sends = Array.from({ length: count }, () => {
    return new Promise<void>((resolve) => socket.send(text, port, '127.0.0.1', () => resolve()))
  })
  return Promise.all(sends)
}

describe.skipIf(typeof found === 'string')('UDP under overload', () => {
  test('a share of the REGISTERs is dropped unread, nothing else is, and none once it is 0 again', async () => {
    const { listener, seen, send } = await open()
    listener.shedRegisters?.(0.75)
    await send('REGISTER sip:a SIP/2.0\r\n', 400)
    expect(seen.length).toBeGreaterThan(50)
    expect(seen.length).toBeLessThan(170)
    seen.length = 0
    await send('INVITE sip:a SIP/2.0\r\n', 100)
    await send('\r\n', 50)
    expect(seen.length).toBe(150)
    seen.length = 0
    listener.shedRegisters?.(0)
    await send('REGISTER sip:a SIP/2.0\r\n', 100)
    expect(seen.length).toBe(100)
  })

  test('while batches come full it is known how long the first datagram of one had waited', async () => {
    const { waits, send } = await open()
    await send('x', 200)
    expect(Math.max(...waits)).toBeLessThan(60)
    await send('x', 200, 120)
    expect(Math.max(...waits)).toBeGreaterThan(60)
    expect(Math.max(...waits)).toBeLessThan(5_000)
  })
})
