// SPDX-License-Identifier: MIT
//
// TLS handshakes of one edge, and what they do to those who talk already.
//
//   npm run build && node bench/handshakes.mjs [--seconds 5] [--rate 100] [--parallel 16] [--storm 64] [--capacity 1]
//
// First, for ECDSA P-256 and RSA 2048, TLS 1.3 and 1.2, full and resumed: handshakes a second with the cap out of the way, and the CPU
// time that the edge spends on each. Then calls over TLS and UDP at `rate` a second each, without and with a storm of full handshakes
// at the cap that the configuration has by default and without any: the time from INVITE to its 200. One JSON line each.
// `--capacity 0` leaves the first part out; `parallel` and `storm` are handshakes at once. The storm comes from a process of its own. Ends with 1 where a call has failed.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { CallLoad } from './support/call-load.mjs'
import { flags, median, percentile, printLine, rounded } from './support/numbers.mjs'
import { Phone } from './support/phones.mjs'
import { makeCertificate, startTandem, temporaryFolder } from './support/tandem.mjs'

const STORM = new URL('./support/handshake-storm.mjs', import.meta.url)
const NO_CAP = 1_000_000

const options = flags({ seconds: 5, rate: 100, parallel: 16, storm: 64, capacity: 1, 'base-port': 26_000 })
const port = options['base-port'] + 1
const folder = temporaryFolder()

/** An edge in one process. @param cap of handshakes a second; 0 for that of the configuration */
function startEdge(certificate, cap) {
  const { certFile, keyFile } = certificate
  const limits = { maxConnectionsPerAddress: 50_000, ...(cap === 0 ? {} : { handshakesPerSecond: cap }) }
  const users = ['tlsCaller', 'tlsCallee', 'udpCaller', 'udpCallee']
  const edge = { tls: { certificates: [{ certFile, keyFile }] }, limits }
  return startTandem({ folder, basePort: options['base-port'], users, edge })
}

async function storm(plan) {
  const child = fork(STORM, [JSON.stringify({ port, seconds: options.seconds, ...plan })])
  const [result] = await once(child, 'message')
  child.disconnect()
  return result
}

async function capacity(key) {
  const certificate = makeCertificate(folder, key)
  const proxy = await startEdge(certificate, NO_CAP)
  try {
    for (const version of ['TLSv1.3', 'TLSv1.2']) {
      for (const resumed of [false, true]) {
        const plan = { ca: certificate.ca, version, resumed, parallel: options.parallel }
        const before = proxy.spent()
        const { done, failed, reused } = await storm(plan)
        const after = proxy.spent()
        const cpuMs = after.userMs + after.systemMs - before.userMs - before.systemMs
        const perSecond = Math.round(done / options.seconds)
        printLine({ key, version, resumed, perSecond, cpuUsEach: Math.round((cpuMs * 1_000) / done), reused, failed })
      }
    }
  } finally {
    await proxy.stop()
  }
}

async function openPair(transport, tls) {
  const at = transport === 'tls' ? port : options['base-port']
  const open = (kind) => Phone.open({ user: `${transport}${kind}`, transport, port: at, tls })
  const pair = [await open('Caller'), await open('Callee')]
  for (const phone of pair) await phone.register()
  return pair
}

const timesOf = (load) => ({
  p50Ms: rounded(median(load.answerMs), 1),
  p99Ms: rounded(percentile(load.answerMs, 0.99), 1),
  failed: load.failed,
})

/** Calls over both transports at once; the storm begins a moment before them. */
async function latency(name, cap, hasStorm) {
  const certificate = makeCertificate(folder)
  const { ca } = certificate
  const proxy = await startEdge(certificate, cap)
  try {
    const pairs = [await openPair('tls', { ca, servername: 'localhost' }), await openPair('udp')]
    const calls = options.rate * options.seconds
    const run = () =>
      Promise.all(
        pairs.map(async ([caller, callee]) => {
          const load = new CallLoad([caller], [callee])
          await load.run(calls, options.rate)
          return load
        }),
      )
    await run() // not counted
    const seconds = options.seconds + 1
    const plan = { ca, version: 'TLSv1.3', resumed: false, parallel: options.storm, seconds }
    const storming = hasStorm ? storm(plan) : Promise.resolve({ done: 0 })
    const [tls, udp] = await run()
    const { done } = await storming
    printLine({ run: name, handshakesPerSecond: Math.round(done / seconds), tls: timesOf(tls), udp: timesOf(udp) })
    return tls.failed + udp.failed
  } finally {
    await proxy.stop()
  }
}

if (options.capacity > 0) for (const key of ['ecdsa', 'rsa']) await capacity(key)
let failed = await latency('no storm', 0, false)
failed += await latency('storm at the cap', 0, true)
failed += await latency('storm without a cap', NO_CAP, true)
process.exit(failed === 0 ? 0 : 1)
