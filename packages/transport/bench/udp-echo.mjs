// SPDX-License-Identifier: MIT
// CPU time per datagram of a process that echoes 600 bytes: the native addon against node:dgram, in turn, in one run. The load comes from this
// process, paced by the millisecond (so 10,000 a second arrive ten at a time), and at full speed with 256 on the way. Medians of the rounds.
//   npm run build && node packages/transport/bench/udp-echo.mjs [--rounds 5] [--seconds 3]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createUdpListener } from '@tandem/transport'

const HOST = '127.0.0.1'
const BYTES = 600
const ON_THE_WAY = 256
const RATES = [1_000, 10_000, Infinity]

if (process.send === undefined) await main()
else await echo(process.argv[2])

async function echo(batch) {
  const sink = {
    onDatagram: (buf, start, end, address, port, listener) => listener.send(buf, start, end, port, address),
  }
  const listener = await createUdpListener({ address: HOST, port: 0, sink, batch, recvBufferBytes: 4 << 20 })
  let before
  process.on('message', (message) => {
    if (message === 'begin') before = { cpu: process.cpuUsage(), ...listener.counters }
    else process.send(spentSince(before, listener.counters))
  })
  process.send({ port: listener.port })
}

function spentSince(before, now) {
  const { user, system } = process.cpuUsage(before.cpu)
  const count = now.received - before.received
  return { count, user: user / count, system: system / count, batches: now.batches - before.batches }
}

async function main() {
  const flag = (name, otherwise) => Number(process.argv[process.argv.indexOf(name) + 1] || otherwise)
  const rounds = process.argv.includes('--rounds') ? flag('--rounds', 5) : 5
  const seconds = process.argv.includes('--seconds') ? flag('--seconds', 3) : 3
  for (const rate of RATES) {
    const results = { require: [], off: [] }
    for (let round = 0; round < rounds; round++)
      for (const batch of ['require', 'off']) results[batch].push(await run(batch, rate, seconds))
    report(rate, results)
  }
}

/** One echo process: half a second to get warm, then the measurement. */
async function run(batch, rate, seconds) {
  const child = fork(new URL(import.meta.url), [batch])
  const [{ port }] = await once(child, 'message')
  const load = await createLoad(port, rate)
  await load.run(500)
  child.send('begin')
  await load.run(seconds * 1_000)
  child.send('end')
  const [spent] = await once(child, 'message')
  await load.close()
  child.kill()
  await once(child, 'exit')
  return spent
}

async function createLoad(port, rate) {
  const bytes = Buffer.alloc(BYTES, 'x')
  let [sent, received, isRunning] = [0, 0, false]
  const say = (listener, count) => {
    for (let k = 0; k < count; k++) listener.send(bytes, 0, BYTES, port, HOST)
    sent += count
  }
  const sink = {
    onDatagram: (_buf, _start, _end, _address, _port, listener) => {
      received++
      if (rate === Infinity && isRunning) say(listener, 1)
    },
  }
  const listener = await createUdpListener({ address: HOST, port: 0, sink, recvBufferBytes: 4 << 20 })
  const run = async (ms) => {
    isRunning = true
    const [began, sentBefore] = [performance.now(), sent]
    if (rate === Infinity) say(listener, ON_THE_WAY)
    for (let now = began; now < began + ms; now = performance.now()) {
      if (rate !== Infinity) say(listener, Math.floor(((now - began) * rate) / 1_000) - (sent - sentBefore))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    isRunning = false
    const until = performance.now() + 200
    while (received < sent && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { run, close: () => listener.close() }
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1]
}

function report(rate, { require: batch, off: dgram }) {
  const cost = (list) => median(list.map(({ user, system }) => user + system))
  const line = (name, list) => {
    const { count, batches } = list[0]
    const parts = [median(list.map(({ user }) => user)), median(list.map(({ system }) => system))]
    const each = batches ? `, ${(count / batches).toFixed(1)} a batch` : ''
    console.log(
      `  ${name.padEnd(6)} ${cost(list).toFixed(2)} µs (user ${parts[0].toFixed(2)}, system ${parts[1].toFixed(2)}${each}), ${count} datagrams`,
    )
  }
  console.log(
    `${rate === Infinity ? 'full speed' : `${rate} a second`}: ratio ${(cost(batch) / cost(dgram)).toFixed(2)}`,
  )
  line('batch', batch)
  line('dgram', dgram)
}
