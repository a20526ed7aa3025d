#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// What bindings cost in Redis: memory of an address-of-record with one contact, and the CPU of a REGISTER and a look-up, on a
// redis-server that this script starts and ends.
//
//   node --conditions=@tandem/source --no-warnings bench/location-store.mjs [--aors 1000000] [--phones outbound,udp] [--operations 50000]
//
// Memory is the difference of `used_memory` between an empty server with its scripts loaded and one with all bindings: keys, values,
// sorted sets of expiries, hash tables, and the change feed, full. What the phones register is written in `PHONES` (support/bindings.mjs). CPU is what the server
// says of itself (`used_cpu_user` and `_sys`) and what this process used, per operation, at 1, 10 and 1,000 in flight.
import { parseArgs } from 'node:util'
import { createRedisStore } from '@tandem/store'
import { startRedis } from '@tandem/test-kit'
import { fill, must, PHONES, update } from './support/bindings.mjs'

const { values } = parseArgs({
  options: {
    aors: { type: 'string', default: '1000000' },
    phones: { type: 'string', default: 'outbound' },
    operations: { type: 'string', default: '50000' },
    json: { type: 'boolean', default: false },
  },
})
const AORS = Number(values.aors)
const OPERATIONS = Number(values.operations)

async function numbers(redis, section) {
  const lines = (await redis.ask('INFO', section)).split('\n')
  return new Map(lines.map((line) => line.trim().split(':')).map(([name, value]) => [name, Number(value)]))
}

const cpuOf = async (redis) => {
  const info = await numbers(redis, 'cpu')
  return (info.get('used_cpu_user') + info.get('used_cpu_sys')) * 1e6
}

/** `count` operations, `inFlight` of them at a time: microseconds of CPU each, here and in Redis. */
async function measure(redis, count, inFlight, run) {
  const [redisBefore, hereBefore, began] = [await cpuOf(redis), process.cpuUsage(), performance.now()]
  let next = 0
  const one = async () => {
    while (next < count) must(await run(next++))
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  const seconds = (performance.now() - began) / 1_000
  const here = process.cpuUsage(hereBefore)
  return {
    inFlight,
    perSecond: Math.round(count / seconds),
    redisUs: Number((((await cpuOf(redis)) - redisBefore) / count).toFixed(1)),
    clientUs: Number(((here.user + here.system) / count).toFixed(1)),
  }
}

async function bench(phones) {
  const redis = await startRedis()
  const store = createRedisStore({ url: redis.url, timeoutMs: 30_000, maxInFlight: 100_000 })
  try {
    while (store.status.state !== 'ready') await new Promise((resolve) => setTimeout(resolve, 20))
    const used = async () => (await numbers(redis, 'memory')).get('used_memory')
    const before = await used()
    await fill(store, phones, AORS)
    const bytesEach = Math.round(((await used()) - before) / AORS)
    const rows = []
    const spread = (n) => (n * 7_919) % AORS
    for (const inFlight of [1, 10, 1_000]) {
      const count = inFlight === 1 ? Math.min(OPERATIONS, 10_000) : OPERATIONS
      let cseq = inFlight + 1
      const refresh = (n) => store.location.register(update(phones, spread(n), cseq + Math.floor(n / AORS)))
      rows.push({ what: 'register, refresh', ...(await measure(redis, count, inFlight, refresh)) })
      const again = (n) => store.location.register(update(phones, spread(n), cseq + Math.floor(n / AORS)))
      rows.push({ what: 'register, repeated', ...(await measure(redis, count, inFlight, again)) })
      const look = (n) => store.location.locate(update(phones, spread(n), 1).aor)
      rows.push({ what: 'locate', ...(await measure(redis, count, inFlight, look)) })
      cseq++
    }
    return { phones, aors: AORS, bytesEach, rows }
  } finally {
    await store.close()
    await redis.stop()
  }
}

for (const phones of values.phones.split(',')) {
  if (PHONES[phones] === undefined) throw new Error(`--phones: one of ${Object.keys(PHONES).join(', ')}`)
  const result = await bench(phones)
  if (values.json) console.log(JSON.stringify(result))
  else {
    console.log(
      `${phones}: ${result.bytesEach} bytes of Redis memory for each of ${AORS} addresses-of-record with one contact`,
    )
    console.table(result.rows)
  }
}
process.exit(0)
