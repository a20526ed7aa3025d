#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// CPU of one Decide of a charged call in policy, with few and with many accounts, rates and fraud rules, so many in flight.
//
//   node --conditions=@tandem/source --no-warnings --expose-gc bench/decide-scale.mjs [--accounts 100000] [--rates 1000000] [--rules 200]
//        [--decides 20000] [--in-flight 1000] [--rounds 5] [--store redis|memory]
//
// A call is an INVITE of a subscriber of some account to a user with a number: the longest prefix is found, the first quantum held, the
// decision frozen. The CPU is this process's alone (`process.cpuUsage`), Redis is another one; gRPC and digest are left out. Few: ten
// of each, and as many users. Rounds of both in turn, the median of each and their ratio.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPolicyService } from '@tandem/policy'
import { loadResources } from '@tandem/resources'
import { loadConfig, policyConfig } from '@tandem/service-kit'
import { createMemoryStore, createRedisStore } from '@tandem/store'
import { startRedis } from '@tandem/test-kit'
import { flags, median, printLine, rounded } from './support/numbers.mjs'

const options = flags({
  accounts: 100_000,
  rates: 1_000_000,
  rules: 200,
  decides: 20_000,
  'in-flight': 1_000,
  rounds: 5,
  store: 'redis',
})
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
    document('Domain', { name: DOMAIN }, { authentication: 'none' }),
    document('RatePlan', { name: 'retail' }, { currency: 'EUR', onNet: 'rated', import: writeRates(rates) }),
    ...Array.from({ length: CALLEES }, (_, k) =>
      document('Subscriber', { name: `callee${k}`, domain: DOMAIN }, { usernames: [callee(k)] }),
    ),
    ...Array.from({ length: accounts }, (_, k) => document('Account', { name: `acc${k}` }, { ratePlan: 'retail' })),
    ...Array.from({ length: accounts }, (_, k) =>
      document('Subscriber', { name: `user${k}`, domain: DOMAIN }, { account: `acc${k}` }),
    ),
    ...Array.from({ length: rules }, (_, k) => rule(k)),
  ]
  const loaded = await loadResources(documents, { baseDir: folder, env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems.slice(0, 3)))
  return loaded.set
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

async function decideAll(service, accounts, count) {
  let left = count
  const one = async () => {
    while (left-- > 0) {
      const result = await service.handlers.decide(inviteOf((calls * 7_919) % accounts), {
        msLeft: 2_000,
        peer: 'edge-0.1',
      })
      if (result.outcome !== 'done' || result.value.verdict?.$case !== 'plan') throw new Error(JSON.stringify(result))
    }
  }
  await Promise.all(Array.from({ length: options['in-flight'] }, one))
}

async function measure(service, accounts) {
  globalThis.gc?.()
  const before = process.cpuUsage()
  await decideAll(service, accounts, options.decides)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / options.decides
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
  for (const [name, [accounts, rates, rules]] of Object.entries(sizes)) {
    const resources = await resourcesOf(accounts, rates, rules)
    const parts = { store: store.policy, accounts: store.accounts, fraud: store.fraud, config, resources, logger }
    services.set(name, { service: createPolicyService(parts), accounts })
  }
  const measured = { few: [], many: [] }
  for (const { service, accounts } of services.values()) await decideAll(service, accounts, options.decides)
  for (let k = 0; k < options.rounds; k++) {
    for (const [name, { service, accounts }] of services) measured[name].push(await measure(service, accounts))
  }
  const [few, many] = [median(measured.few), median(measured.many)]
  printLine({ ...options, fewUs: rounded(few, 1), manyUs: rounded(many, 1), ratio: rounded(many / few, 2) })
} finally {
  await store.close()
  await redis?.stop()
  rmSync(folder, { recursive: true, force: true })
}
