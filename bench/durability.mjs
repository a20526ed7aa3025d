#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// What each durability costs a REGISTER that refreshes: latency, rate and CPU, on servers that this script starts and ends: a master with an
// append-only file (appendfsync everysec) and one replica. All in one run, in turns, so that the machine's mood is shared.
//
//   node --conditions=@tandem/source --no-warnings bench/durability.mjs [--seconds 4] [--in-flight 1,50,500] [--rounds 2]
//
// TANDEM_TEST_REDIS names another server than the one on the PATH: fsync needs Redis 7.2 or Valkey, and is left out without.
import { parseArgs } from 'node:util'
import { createRedisStore } from '@tandem/store'
import { startRedis, waitUntil } from '@tandem/test-kit'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '1,50,500' },
    json: { type: 'boolean', default: false },
  },
})
const AORS = 20_000
const MS = Number(values.seconds) * 1_000

async function cpuUs(server) {
  const info = await server.ask('INFO', 'cpu')
  const value = (name) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1])
  return (value('used_cpu_user') + value('used_cpu_sys')) * 1e6
}

let cseq = 1
const refresh = (i) => ({
  aor: `sip:user-${i}@example.test`,
  callId: `call-${i}`,
  cseq: cseq++,
  removeAll: false,
  contacts: [
    {
      uriKey: `sip:user-${i}@192.0.2.1:5060`,
      uri: `sip:user-${i}@192.0.2.1:5060`,
      expiresS: 3_600,
      qMilli: 1_000,
      instanceId: '',
      regId: 0,
      flow: { transport: 'udp', address: '192.0.2.1', port: 5_060, edgeId: '', flowId: 0 },
      path: [],
      params: '',
    },
  ],
  alsoRemove: [],
  maxContacts: 10,
  replaceOldest: false,
  registrationHash: 1,
  userAgent: 'phone/1',
})

async function measure(store, servers, inFlight, ms) {
  const latencies = []
  const cpuOfAll = async () => (await Promise.all(servers.map(cpuUs))).reduce((sum, us) => sum + us, 0)
  const [redisBefore, hereBefore, began] = [await cpuOfAll(), process.cpuUsage(), performance.now()]
  let next = 0
  let failed = 0
  const one = async () => {
    while (performance.now() - began < ms) {
      const sentMs = performance.now()
      const result = await store.location.register(refresh(next++ % AORS))
      if (result.state !== 'stored') failed++
      latencies.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  const seconds = (performance.now() - began) / 1_000
  const here = process.cpuUsage(hereBefore)
  latencies.sort((a, b) => a - b)
  const at = (share) => Number(latencies[Math.floor(share * (latencies.length - 1))].toFixed(2))
  const count = latencies.length
  return {
    inFlight,
    perSecond: Math.round(count / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    clientUs: Number(((here.user + here.system) / count).toFixed(1)),
    redisUs: Number((((await cpuOfAll()) - redisBefore) / count).toFixed(1)),
    failed,
  }
}

async function open(url, durability) {
  const store = createRedisStore({ url, durability, timeoutMs: 10_000, maxInFlight: 100_000 })
  await waitUntil(`the store (${durability})`, () => ['ready', 'unusable'].includes(store.status.state))
  if (store.status.state === 'ready') return store
  console.error(`${durability} is left out: ${store.status.detail}`)
  await store.close()
  return undefined
}

const master = await startRedis({ config: ['appendonly yes', 'appendfsync everysec', 'repl-diskless-sync-delay 0'] })
const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] })
const stores = new Map()
try {
  await waitUntil('the replica', async () => (await master.ask('INFO', 'replication')).includes('state=online'))
  for (const durability of ['async', 'replica', 'fsync']) {
    const store = await open(master.url, durability)
    if (store !== undefined) stores.set(durability, store)
  }
  for (const store of stores.values()) await measure(store, [master], 200, 1_000)
  const rows = []
  for (const inFlight of values['in-flight'].split(',').map(Number))
    for (let round = 0; round < Number(values.rounds); round++)
      for (const [durability, store] of stores)
        rows.push({ durability, ...(await measure(store, [master, replica], inFlight, MS)) })
  if (values.json) console.info(JSON.stringify(rows))
  else console.table(rows)
} finally {
  for (const store of stores.values()) await store.close()
  await Promise.all([master.stop(), replica.stop()])
}
