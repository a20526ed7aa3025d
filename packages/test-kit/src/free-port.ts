// SPDX-License-Identifier: MIT
// Ports for tests that nobody else takes. A process claims whole blocks of ports below those the kernel gives to sockets that ask for
// none (32768 and up on Linux): it listens on the first port of the block, the guard, for as long as it lives, so that test processes
// beside it choose other blocks and the kernel forgets the claim with the process. Each port is handed out once a process, after a look
// whether it is free. What remains: a program that is no test and takes a port of ours between the look and the use.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const FIRST = 10_240
const END = 32_768
const BLOCK = 256
const BLOCKS = (END - FIRST) / BLOCK

/** The block that is being handed out: its next port, and its end. */
let next = 0
let end = 0
let claiming: Promise<void> | undefined

/** A port free for both UDP and TCP on the address. */
export function freePort(address = '127.0.0.1'): Promise<number> {
  return freePortRange(1, 1, address)
}

export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort(address))
  return ports
}

/**
 * The first of `count` ports that are all free, `stride` apart. The ports between them are not handed out to anybody.
 *
 * @throws when the range is longer than a block of 255 ports, or when no block is left
 */
export async function freePortRange(count: number, stride = 1, address = '127.0.0.1'): Promise<number> {
  const span = (count - 1) * stride + 1
  if (span >= BLOCK) throw new Error(`freePortRange: ${span} ports in a row are more than a block of ${BLOCK - 1}`)
  for (;;) {
    while (next + span > end) await claimBlock()
    const base = next
    next += span
    if (await isRangeFree(base, count, stride, address)) return base
  }
}

/** Several callers of one process wait for one claim. */
function claimBlock(): Promise<void> {
  claiming ??= claim().finally(() => {
    claiming = undefined
  })
  return claiming
}

async function claim(): Promise<void> {
  const start = Math.floor(Math.random() * BLOCKS)
  for (let i = 0; i < BLOCKS; i++) {
    const guard = FIRST + ((start + i) % BLOCKS) * BLOCK
    if (!(await isGuarded(guard))) continue
    next = guard + 1
    end = guard + BLOCK
    return
  }
  throw new Error(`freePort: all ${BLOCKS} blocks of ports from ${FIRST} to ${END} are claimed by other processes`)
}

/** Whether the guard is ours now; it is held until the process ends. */
function isGuarded(port: number): Promise<boolean> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.unref()
      resolve(true)
    })
  })
}

async function isRangeFree(base: number, count: number, stride: number, address: string): Promise<boolean> {
  for (let i = 0; i < count; i++) {
    const port = base + i * stride
    if (!(await isTcpFree(address, port)) || !(await isUdpFree(address, port))) return false
  }
  return true
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
