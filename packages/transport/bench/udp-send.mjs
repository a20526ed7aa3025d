// SPDX-License-Identifier: MIT
// What one UDP datagram of 600 bytes costs in CPU time of this process, by the form of the call, on loopback. The receiver of the sends and the
// sender of the receives is a process of its own. Best of several interleaved rounds. Usage: node udp-send.mjs [rounds]
import { fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const BYTES = 600
const SENDS = 60_000
const PER_TURN = 32
const RECEIVE_MS = 3_000

async function bound(options = {}) {
  const socket = createSocket({ type: 'udp4', ...options })
  // With a synchronous lookup the socket is bound before bind() returns.
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return socket
}

if (process.send !== undefined) await peer()
else await measure(Number(process.argv[2] ?? 5))

/** Holds a socket that nobody reads (its buffer overflows, which costs the sender nothing), and sends bursts when told a port. */
async function peer() {
  const socket = await bound({ recvBufferSize: 4_096 })
  process.send({ port: socket.address().port })
  process.on('message', ({ port }) => {
    const bytes = Buffer.alloc(BYTES)
    const end = performance.now() + RECEIVE_MS
    const burst = () => {
      for (let i = 0; i < 50; i++) socket.send(bytes, port, '127.0.0.1')
      if (performance.now() < end) setTimeout(burst, 4)
      else setTimeout(() => process.send({ done: true }), 100)
    }
    burst()
  })
}

async function measure(rounds) {
  const child = fork(new URL(import.meta.url), [])
  const [{ port }] = await once(child, 'message')
  const forms = await formsTo(port)
  const best = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const [name, send] of forms) best.set(name, Math.min(best.get(name) ?? Infinity, await cpuPerSend(send)))
  }
  for (const [name, micros] of best) console.log(`${name.padEnd(60)} ${micros.toFixed(2)} µs`)
  console.log(`${'receive, on(message)'.padEnd(60)} ${(await cpuPerReceive(child)).toFixed(2)} µs`)
  child.kill()
  process.exit()
}

async function formsTo(port) {
  const lookup = (host, options, callback) => (callback ?? options)(null, host, 4)
  const [plain, direct, connected] = [await bound(), await bound({ lookup }), await bound()]
  connected.connect(port, '127.0.0.1')
  await once(connected, 'connect')
  const from = Buffer.alloc(65_536)
  const slab = Buffer.allocUnsafeSlow(65_536)
  const ignore = () => {}
  return new Map([
    ['send(buf, offset, length, port, address), default lookup', () => plain.send(from, 0, BYTES, port, '127.0.0.1')],
    ['the same, synchronous lookup', () => direct.send(from, 0, BYTES, port, '127.0.0.1')],
    ['the same, [view]', () => direct.send([from.subarray(0, BYTES)], port, '127.0.0.1')],
    ['the same, a shared callback', () => direct.send(from, 0, BYTES, port, '127.0.0.1', ignore)],
    [
      'the same, copied to a slab, queue looked at (what udp.ts does)',
      () => {
        from.copy(slab, 0, 0, BYTES)
        direct.send(slab, 0, BYTES, port, '127.0.0.1')
        return direct.getSendQueueCount()
      },
    ],
    ['connect()ed socket', () => connected.send(from, 0, BYTES)],
  ])
}

async function cpuPerSend(send) {
  const before = process.cpuUsage()
  for (let i = 0; i < SENDS; i++) {
    send()
    if (i % PER_TURN === PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / SENDS
}

async function cpuPerReceive(child) {
  const socket = await bound({ recvBufferSize: 4 << 20 })
  let count = 0
  socket.on('message', () => count++)
  const before = process.cpuUsage()
  child.send({ port: socket.address().port })
  await once(child, 'message')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}
