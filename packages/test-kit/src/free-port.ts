// SPDX-License-Identifier: MIT
// Ports that were free a moment ago. A port is not reserved: a race with another process stays possible, so that users of it start
// again with another one where they can. Each port is handed out once a process.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const handedOut = new Set<number>()
const ATTEMPTS = 100

/** A port free for both UDP and TCP on the address. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = await udpPort(address)
    if (!handedOut.has(port) && (await isTcpFree(address, port))) {
      handedOut.add(port)
      return port
    }
  }
  throw new Error(`freePort: none found on ${address} in ${ATTEMPTS} attempts`)
}

export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort(address))
  return ports
}

/** The first of count consecutive ports that are all free, stride apart. */
export async function freePortRange(count: number, stride = 1, address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const base = await freePort(address)
    if (await isRangeFree(base, count, stride, address)) return base
  }
  throw new Error(`freePortRange: no ${count} ports found on ${address} in ${ATTEMPTS} attempts`)
}

async function isRangeFree(base: number, count: number, stride: number, address: string): Promise<boolean> {
  for (let i = 1; i < count; i++) {
    const port = base + i * stride
    if (port > 65_535 || handedOut.has(port)) return false
    if (!(await isTcpFree(address, port)) || !(await isUdpFree(address, port))) return false
  }
  for (let i = 1; i < count; i++) handedOut.add(base + i * stride)
  return true
}

async function udpPort(address: string): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return port
}

function isUdpFree(address: string, port: number): Promise<boolean> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind(port, address, () => socket.close(() => resolve(true)))
  })
}

function isTcpFree(address: string, port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, address, () => server.close(() => resolve(true)))
  })
}
