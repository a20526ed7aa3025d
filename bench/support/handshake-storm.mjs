// SPDX-License-Identifier: MIT
//
// A process that shakes hands over TLS again and again, some at once, for a time; each connection ends when it has. Driven by its parent.
import { connect } from 'node:tls'

const plan = JSON.parse(process.argv[2])
const { port, version, resumed, parallel, seconds, ca } = plan
const tls = { host: '127.0.0.1', port, ca, servername: 'localhost', minVersion: version, maxVersion: version }
const result = { done: 0, failed: 0, reused: 0 }
let session

/** Resolves with the session's ticket where one was waited for. */
function shakeHands(wantsTicket) {
  return new Promise((resolve) => {
    const socket = connect({ ...tls, ...(session === undefined ? {} : { session }) })
    const end = (ticket) => {
      socket.destroy()
      resolve(ticket)
    }
    socket.once('error', () => {
      result.failed++
      end()
    })
    if (wantsTicket) socket.once('session', end)
    socket.once('secureConnect', () => {
      result.done++
      if (socket.isSessionReused()) result.reused++
      if (!wantsTicket) end()
    })
  })
}

async function worker(until) {
  while (performance.now() < until && process.connected) await shakeHands(false)
}

process.on('disconnect', () => process.exit())
if (resumed) {
  session = await shakeHands(true)
  result.done = 0
}
const until = performance.now() + seconds * 1_000
await Promise.all(Array.from({ length: parallel }, () => worker(until)))
process.send(result)
