// SPDX-License-Identifier: MIT
//
// The wire of a checking phone: one UDP socket, or one TCP connection to the server. Text goes in and out as latin1.
// Bound: a stream that sends 64 KiB without a whole message is cut.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { splitStream } from './sip-text.ts'

export type Transport = 'udp' | 'tcp'

export interface Line {
  readonly transport: Transport
  /** Where the other side can send to: host:port, brackets around IPv6. */
  readonly place: string
  /** Set before the first send. */
  onMessage: (text: string, reply: (text: string) => void) => void
  send(text: string): void
  close(): void
}

export interface Server {
  readonly address: string
  readonly family: 4 | 6
  readonly port: number
}

const MAX_WAITING = 65_536
const placeOf = ({ address, port }: AddressInfo): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

export function openLine(transport: Transport, server: Server): Promise<Line> {
  return transport === 'udp' ? openUdp(server) : openTcp(server)
}

/** The address of this machine that packets to the server leave from. */
async function ownAddress({ address, family, port }: Server): Promise<string> {
  const probe = createSocket(family === 6 ? 'udp6' : 'udp4')
  probe.connect(port, address)
  await once(probe, 'connect')
  const own = probe.address().address
  probe.close()
  return own
}

async function openUdp(server: Server): Promise<Line> {
  const own = await ownAddress(server)
  const socket = createSocket(server.family === 6 ? 'udp6' : 'udp4')
  socket.bind(0, own)
  await once(socket, 'listening')
  const send = (text: string, port = server.port, address = server.address): void =>
    socket.send(Buffer.from(text, 'latin1'), port, address)
  const line: Line = {
    transport: 'udp',
    place: placeOf(socket.address()),
    onMessage: () => undefined,
    send: (text) => send(text),
    close: () => socket.close(),
  }
  // A packet that found nobody is told by silence: requests have their time.
  socket.on('error', () => undefined)
  socket.on('message', (bytes, { address, port }) => {
    const text = bytes.toString('latin1')
    if (text.trim() !== '') line.onMessage(text, (answer) => send(answer, port, address))
  })
  return line
}

async function openTcp({ address, port }: Server): Promise<Line> {
  const socket = connect({ host: address, port })
  await once(socket, 'connect')
  const send = (text: string): void => void socket.write(Buffer.from(text, 'latin1'))
  const line: Line = {
    transport: 'tcp',
    place: placeOf(socket.address() as AddressInfo),
    onMessage: () => undefined,
    send,
    close: () => socket.destroy(),
  }
  let waiting = ''
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    const { messages, rest } = splitStream(waiting + bytes.toString('latin1'))
    waiting = rest
    if (rest.length > MAX_WAITING) socket.destroy()
    for (const message of messages) line.onMessage(message, send)
  })
  return line
}
