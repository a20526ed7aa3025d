// SPDX-License-Identifier: MIT
//
// The process ends when its work has ended, whatever a library still waits for. From sources, with a real peer that is silent:
// its kernel drops connection attempts, because the queue of those it has not accepted is full.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, vi } from 'vitest'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
/** Listens with a queue of one, and never takes anything from it. */
const SILENT = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

const children: ChildProcess[] = []
const sockets: Socket[] = []
const folder = mkdtempSync(join(tmpdir(), 'tandem-exit-'))

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const socket of sockets.splice(0)) socket.destroy()
  rmSync(folder, { recursive: true, force: true })
})

async function silentPort(): Promise<number> {
  const child = spawn(process.execPath, ['-e', SILENT], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  for (let k = 0; k < 4; k++) sockets.push(connect(Number(port), '127.0.0.1').on('error', () => undefined))
  await sleep(100)
  expect(sockets.some((socket) => socket.connecting)).toBe(true)
  return Number(port)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

function tandem(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--conditions=@tandem/source', '--no-warnings', MAIN, ...args], {
    env: { ...process.env, TANDEM_LOGGING_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

it('a stop is over when the service has stopped, though its peer is silent', async () => {
  const httpPort = await freePort()
  const records = tandem(['run', 'records'], {
    TANDEM_CLUSTER_SECRETS: '[{"id":1,"secret":"sixteen-characters"}]',
    TANDEM_POLICY_ADDRESS: `127.0.0.1:${await silentPort()}`,
    TANDEM_RECORDS_HTTP_PORT: String(httpPort),
    TANDEM_RECORDS_FILE: join(folder, 'cdr.ndjson'),
  })
  await vi.waitFor(() => fetch(`http://127.0.0.1:${httpPort}/healthz`), { timeout: 10_000, interval: 50 })
  const began = performance.now()
  records.kill('SIGTERM')
  const [status] = await once(records, 'exit')
  expect(status).toBe(0)
  expect(performance.now() - began).toBeLessThan(4_000)
})

it('writes all that it has to say before it ends, into a pipe too', async () => {
  const doctor = tandem(['doctor', '-o', 'json'], { TANDEM_EDGE_HTTP_PORT: '1' })
  const chunks: Buffer[] = []
  doctor.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(doctor, 'close')
  expect(JSON.parse(Buffer.concat(chunks).toString())).toContainEqual(expect.objectContaining({ check: 'node' }))
})
