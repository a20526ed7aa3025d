// SPDX-License-Identifier: MIT
// What a request costs an edge with and without a transaction: the edge's own handlers, no sockets, services that answer at once.
// CPU time of a request and its 200, both ways in turn, the median round of each, without what the bench itself takes.
// Run: node --conditions=@tandem/source bench/stateless.mjs
import { BOB, EdgeBench, requestText, responseTo, valuesOf } from '../services/edge/src/testing.ts'

const ROUNDS = 9
const REQUESTS = 2_000
const WARM_UP = 4_000
const BOB_URI = `sip:bob@${BOB}`

const bench = new EdgeBench()
let serial = 0

/** A dialog without record; its Route lines. */
function dialog(stateless) {
  bench.udpIn(requestText({ branch: `z9hG4bK-d${stateless}`, callId: 'c-0' }))
  bench.plan([[BOB_URI]], { stateless })
  if (!stateless) bench.begin()
  bench.udpIn(responseTo(bench.last('INVITE'), 200), BOB)
  return valuesOf(bench.last('INVITE'), 'Record-Route').map((value) => `Route: ${value}`)
}

/** Makes the function that passes one request of this kind and its answer. */
function passing(method, stateless, routes) {
  const inDialog = routes && { uri: BOB_URI, toTag: 'bob', callId: 'c-0', headers: routes }
  const template = requestText({ method, branch: 'z9hG4bK-NUMBER', callId: 'c-NUMBER', ...inDialog })
  let answer
  return () => {
    serial += 1
    bench.udpIn(template.replaceAll('NUMBER', serial))
    if (routes === undefined) bench.plan([[BOB_URI]], { stateless })
    if (routes === undefined && method === 'INVITE' && !stateless) bench.begin()
    const sent = bench.sent.at(-1).text
    answer ??= responseTo(sent, 200)
    bench.udpIn(answerTo(answer, sent), BOB)
    bench.sent.length = 0
    bench.location.items.length = 0
    bench.location.counts.inFlight = 0
  }
}

/** What the bench does for each request. */
function nothing() {
  serial += 1
  Buffer.from(TEMPLATE.replaceAll('NUMBER', serial), 'latin1').fill(0xa5)
  Buffer.from(answerTo(ANSWER, TEMPLATE), 'latin1').fill(0xa5)
}

/** The 200 with the Vias and the Call-ID of this request. */
function answerTo(answer, sent) {
  const vias = sent.match(/^Via:[^\r]*\r\n/gm).join('')
  const id = /^Call-ID:[^\r]*/m.exec(sent)[0]
  return answer.replace(/(Via:[^\r]*\r\n)+/, vias).replace(/Call-ID:[^\r]*/, id)
}

function measured(run) {
  const before = process.cpuUsage()
  for (let k = 0; k < REQUESTS; k += 1) run()
  bench.advance(70_000)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / REQUESTS
}

const TEMPLATE = requestText({ method: 'MESSAGE', branch: 'z9hG4bK-NUMBER', callId: 'c-NUMBER' })
const ANSWER = responseTo(TEMPLATE, 200)
const statefulRoutes = dialog(false)
const statelessRoutes = dialog(true)
const KINDS = {
  'INVITE, stateful': passing('INVITE', false),
  'INVITE, stateless': passing('INVITE', true),
  'MESSAGE, stateful': passing('MESSAGE', false),
  'MESSAGE, stateless': passing('MESSAGE', true),
  'INFO in a dialog, stateful': passing('INFO', false, statefulRoutes),
  'INFO in a dialog, stateless': passing('INFO', true, statelessRoutes),
  bench: nothing,
}
const samples = Object.fromEntries(Object.keys(KINDS).map((name) => [name, []]))
for (const run of Object.values(KINDS)) for (let k = 0; k < WARM_UP; k += 1) run()
bench.advance(70_000)
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(KINDS)) samples[name].push(measured(run))
}
const { counts } = bench.core
if (counts.droppedByBug > 0 || counts.droppedStrayResponse > 0 || counts.statelessRequests === 0) {
  throw new Error(`not everything passed: ${JSON.stringify(counts)}`)
}
const medianOf = (name) => samples[name].sort((a, b) => a - b)[ROUNDS >> 1]
const own = Object.fromEntries(Object.keys(KINDS).map((name) => [name, medianOf(name) - medianOf('bench')]))
for (const name of Object.keys(KINDS).slice(0, -1)) {
  const ratio = own[name] / own[name.replace('stateless', 'stateful')]
  console.log(`${name.padEnd(30)} ${own[name].toFixed(1).padStart(6)} µs  ${ratio.toFixed(2)}`)
}
bench.close()
process.exit(0)
