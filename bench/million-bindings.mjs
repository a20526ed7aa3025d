#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// What a Redis full of bindings does to a cluster that starts on it: time from the start of the processes to their ready line and to the end of a
// first call, and the edge's resident memory after calls, with none and with many, in turn.
//
//   npm run build && node bench/million-bindings.mjs [--aors 1000000] [--rounds 2] [--calls 500] [--base-port 27600]
//
// The edge is a process of its own. The bindings are those of bench/location-store.mjs (`outbound`: phones with flows, of an edge that is
// not there any more), in a Redis of their own; the callee and its caller register after the start. Prints a JSON line a start; the last has the
// medians. Ends with 1 where a call has failed.
import { createRedisStore } from '@tandem/store'
import { startRedis } from '@tandem/test-kit'
import { fill } from './support/bindings.mjs'
import { CallLoad } from './support/call-load.mjs'
import { flags, median, printLine, rounded } from './support/numbers.mjs'
import { Phone } from './support/phones.mjs'
import { startTandem, temporaryFolder } from './support/tandem.mjs'

const options = flags({ aors: 1_000_000, rounds: 2, calls: 500, 'base-port': 27_600 })
const RATE = 100
const folder = temporaryFolder()

async function filled(aors) {
  const redis = await startRedis()
  const store = createRedisStore({ url: redis.url, timeoutMs: 30_000, maxInFlight: 100_000 })
  while (store.status.state !== 'ready') await new Promise((resolve) => setTimeout(resolve, 20))
  await fill(store, 'outbound', aors)
  await store.close()
  return { redis, aors }
}

async function start({ redis, aors }) {
  const began = performance.now()
  const port = options['base-port']
  const cluster = { folder, basePort: port, users: ['alice', 'bob'], processes: 'many', store: redis.url }
  const proxy = await startTandem(cluster)
  const readyMs = performance.now() - began
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((user) => Phone.open({ user, transport: 'udp', port, tls: {} })),
  )
  try {
    await Promise.all([alice.register(), bob.register()])
    const load = new CallLoad([alice], [bob])
    await load.run(1, RATE)
    const firstCallMs = performance.now() - began
    await load.run(options.calls, RATE)
    const edgeMiB = rounded(proxy.rssBytes(proxy.edges) / 1_048_576)
    const result = { bindings: aors, readyMs: Math.round(readyMs), firstCallMs: Math.round(firstCallMs), edgeMiB }
    return { ...result, failed: load.failed }
  } finally {
    for (const phone of [alice, bob]) phone.close()
    await proxy.stop()
  }
}

const stores = [await filled(0), await filled(options.aors)]
const results = new Map(stores.map(({ aors }) => [aors, []]))
try {
  for (let k = 0; k < options.rounds; k++) {
    for (const store of stores) {
      const result = await start(store)
      results.get(store.aors).push(result)
      printLine(result)
    }
  }
} finally {
  for (const { redis } of stores) await redis.stop()
}
const all = [...results.values()].flat()
const medians = (key) => Object.fromEntries([...results].map(([aors, list]) => [aors, median(list.map((r) => r[key]))]))
printLine({ firstCallMs: medians('firstCallMs'), readyMs: medians('readyMs'), edgeMiB: medians('edgeMiB') })
process.exit(all.every(({ failed }) => failed === 0) ? 0 : 1)
