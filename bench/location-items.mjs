#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// What an item of an edge's stream to location costs, by itself: CPU at the edge's end of the stream (this process), at location (a process of
// its own) and in Redis, with 1, 10 and 1,000 items in flight. The last three kinds are what the directory of calls costs for each call.
//
//   npm run build && node bench/location-items.mjs [--items 20000] [--aors 10000] [--in-flight 1,10,1000] [--store redis] [--base-port 27400]
//
// With one in flight a tenth of the items are asked. `--store memory` leaves Redis out. Prints one JSON line for each kind and number in
// flight, microseconds of CPU an item. Ends with 1 where an item was not done.
import { createStreamCaller, location, locationService } from '@tandem/rpc'
import { startRedis } from '@tandem/test-kit'
import { PHONES } from './support/bindings.mjs'
import { flags, printLine, rounded } from './support/numbers.mjs'
import { RunningProxy, spentBy } from './support/proxy.mjs'
import { tandemCommand, temporaryFolder } from './support/tandem.mjs'

const options = flags({
  items: 20_000,
  aors: 10_000,
  'in-flight': '1,10,1000',
  store: 'redis',
  'base-port': 27_400,
})
const TIMEOUT_MS = 10_000
const OWNER = 'bench-edge.0'
const port = options['base-port'] + 40
const folder = temporaryFolder()

const aorOf = (n) => `sip:1555${String(n).padStart(7, '0')}@pbx.example.test`

let cseq = 1
function register(n) {
  const { contact, callId, userAgent } = PHONES.udp(n % options.aors)
  const asked = { ...contact, expiresS: 3_600, qMilli: 1_000 }
  return location.RegisterRequest.fromPartial({
    aor: aorOf(n % options.aors),
    callId,
    cseq: cseq + Math.floor(n / options.aors),
    contacts: [asked],
    userAgent,
  })
}

const flow = { transport: 'udp', address: '203.0.113.7', port: 5_060, edgeId: OWNER, flowId: 0 }
const INVITE = Buffer.alloc(700, 'INVITE sip:bob@example.test SIP/2.0 ')
const PLAN = Buffer.alloc(80, 7)
const branchOf = (key, status) => ({
  id: `z9hG4bK${key}`,
  uri: 'sip:bob@203.0.113.8:5060',
  nextHop: flow,
  provisionalStatus: status,
})
let run = 0
const keyOf = (n) => `z9hG4bK-${process.pid}-${run}-${n}|203.0.113.7:5060|INVITE`
const held = (n) => ({ transactionKey: keyOf(n), owner: OWNER, epoch: 1 })

/** Kind → the nth request of it. Calls are begun, changed and ended in this order. */
const KINDS = {
  register,
  locate: (n) => ({ aor: aorOf(n % options.aors) }),
  beginCall: (n) =>
    location.BeginCallRequest.fromPartial({
      ...held(n),
      invite: INVITE,
      upstream: flow,
      plan: PLAN,
      branches: [branchOf(keyOf(n), 0)],
      leaseMs: 200_000,
    }),
  updateCall: (n) =>
    location.UpdateCallRequest.fromPartial({ ...held(n), step: 1, branches: [branchOf(`${keyOf(n)}-2`, 180)] }),
  endCall: (n) => ({ ...held(n), finalStatus: 200, keepMs: 64_000 }),
}

let notDone = 0
function ask(caller, kind, n) {
  return new Promise((resolve) =>
    caller.call(kind, KINDS[kind](n), TIMEOUT_MS, ({ outcome }) => {
      if (outcome !== 'done') notDone++
      resolve()
    }),
  )
}

async function askAll(caller, kind, count, inFlight) {
  let next = 0
  const one = async () => {
    while (next < count) await ask(caller, kind, next++)
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, one))
}

async function measure({ caller, service, redis }, kind, inFlight) {
  const count = inFlight === 1 ? Math.ceil(options.items / 10) : options.items
  const cpu = () => [process.cpuUsage(), spentBy(service.pids), spentBy(redis === undefined ? [] : [redis.pid])]
  const [here, there, store] = cpu()
  const { batches } = caller.counts
  const began = performance.now()
  await askAll(caller, kind, count, inFlight)
  const seconds = (performance.now() - began) / 1_000
  const [hereNow, thereNow, storeNow] = cpu()
  const each = (a, b) => rounded(((b.userMs + b.systemMs - a.userMs - a.systemMs) * 1_000) / count, 1)
  const inUse = hereNow.user + hereNow.system - here.user - here.system
  return {
    what: kind,
    inFlight,
    edgeUs: rounded(inUse / count, 1),
    locationUs: each(there, thereNow),
    ...(redis === undefined ? {} : { redisUs: each(store, storeNow) }),
    itemsPerMessage: rounded(count / (caller.counts.batches - batches), 1),
    perSecond: Math.round(count / seconds),
  }
}

const redis = options.store === 'redis' ? await startRedis() : undefined
const base = { folder, basePort: options['base-port'], users: [] }
const [program, main, , ...rest] = tandemCommand(redis === undefined ? base : { ...base, store: redis.url })
const service = await RunningProxy.start([program, main, 'run', 'location', ...rest], { readyPort: port })
const caller = createStreamCaller(locationService, [`127.0.0.1:${port}`], { peer: OWNER })
try {
  for (let k = 0; k < 100 && !caller.ready; k++) await new Promise((resolve) => setTimeout(resolve, 50))
  await askAll(caller, 'register', Math.max(options.aors, options.items), 200) // every address has a binding, and what serves it is compiled
  await askAll(caller, 'locate', options.items, 200)
  const levels = options['in-flight'].split(',').map(Number)
  for (const inFlight of levels) {
    run++
    for (const kind of Object.keys(KINDS)) {
      if (kind === 'register') cseq += 1 + Math.ceil(options.items / options.aors)
      printLine(await measure({ caller, service, redis }, kind, inFlight))
    }
  }
} finally {
  await caller.close()
  await service.stop()
  await redis?.stop()
}
if (notDone > 0) console.error(`${notDone} items were not done`)
process.exit(notDone === 0 ? 0 : 1)
