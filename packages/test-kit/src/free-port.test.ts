// SPDX-License-Identifier: MIT
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
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

it('gives no port that the kernel would give to a socket that asks for none, and none of another process', async () => {
  const script = `import { freePorts } from '@tandem/test-kit'; console.log((await freePorts(3)).join(' '))`
  const args = ['--conditions=@tandem/source', '--input-type=module', '-e', script]
  const runs = await Promise.all(
    [1, 2].map(() => promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname })),
  )
  const ports = [...runs.flatMap(({ stdout }) => stdout.trim().split(' ').map(Number)), ...(await freePorts(3))]
  expect(new Set(ports).size).toBe(9)
  expect(Math.max(...ports)).toBeLessThan(32_768)
  expect(new Set(ports.map((port) => Math.floor(port / 256))).size).toBe(3)
})

it('says when a range is longer than a block', async () => {
  await expect(freePortRange(4, 100)).rejects.toThrow('301 ports in a row')
})
