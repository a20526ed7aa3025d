// SPDX-License-Identifier: MIT
// What a person sees when something is wrong: configuration, ports, the store, a service that dies, stopping. From outside: exit
// status, what is printed, readiness, answers. Not tested here: Redis fail-over (packages/store), the file's recovery by itself
// (services/records).
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { Cluster, type ClusterOptions, freeBlock } from './support/cluster.ts'
import { type Message, Phone, token, withPhone } from './support/phone.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function launch(options: ClusterOptions): Promise<Cluster> {
  const cluster = await Cluster.launch(options)
  cleanups.push(() => cluster.stop())
  return cluster
}

async function start(options: ClusterOptions): Promise<Cluster> {
  const cluster = await Cluster.start(options)
  cleanups.push(() => cluster.stop())
  return cluster
}

async function open(user: string, port: number): Promise<Phone> {
  const phone = await Phone.open({ user, port })
  cleanups.push(() => phone.close())
  return phone
}

const register = (cluster: Cluster): Promise<Message> =>
  withPhone({ user: 'alice', port: cluster.sipPort(0) }, (phone) => phone.register())

describe('bad configuration: exit 78 with the path of the key and what was expected', () => {
  it.for([
    {
      what: 'a number out of range',
      env: { TANDEM_EDGE_LIMITS_MAX_CONNECTIONS: '0' },
      path: 'edge.limits.maxConnections',
    },
    { what: 'a word for a number', env: { TANDEM_SHUTDOWN_DRAIN_MS: 'soon' }, path: 'shutdown.drainMs' },
    { what: 'a store of no known kind', env: {}, store: 'mysql://localhost', path: 'store.url' },
  ])('$what', async ({ env, store, path }) => {
    const cluster = await launch({ env: env as Record<string, string>, ...(store && { store }) })
    expect(await cluster.process.waitForEnd(10_000)).toMatchObject({ code: 78 })
    expect(cluster.process.output()).toMatch(new RegExp(`${path.replaceAll('.', '\\.')}.*expected`, 'is'))
  })

  it.for([
    { what: 'an unknown key', text: 'edge:\n  cuont: 2\n', path: /edge.*cuont/is },
    { what: 'no YAML', text: 'edge: [unclosed\n', path: /broken\.yaml/ },
    {
      what: 'a subscriber of a domain that is not there',
      text: 'edge: {}\n---\napiVersion: tandem/v1\nkind: Subscriber\nmetadata: { name: zoe, domain: nowhere.test }\n',
      path: /nowhere\.test/,
    },
  ])('$what in the file', async ({ text, path }) => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-e2e-broken-'))
    cleanups.push(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'broken.yaml')
    writeFileSync(file, text)
    const cluster = await launch({ config: file })
    expect(await cluster.process.waitForEnd(10_000)).toMatchObject({ code: 78 })
    expect(cluster.process.output()).toMatch(path)
  })
})

describe('a port that is taken: a sentence with the port and its setting, exit 1', () => {
  it.for([
    { offset: 0, setting: 'edge.basePort' },
    { offset: 100, setting: 'edge.basePort' },
    { offset: 20, setting: 'location.grpcPort' },
    { offset: 10, setting: 'edge.httpPort' },
  ])('$setting, base port + $offset', async ({ offset, setting }) => {
    const basePort = await freeBlock()
    const holder = createServer().listen(basePort + offset, '127.0.0.1')
    cleanups.push(() => holder.close())
    const cluster = await launch({ basePort })
    expect(await cluster.process.waitForEnd(15_000)).toMatchObject({ code: 1 })
    expect(cluster.process.output()).toMatch(new RegExp(`\\b${basePort + offset}\\b.*${setting}`, 'i'))
  })
})

describe('the store is away', () => {
  const redisProgram = redisAvailable()

  it('at start: says so, is not ready, keeps trying; later: 503 with Retry-After, nothing half-written, and back by itself', async (context) => {
    if (!redisProgram.available) return context.skip(redisProgram.reason)
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    await redis.kill()
    const cluster = await launch({ store: redis.url })
    await cluster.process.waitForLine(/store/i, 10_000)
    await waitUntil('HTTP of edge 0', async () => (await cluster.http(0, '/healthz')) === 200)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(await cluster.http(0, '/readyz')).toBe(503)
    expect(cluster.process.end).toBeUndefined()
    const saidSo = cluster.process
      .output()
      .split('\n')
      .filter((line) => line.includes('store is not ready'))
    expect(saidSo).toHaveLength(1)

    await redis.start()
    await cluster.process.waitForLine(/^tandem ready$/, 15_000)
    expect(await cluster.http(0, '/readyz')).toBe(200)
    expect((await register(cluster)).status).toBe(200)

    await redis.kill()
    // A nonce of the time with a store is asked for once more: its count can't be looked up (`policy.replayWithoutStore`).
    let refused = await register(cluster)
    if (refused.status === 401) refused = await register(cluster)
    expect(refused.status).toBe(503)
    expect(Number(refused.header('Retry-After'))).toBeGreaterThan(0)

    await redis.start()
    const query = (): Promise<Message> =>
      withPhone({ user: 'alice', port: cluster.sipPort(1) }, (phone) => phone.ask('REGISTER'))
    await waitUntil('the cluster to recover', async () => (await query()).status === 200, 20_000, 200)
    expect((await query()).all('Contact')).toEqual([]) // the server came back empty
    expect((await register(cluster)).status).toBe(200)
  })
})

/** A call of alice (edge 0) to bob (edge 1) that rings; ends as the test wants. */
async function ringing(cluster: Cluster) {
  const bob = await open('bob', cluster.sipPort(1))
  expect((await bob.register()).status).toBe(200)
  const alice = await open('alice', cluster.sipPort(0))
  const callId = token()
  const uri = 'sip:bob@example.test'
  const parts = { uri, to: `<${uri}>`, callId }
  alice.send(alice.request('INVITE', { ...parts, headers: [`Contact: ${alice.contact}`] }))
  const challenge = await alice.final('the challenge', callId, '1 INVITE')
  alice.acknowledge(challenge, uri)
  const headers = [`Contact: ${alice.contact}`, alice.credentials(challenge, 'INVITE', uri)]
  alice.send(alice.request('INVITE', { ...parts, cseq: 2, headers }))
  const invite = await bob.next('the INVITE', (message) => message.method === 'INVITE')
  bob.reply(invite, '180 Ringing')
  await alice.next('180', (message) => message.status === 180)
  return { alice, bob, callId, invite }
}

type Call = Awaited<ReturnType<typeof ringing>>

/** bob answers, alice acknowledges and hangs up. */
async function finish({ alice, bob, callId, invite }: Call): Promise<void> {
  bob.reply(invite, '200 OK', [`Contact: ${bob.contact}`])
  const answer = await alice.final('the answer', callId, '2 INVITE')
  const dialog = {
    uri: bob.contact.slice(1, -1),
    to: answer.header('To'),
    callId,
    headers: answer.all('Record-Route').map((value) => `Route: ${value}`),
  }
  alice.send(alice.request('ACK', { ...dialog, cseq: 2 }))
  await bob.next('the ACK', (message) => message.method === 'ACK')
  alice.send(alice.request('BYE', { ...dialog, cseq: 3 }))
  bob.reply(await bob.next('the BYE', (message) => message.method === 'BYE'), '200 OK')
  expect((await alice.final('the end', callId, '3 BYE')).status).toBe(200)
}

describe('stopping', () => {
  it.for([
    { status: '200 OK', outcome: '' }, // goes on: its end is for the edges that remain
    { status: '486 Busy Here', outcome: 'rejected' },
  ])('waits for a call in set-up ($status), refuses new ones, ends with status 0', async ({ status, outcome }) => {
    const cluster = await start({})
    const { alice, bob, callId, invite } = await ringing(cluster)
    cluster.process.signal('SIGTERM')
    await waitUntil('edge 0 to drain', async () => (await cluster.http(0, '/readyz')) === 503)
    const late = await withPhone({ user: 'carol', port: cluster.sipPort(0) }, (phone) => phone.ask('OPTIONS'))
    expect([late.status, late.header('Retry-After') !== '']).toEqual([503, true])
    expect(cluster.process.end).toBeUndefined()
    bob.reply(invite, status, [`Contact: ${bob.contact}`])
    const final = await alice.final('the final response', callId, '2 INVITE')
    expect(final.startLine).toBe(`SIP/2.0 ${status}`)
    expect(await cluster.process.waitForEnd(15_000)).toMatchObject({ code: 0 })
    if (outcome !== '') expect(cluster.recordsOf(callId)).toMatchObject([{ outcome }])
  })

  it('a call that ends just before the stop has its record', async () => {
    const cluster = await start({})
    const call = await ringing(cluster)
    await finish(call)
    cluster.process.signal('SIGTERM')
    expect(await cluster.process.waitForEnd(15_000)).toMatchObject({ code: 0 })
    expect(cluster.recordsOf(call.callId)).toMatchObject([{ outcome: 'answered', ended_by: 'caller' }])
  })

  it('a second signal ends it at once', async () => {
    const cluster = await start({})
    await ringing(cluster)
    cluster.process.signal('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 1_200)) // what comes sooner is taken for an echo of the first
    expect(cluster.process.end).toBeUndefined()
    cluster.process.signal('SIGINT')
    expect(await cluster.process.waitForEnd(1_000)).toMatchObject({ code: 130 })
  })
})

describe('a call that is up while the store is away', () => {
  it('goes on, and leaves its one record when the store is back', async (context) => {
    const program = redisAvailable()
    if (!program.available) return context.skip(program.reason)
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    const cluster = await start({ store: redis.url })
    const call = await ringing(cluster)
    redis.pause()
    cleanups.push(() => redis.resume())
    const hungUp = finish(call)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    redis.resume()
    await hungUp
    expect(await cluster.record(call.callId, 15_000)).toMatchObject({ outcome: 'answered', ended_by: 'caller' })
  })
})

/** The process of one service of `--processes many`, by its arguments. */
function pidOf(parent: number, service: string): number {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const about = (file: string): string => {
      try {
        return readFileSync(`/proc/${entry}/${file}`, 'latin1')
      } catch {
        return ''
      }
    }
    const isChild = new RegExp(`^PPid:\\s${parent}$`, 'm').test(about('status'))
    if (isChild && about('cmdline').includes(`\0run\0${service}\0`)) return Number(entry)
  }
  return 0
}

describe('a service that is killed with --processes many', () => {
  it('records: started again, no record lost and none twice', async () => {
    const cluster = await start({ processes: 'many' })
    const callIds: string[] = []
    for (let round = 0; round < 3; round++) {
      const call = await ringing(cluster)
      callIds.push(call.callId)
      const pid = pidOf(cluster.process.pid, 'records')
      expect(pid).toBeGreaterThan(0)
      if (round % 2 === 0) process.kill(pid, 'SIGKILL')
      await finish(call)
      if (round % 2 === 1) process.kill(pid, 'SIGKILL')
      const isBack = (): boolean => ![0, pid].includes(pidOf(cluster.process.pid, 'records'))
      await waitUntil('the supervisor to start it again', isBack, 10_000)
    }
    for (const callId of callIds) await cluster.record(callId, 15_000)
    expect(cluster.records().map((line) => line.call_id)).toEqual(callIds)
  })
})
