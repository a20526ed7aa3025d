// SPDX-License-Identifier: MIT
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePort, freePortRange, freePorts } from './free-port.ts'

it('gives ports that UDP and TCP can have', async () => {
  const port = await freePort()
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  await once(socket, 'listening')
  server.close()
  socket.close()
})

it('gives each port once', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
})

it('gives ranges with a stride', async () => {
  const base = await freePortRange(2, 100)
  expect(base + 100).toBeLessThan(65_536)
  expect(await freePorts(5)).not.toContain(base)
})
