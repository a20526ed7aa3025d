#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// CPU of one Decide of a charged call in policy, with few and with many accounts, rates and fraud rules, so many in flight.
//
//   npm run build && node bench/decide-scale.mjs [--accounts 100000] [--rates 1000000] [--rules 200] [--decides 20000] [--in-flight 1000]
//        [--rounds 5] [--store redis|memory] [--digest 1]
//
// A call is an INVITE of a subscriber of some account to a user with a number: his digest is judged and its nonce used up (`--digest 0`: nobody
// is asked), ten rules against fraud look at it, the longest prefix is found, the first quantum held, the decision frozen. The CPU is
// this process's alone (`process.cpuUsage`), which runs with the settings of the engine that every process of a cluster has; Redis's is told
// apart; gRPC and the challenge before are left out. Few: ten of each, and as many users. Rounds of both in turn, the median of each and
// their ratio.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPolicyService } from '@tandem/policy'
import { loadResources } from '@tandem/resources'
import { loadConfig, policyConfig } from '@tandem/service-kit'
import { createMemoryStore, createRedisStore } from '@tandem/store'
import { startRedis } from '@tandem/test-kit'
import { flags, median, printLine, rounded } from './support/numbers.mjs'
import { spentBy } from './support/proxy.mjs'

const options = flags({
  accounts: 100_000,
  rates: 1_000_000,
  rules: 200,
  decides: 20_000,
  'in-flight': 1_000,
  rounds: 5,
  store: 'redis',
  digest: 1,
})
const MARK = 'TANDEM_BENCH_ENGINE'
if (process.env[MARK] === undefined) {
  // As cli/src/engine.ts starts every process.
  const engine = ['--single-threaded-gc', '--min-semi-space-size=32', '--max-semi-space-size=32']
  const more = ['--heap-growing-percent=200', '--invocation-count-for-turbofan=1000', '--expose-gc']
  const own = process.execArgv.concat(engine, more, process.argv.slice(1))
  process.exit(spawnSync(process.execPath, own, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } }).status ?? 1)
}
const FEW = 10
const CALLEES = 100
const DOMAIN = 'scale.test'
const folder = mkdtempSync(join(tmpdir(), 'tandem-scale-'))
const document = (kind, metadata, spec) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })
const callee = (k) => `+4930${String(1_000_000 + 7_919 * k)}`

/** Prefixes of seven digits behind +49 and, of more than ten millions, +43; one that all numbers have. */
function writeRates(count) {
  const lines = ['prefix,perMinuteMicros,firstS,nextS', '49,20000,60,1']
  for (let k = 1; k < count; k++) lines.push(`4930${String(k).padStart(6, '0')},${10_000 + (k % 977)},60,1`)
  writeFileSync(join(folder, `rates-${count}.csv`), `${lines.join('\n')}\n`)
  return { file: join(folder, `rates-${count}.csv`) }
}

/** Ten rules look at every call, the others at prefixes that nobody calls here. */
const rule = (k) =>
  document(
    'FraudRule',
    { name: `rule${k}` },
    {
      scope: 'account',
      ...(k >= FEW && { select: { prefixes: [`+1${k}`] } }),
      measures: { callsPerWindow: { windowMs: 3_600_000, critical: { above: 1_000_000 + k, action: 'reject' } } },
    },
  )

async function resourcesOf(accounts, rates, rules) {
  const documents = [
    document('Domain', { name: DOMAIN }, { authentication: options.digest ? 'required' : 'none', challenge: ['MD5'] }),
    document('RatePlan', { name: 'retail' }, { currency: 'EUR', onNet: 'rated', import: writeRates(rates) }),
    ...Array.from({ length: CALLEES }, (_, k) =>
      document('Subscriber', { name: `callee${k}`, domain: DOMAIN }, { usernames: [callee(k)] }),
    ),
    ...Array.from({ length: accounts }, (_, k) => document('Account', { name: `acc${k}` }, { ratePlan: 'retail' })),
    ...Array.from({ length: accounts }, (_, k) =>
      document(
        'Subscriber',
        { name: `user${k}`, domain: DOMAIN },
        { account: `acc${k}`, credentials: { ha1: { md5: ha1Of(k) } } },
      ),
    ),
    ...Array.from({ length: rules }, (_, k) => rule(k)),
  ]
  const loaded = await loadResources(documents, { baseDir: folder, env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems.slice(0, 3)))
  return loaded.set
}

const md5 = (text) => createHash('md5').update(text).digest('hex')
function ha1Of(user) {
  return md5(`user${user}:${DOMAIN}:secret`)
}

let calls = 0
function inviteOf(user) {
  calls++
  const to = callee(calls % CALLEES)
  return {
    transactionKey: `key-${calls}`,
    edgeId: 'edge-0.1',
    method: 'INVITE',
    requestUri: `sip:${to}@${DOMAIN}`,
    from: `<sip:user${user}@${DOMAIN}>;tag=a1`,
    to: `<sip:${to}@${DOMAIN}>`,
    callId: `call-${calls}`,
    fromTag: 'a1',
    cseq: 1,
    source: { transport: 'udp', address: '192.0.2.1', port: 5062 },
    credentials: [],
    userAgent: 'phone/1',
    assertedIdentities: [],
    preferredIdentities: [],
    privacy: '',
    event: '',
  }
}

const decide = (service, request) => service.handlers.decide(request, { msLeft: 2_000, peer: 'edge-0.1' })

/** The same request with what the service asks for. */
async function withDigest(service, request, user) {
  const asked = await decide(service, request)
  const nonce = /nonce="([^"]+)"/.exec(JSON.stringify(asked.value.verdict.value).replaceAll('\\', ''))[1]
  const [uri, nc, cnonce] = [request.requestUri, '00000001', 'c0ffee']
  const response = md5(`${ha1Of(user)}:${nonce}:${nc}:${cnonce}:auth:${md5(`INVITE:${uri}`)}`)
  const value = `Digest username="user${user}", realm="${DOMAIN}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=${nc}, cnonce="${cnonce}"`
  return { ...request, credentials: [{ proxy: true, value }] }
}

/** Made before anything is measured. */
async function requestsFor(service, accounts, count) {
  const requests = []
  for (let k = 0; k < count; k++) {
    const user = (calls * 7_919) % accounts
    const request = inviteOf(user)
    requests.push(options.digest ? await withDigest(service, request, user) : request)
  }
  return requests
}

async function decideAll(service, requests) {
  let next = 0
  const one = async () => {
    while (next < requests.length) {
      const result = await decide(service, requests[next++])
      if (result.outcome !== 'done' || result.value.verdict?.$case !== 'plan') throw new Error(JSON.stringify(result))
    }
  }
  await Promise.all(Array.from({ length: options['in-flight'] }, one))
}

/** Microseconds of CPU for each. */
async function measure(service, accounts, redis) {
  const requests = await requestsFor(service, accounts, options.decides)
  globalThis.gc()
  const redisBefore = redis && spentBy([redis.pid])
  const before = process.cpuUsage()
  await decideAll(service, requests)
  const { user, system } = process.cpuUsage(before)
  const redisAfter = redis && spentBy([redis.pid])
  const ms = redis ? redisAfter.userMs + redisAfter.systemMs - redisBefore.userMs - redisBefore.systemMs : 0
  return { own: (user + system) / options.decides, redis: (ms * 1_000) / options.decides }
}

const redis = options.store === 'redis' ? await startRedis() : undefined
const store =
  redis === undefined
    ? createMemoryStore({ now: Date.now })
    : createRedisStore({ url: redis.url, timeoutMs: 30_000, maxInFlight: 100_000 })
try {
  while (store.status.state !== 'ready') await new Promise((resolve) => setTimeout(resolve, 20))
  const secrets = '[{"id":1,"secret":"for-this-bench-and-no-other"}]'
  const loaded = loadConfig({ env: { TANDEM_CLUSTER_SECRETS: secrets } })
  const config = { ...policyConfig(loaded), setupDeadlineMs: 30_000 }
  const logger = { info() {}, warn() {}, error: console.error }
  const sizes = {
    few: [FEW, FEW, FEW],
    many: [options.accounts, options.rates, options.rules],
  }
  const services = new Map()
  let loadMs = 0
  for (const [name, [accounts, rates, rules]] of Object.entries(sizes)) {
    const began = performance.now()
    const resources = await resourcesOf(accounts, rates, rules)
    loadMs = Math.round(performance.now() - began)
    const parts = { store: store.policy, accounts: store.accounts, fraud: store.fraud, config, resources, logger }
    services.set(name, { service: createPolicyService(parts), accounts })
  }
  const measured = { few: [], many: [] }
  const both = [...services.values()]
  for (const { service, accounts } of both) {
    await decideAll(service, await requestsFor(service, accounts, options.decides))
  }
  for (let k = 0; k < options.rounds; k++) {
    for (const [name, { service, accounts }] of services) measured[name].push(await measure(service, accounts, redis))
  }
  const medianOf = (name, what) => rounded(median(measured[name].map((one) => one[what])), 1)
  const [few, many] = [medianOf('few', 'own'), medianOf('many', 'own')]
  const ofRedis = redis ? { redisFewUs: medianOf('few', 'redis'), redisManyUs: medianOf('many', 'redis') } : {}
  printLine({ ...options, loadMs, fewUs: few, manyUs: many, ratio: rounded(many / few, 2), ...ofRedis })
} finally {
  await store.close()
  await redis?.stop()
  rmSync(folder, { recursive: true, force: true })
}
