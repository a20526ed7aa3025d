// SPDX-License-Identifier: MIT
//
// What the hop between edges adds: two edges as processes of their own, two phones registered over TCP, one at each; a third phone at
// edge 0 sends MESSAGEs to the one and to the other in turn, and takes the time to the 200 of the phone. The difference is one more edge, its
// internal listener and the way back.
//
//   npm run build && node bench/internal-hop.mjs [--messages 4000] [--rate 200] [--warm-up 6000] [--method MESSAGE]
//
// One JSON line: p50 and p99 in milliseconds on the same edge, over the other, and the differences. `addedP99Ms` is the difference of the p99s.
// The first `--warm-up` ones (6000) are not counted: three processes compile what they run. Ends with 1 where one was not answered.
import { setTimeout as sleep } from 'node:timers/promises'
import { flags, median, percentile, printLine, rounded } from './support/numbers.mjs'
import { header, message, Phone, response, token } from './support/phones.mjs'
import { startTandem, temporaryFolder } from './support/tandem.mjs'

const HOST = '127.0.0.1'
const ANSWER_MS = 5_000
const options = flags({ messages: 4_000, rate: 200, 'warm-up': 6_000, 'base-port': 26_000, method: 'MESSAGE' })

function answer(text, phone) {
  if (text.startsWith(`${options.method} `)) phone.send(response(text, '200 OK', { tag: 'callee' }))
}

/** Sends to the callees in turn, evenly; resolves with the milliseconds of each kind. */
async function exchange(caller, callees, count) {
  const times = callees.map(() => [])
  const open = new Map()
  caller.onMessage = (text) => {
    const callId = header(text, 'Call-ID')
    const sent = open.get(callId)
    if (sent === undefined || !text.startsWith('SIP/2.0 200')) return
    times[sent.kind].push(performance.now() - sent.at)
    open.delete(callId)
  }
  const began = performance.now()
  for (let k = 0; k < count; ) {
    for (const due = ((performance.now() - began) * options.rate) / 1_000; k < Math.min(count, due); k++) {
      const kind = k % callees.length
      const uri = `sip:${callees[kind].user}@${HOST}`
      const callId = token()
      const from = `From: <sip:${caller.user}@${HOST}>;tag=${callId}`
      const head = [caller.via, 'Max-Forwards: 70', from, `To: <${uri}>`, `Call-ID: ${callId}`]
      open.set(callId, { kind, at: performance.now() })
      const more = [`CSeq: 1 ${options.method}`, 'Content-Type: text/plain']
      caller.send(message(`${options.method} ${uri} SIP/2.0`, [...head, ...more], 'Watson, come here.'))
    }
    await sleep(1)
  }
  for (const until = performance.now() + ANSWER_MS; open.size > 0 && performance.now() < until; ) await sleep(10)
  return { times, unanswered: open.size }
}

const basePort = options['base-port']
const users = ['caller', 'near', 'far']
const edge = { count: 2 }
const cluster = await startTandem({ folder: temporaryFolder(), basePort, users, processes: 'many', edge })
try {
  const open = (user, index) => Phone.open({ user, transport: 'tcp', port: basePort + 100 * index })
  const [caller, near, far] = [await open('caller', 0), await open('near', 0), await open('far', 1)]
  for (const phone of [caller, near, far]) await phone.register()
  for (const phone of [near, far]) phone.onMessage = answer
  await exchange(caller, [near, far], options['warm-up'])
  const { times, unanswered } = await exchange(caller, [near, far], options.messages)
  const [same, other] = times.map((list) => ({ p50: median(list), p99: percentile(list, 0.99) }))
  printLine({
    method: options.method,
    messages: options.messages,
    unanswered,
    sameEdgeP50Ms: rounded(same.p50, 2),
    sameEdgeP99Ms: rounded(same.p99, 2),
    otherEdgeP50Ms: rounded(other.p50, 2),
    otherEdgeP99Ms: rounded(other.p99, 2),
    addedP50Ms: rounded(other.p50 - same.p50, 2),
    addedP99Ms: rounded(other.p99 - same.p99, 2),
  })
  process.exitCode = unanswered === 0 ? 0 : 1
  for (const phone of [caller, near, far]) phone.close()
} finally {
  await cluster.stop()
}
