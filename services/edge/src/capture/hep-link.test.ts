// SPDX-License-Identifier: MIT
//
// The way to a HEP collector over UDP, TCP and TLS: what arrives, what is dropped while nobody is there, and that it goes on when he is back.
// Does not test: what is in a packet (capture.test.ts), what a collector makes of it (test/e2e/trace.test.ts).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createLogger } from '@tandem/service-kit'
import { afterEach, expect, it, vi } from 'vitest'
import { type HepLink, hepPlaceOf, openHepLink } from './hep-link.ts'

const lines: string[] = []
const logger = createLogger({ level: 'warn', service: 'test', sink: { write: (line) => void lines.push(line) } })
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
  lines.length = 0
})

const WAIT = { timeout: 15_000, interval: 20 }
const packet = Buffer.from('HEP3 packet')

function linkTo(port: number, transport: 'udp' | 'tcp' | 'tls', maxQueueBytes = 65_536): HepLink {
  const link = openHepLink({ host: '127.0.0.1', port, transport, maxQueueBytes, logger })
  closing.push(() => link.close())
  return link
}

interface Collector {
  readonly port: number
  readonly taken: Buffer[]
  close(): Promise<void>
}

async function collector(port = 0): Promise<Collector> {
  const taken: Buffer[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (data) => taken.push(data))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  closing.push(() => void close())
  return { port: (server.address() as AddressInfo).port, taken, close }
}

it('over UDP a packet is a datagram', async () => {
  const socket = createSocket('udp4')
  closing.push(() => socket.close())
  const taken: string[] = []
  socket.on('message', (data) => taken.push(data.toString()))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const link = linkTo(socket.address().port, 'udp')
  await vi.waitFor(() => expect(link.send(packet)).toBe(true), WAIT)
  await vi.waitFor(() => expect(taken).toEqual(['HEP3 packet']), WAIT)
})

it('over TCP packets follow each other; while the collector is away they are dropped, when he is back they go on', {
  timeout: 40_000,
}, async () => {
  const first = await collector()
  const link = linkTo(first.port, 'tcp')
  await vi.waitFor(() => expect(link.send(packet)).toBe(true), WAIT)
  link.send(packet)
  await vi.waitFor(() => expect(Buffer.concat(first.taken).toString()).toBe('HEP3 packetHEP3 packet'), WAIT)
  await first.close()
  await vi.waitFor(() => expect(link.send(packet)).toBe(false), WAIT)
  const second = await collector(first.port)
  await vi.waitFor(() => expect(link.send(packet)).toBe(true), WAIT)
  await vi.waitFor(() => expect(second.taken.length).toBeGreaterThan(0), WAIT)
  link.close()
  expect(link.send(packet)).toBe(false)
})

it('a collector who reads nothing costs no more than the queue', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pause()
    closing.push(() => socket.destroy())
  })
  closing.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const link = linkTo((server.address() as AddressInfo).port, 'tcp', 100_000)
  await vi.waitFor(() => expect(link.send(packet)).toBe(true), WAIT)
  const large = Buffer.alloc(50_000)
  let sent = 0
  while (sent < 10_000 && link.send(large)) sent += 1
  expect(sent).toBeLessThan(10_000)
})

it('a collector without TLS, or with a certificate that proves nothing, gets nothing; it is said once', async () => {
  const { port, taken } = await collector()
  const link = linkTo(port, 'tls')
  await vi.waitFor(() => expect(taken.length).toBeGreaterThan(0), WAIT)
  expect(link.send(packet)).toBe(false)
  expect(Buffer.concat(taken).includes('HEP3')).toBe(false)
})

it.each([
  ['homer.example.com:9060', 'homer.example.com', 9060],
  ['192.0.2.1:9061', '192.0.2.1', 9061],
  ['[2001:db8::1]:9060', '2001:db8::1', 9060],
])('%s is a place', (text, host, port) => {
  expect(hepPlaceOf(text)).toEqual({ host, port })
})
