#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// Resources in the store: how long it takes to apply many subscribers, and until a revision is live on all nodes while these decide.
//
//   node --conditions=@tandem/source --no-warnings bench/resources.mjs [--subscribers 100000] [--revisions 100] [--decides 400] [--format yaml|json]
//
// Two policy nodes, a process each, over one redis-server; this process applies and asks, by gRPC. First all subscribers, in one Apply, with
// passwords. Then revisions one after the other, each of one subscriber, every tenth of a hunt group, while both nodes get Decides (INVITEs
// of the plain path, at the rate that is asked for, all nodes together): from the call of Apply, and from the commit, until both nodes
// use it. `getHead` is asked every 10 ms. A Decide fails that is not answered with a plan.
import { fork } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createPolicyService } from '@tandem/policy'
import { loadResources } from '@tandem/resources'
import {
  createResourceClient,
  createRpcServer,
  createStreamCaller,
  policy,
  policyService,
  servePolicy,
  serveResources,
} from '@tandem/rpc'
import { loadConfig, policyConfig } from '@tandem/service-kit'
import { createRedisStore } from '@tandem/store'
import { startRedis } from '@tandem/test-kit'
import { flags, percentile, printLine, rounded } from './support/numbers.mjs'

const DOMAIN = 'bench.test'
const document = (kind, metadata, spec) => ({ apiVersion: 'tandem/v1', kind, metadata, spec })
const silent = { info() {}, warn() {}, error: (...all) => console.error(...all) }

/** A policy node; tells its port, and on demand how long its event loop stood. */
async function runNode(url) {
  const load = { baseDir: '/', env: {} }
  const loaded = await loadResources([], load)
  const secrets = [{ id: 1, secret: 'of a bench and nothing else' }]
  const config = policyConfig(loadConfig({ flags: { 'cluster.secrets': secrets } }))
  const store = createRedisStore({ url })
  const service = createPolicyService({
    store: store.policy,
    accounts: store.accounts,
    bans: store.bans,
    trunks: store.trunks,
    resourceStore: { store: store.resources, documents: loaded.documents, load },
    config,
    resources: loaded.set,
    logger: silent,
  })
  await service.start()
  const server = createRpcServer()
  servePolicy(server, service.handlers, { pushes: service.pushes })
  serveResources(server, service.resources)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on('message', () => {
    process.send({
      maxMs: delay.max / 1e6,
      p99Ms: delay.percentile(99) / 1e6,
      rssMb: process.memoryUsage().rss / 2 ** 20,
    })
    delay.reset()
  })
  process.on('disconnect', () => process.exit(0))
  process.send({ port: await server.listen('127.0.0.1', 0) })
}

function startNode(url) {
  const child = fork(import.meta.filename, ['node', url], { execArgv: process.execArgv })
  const ask = () =>
    new Promise((resolve) => {
      child.once('message', resolve)
      child.send('how')
    })
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }) => resolve({ child, ask, address: `127.0.0.1:${port}` }))
    child.once('exit', (code) => reject(new Error(`a node ended with ${code}`)))
  })
}

const OPTIONS = { expectedRevision: 0n, dryRun: false, author: 'bench', comment: '', manager: '', replace: false }
const user = (n) => `u${String(n).padStart(6, '0')}`
const subscriber = (n, spec) => document('Subscriber', { name: user(n), domain: DOMAIN }, spec)

function* parts(count, format) {
  const domain = document('Domain', { name: DOMAIN }, { authentication: 'none', accounting: false })
  const text = (documents) =>
    format === 'json'
      ? documents.map((one) => `${JSON.stringify(one)}\n`).join('')
      : documents
          .map(({ kind, metadata, spec }) => {
            const head = `---\napiVersion: tandem/v1\nkind: ${kind}\nmetadata:\n  name: ${metadata.name}\n`
            const more = metadata.domain === undefined ? '' : `  domain: ${metadata.domain}\n`
            return `${head}${more}spec: ${JSON.stringify(spec)}\n`
          })
          .join('')
  yield { file: 'all', text: Buffer.from(text([domain])) }
  for (let at = 0; at < count; at += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - at) }, (_, n) =>
      subscriber(at + n, { credentials: { password: `secret-of-${at + n}` } }),
    )
    yield { file: 'all', text: Buffer.from(text(some)) }
  }
}

/** Decides at a steady rate, all nodes in turn; counts what fails. */
function startLoad(callers, rate, count) {
  const load = { sent: 0, failed: 0, ms: [] }
  const timer = setInterval(() => {
    for (let n = 0; n < rate / 100; n++) {
      const k = load.sent++
      const to = `sip:${user((k * 7_919) % count)}@${DOMAIN}`
      const request = policy.DecideRequest.fromPartial({
        transactionKey: `bench-${k}`,
        method: 'INVITE',
        requestUri: to,
        from: `<sip:${user(k % count)}@${DOMAIN}>;tag=a1`,
        to: `<${to}>`,
        callId: `bench-${k}`,
        fromTag: 'a1',
        cseq: 1,
        source: { transport: 'udp', address: '127.0.0.1', port: 5060 },
      })
      const began = performance.now()
      callers[k % callers.length].call('decide', request, 2_000, (result) => {
        load.ms.push(performance.now() - began)
        if (result.outcome !== 'done' || result.value.verdict?.$case !== 'plan') load.failed++
      })
    }
  }, 10)
  return { load, stop: () => clearInterval(timer) }
}

async function liveOn(clients, revision) {
  for (;;) {
    const heads = await Promise.all(clients.map((client) => client.getHead({})))
    if (heads.every(({ value }) => value !== undefined && value.inUse >= revision)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function applied(client, sources) {
  const result = await client.apply(OPTIONS, sources, 240_000)
  if (result.outcome !== 'done' || !result.value.applied) throw new Error(JSON.stringify(result, (_k, v) => String(v)))
  return result.value.head.revision
}

async function measure() {
  const { subscribers, revisions, decides, format } = flags({
    subscribers: 100_000,
    revisions: 100,
    decides: 400,
    format: 'yaml',
  })
  const redis = await startRedis()
  const nodes = await Promise.all([0, 1].map(() => startNode(`redis://127.0.0.1:${redis.port}`)))
  const clients = nodes.map(({ address }) => createResourceClient(address, { peer: 'bench' }))
  const callers = nodes.map(({ address }) =>
    createStreamCaller(policyService, async () => [address], { peer: 'bench' }),
  )
  try {
    let began = performance.now()
    const first = await applied(clients[0], parts(subscribers, format))
    const appliedS = (performance.now() - began) / 1_000
    await liveOn(clients, first)
    const liveS = (performance.now() - began) / 1_000
    const atApply = await Promise.all(nodes.map(({ ask }) => ask()))
    printLine({
      what: 'apply',
      subscribers,
      format,
      appliedS: rounded(appliedS),
      liveOnAllS: rounded(liveS),
      loop: atApply,
    })
    const { load, stop } = startLoad(callers, decides, subscribers)
    const sinceApply = []
    const sinceAck = []
    for (let n = 0; n < revisions; n++) {
      const changed =
        n % 10 === 9
          ? document('HuntGroup', { name: 'sales', domain: DOMAIN }, { members: [user(n), user(n + 1)] })
          : subscriber(n, { maxContacts: 1 + (n % 9), credentials: { password: 'another' } })
      began = performance.now()
      const revision = await applied(clients[n % 2], [{ file: 'one', text: Buffer.from(JSON.stringify(changed)) }])
      const acked = performance.now()
      await liveOn(clients, revision)
      sinceApply.push(performance.now() - began)
      sinceAck.push(performance.now() - acked)
    }
    stop()
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    const loops = await Promise.all(nodes.map(({ ask }) => ask()))
    const about = (values) => ({
      p50: rounded(percentile(values, 0.5)),
      p99: rounded(percentile(values, 0.99)),
      max: rounded(Math.max(...values)),
    })
    printLine({
      what: 'revisions',
      revisions,
      liveMsFromApply: about(sinceApply),
      liveMsFromAnswer: about(sinceAck),
      decides: load.sent,
      failed: load.failed,
      decideMs: about(load.ms),
      loop: loops,
    })
  } finally {
    await Promise.all([...clients, ...callers].map((one) => one.close()))
    for (const { child } of nodes) child.disconnect()
    await redis.stop()
  }
}

if (process.argv[2] === 'node') await runNode(process.argv[3])
else await measure()
