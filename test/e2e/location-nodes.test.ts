// SPDX-License-Identifier: MIT
// Two location nodes and two edges, each a process of its own, on a real Redis: edges and nodes that are killed outright, an edge in drain, two
// edges that race [DESIGN §4 "Membership", "Flows"]. Not tested here: the failover of Redis (failover.test.ts), all interleavings of closing
// streams (services/location/src/flows.test.ts).
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { calls, DOMAIN, NodeCluster } from './support/node-cluster.ts'
import { type Phone, token } from './support/phone.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of several location nodes are skipped: ${server.reason}`)
const USERS = Array.from({ length: 20 }, (_, k) => `user${k}`)
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe.skipIf(!server.available)('two location nodes, two edges', () => {
  let redis: RunningRedis
  let cluster: NodeCluster
  let caller: Phone
  beforeAll(async () => {
    redis = await startRedis()
    cluster = await NodeCluster.start({ store: redis.url, users: [...USERS, 'caller', 'racer', 'keeper', 'mover'] })
    caller = await cluster.phone('caller', 0)
  })
  beforeEach(() => cluster.restore())
  afterAll(async () => {
    await cluster?.stop()
    await redis?.stop()
  })

  const register = async (phone: Phone, cseq = 1, callId = `call-${phone.tag}`) =>
    phone.register({ cseq, callId, uri: `sip:${DOMAIN}` })
  const members = (edge: number) => cluster.metric(`edge ${edge}`, 'tandem_edge_members')
  const knows = (edge: number, count: number) =>
    waitUntil(`edge ${edge} to know ${count} members`, async () => (await members(edge)) === count, 10_000)
  /** What an earlier try of a test left behind under this phone's address. */
  const forget = (phone: Phone) =>
    phone.ask('REGISTER', { uri: `sip:${DOMAIN}`, callId: token(), headers: ['Contact: *', 'Expires: 0'] })

  it('a location node is killed under load: every REGISTER and call goes through', async () => {
    const phones = await Promise.all(USERS.map((user, k) => cluster.phone(user, k % 2)))
    await Promise.all(phones.map(forget))
    let [on, done, repeated] = [true, 0, 0]
    const failures: string[] = []
    const isTaken = async (phone: Phone, cseq: number) => (await register(phone, cseq)).status === 200
    const keepRegistering = async (phone: Phone) => {
      for (let cseq = 1; on; cseq++) {
        const end = performance.now() + 15_000
        for (let tries = 1; !(await isTaken(phone, cseq)); tries++, cseq++, repeated++) {
          if (performance.now() > end) return void failures.push(`${phone.aor}: refused ${tries} times`)
          await sleep(200) // an edge on a busy machine lets in only so many
        }
        done++
        await sleep(20)
      }
    }
    const load = Promise.allSettled(phones.map(keepRegistering))
    const outcomes: number[] = []
    try {
      await waitUntil('REGISTERs before the death', () => done > 200, 20_000)
      const before = done
      await cluster.kill('location 0')
      for (const callee of phones.slice(0, 10)) outcomes.push((await calls(caller, callee)).status)
      await waitUntil('REGISTERs after the death', () => done > before + 200, 20_000)
      await knows(0, 2)
    } finally {
      await cluster.restore()
      on = false
    }
    const ended = await load
    console.info(`${done} REGISTERs, ${repeated} repeated; calls: ${outcomes.join(' ')}`)
    expect(ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []))).toEqual([])
    expect(failures).toEqual([])
    expect(outcomes).toEqual(Array(10).fill(486))
    for (const [k, phone] of phones.entries())
      expect((await cluster.locate(USERS[k] as string)).map(({ uri }) => `<${uri}>`)).toEqual([phone.contact])
    await knows(0, 2)
    for (const node of [0, 1])
      expect(await cluster.metric(`location ${node}`, 'tandem_location_revoked_total')).not.toBeGreaterThan(0)
  })

  it('two edges race for one address: both bindings, or the later one by the rules; never anything else', async () => {
    const aor = `sip:racer@${DOMAIN}`
    const [one, two] = [await cluster.phone('racer', 0), await cluster.phone('racer', 1)]
    await forget(one)
    const ask = (phone: Phone, callId: string, cseq: number, contact: string) =>
      phone.ask('REGISTER', { uri: `sip:${DOMAIN}`, callId, cseq, headers: [`Contact: ${contact};expires=600`] })
    const wrong: string[] = []
    for (let round = 1; round <= 1_000; round++) {
      const [a, b] = [`<sip:racer@192.0.2.1:${round}>`, `<sip:racer@192.0.2.2:${round}>`]
      const isOneCall = round % 2 === 0
      const callId = token()
      const answers = await Promise.all([
        ask(one, callId, 1, a),
        isOneCall ? ask(two, callId, 2, a) : ask(two, token(), 1, b),
      ])
      const found = (await cluster.locate('racer')).map(({ uri, cseq }) => `${uri} ${cseq}`).sort()
      const statuses = answers.map(({ status }) => status)
      const wanted = isOneCall ? [`${a.slice(1, -1)} 2`] : [`${a.slice(1, -1)} 1`, `${b.slice(1, -1)} 1`]
      // The later one always holds; the earlier one is 200, or 500 where it came after [RFC3261-10.3.7].
      const isRight = isOneCall
        ? statuses[1] === 200 && [200, 500].includes(statuses[0] ?? 0)
        : statuses.join() === '200,200'
      if (!isRight || found.join() !== wanted.join()) wrong.push(`${round}: ${statuses} ${found}`)
      const gone = await one.ask('REGISTER', {
        uri: `sip:${DOMAIN}`,
        to: `<${aor}>`,
        callId: token(),
        headers: ['Contact: *', 'Expires: 0'],
      })
      if (gone.status !== 200) wrong.push(`${round}: ${gone.startLine}`)
    }
    expect(wrong).toEqual([])
  })

  it('an edge is killed: the others know it within a second, its phones are unreachable at once and gone when it is back; the feed says so, once a node that died was followed by another', async () => {
    const callee = await cluster.phone('keeper', 1, 'tcp')
    await forget(callee)
    await register(callee, 1, token())
    expect(await calls(caller, callee)).toEqual({ rang: true, status: 486 })
    const [binding] = (await cluster.locate('keeper')).filter(({ flow }) => flow?.edgeId !== '')
    if (binding?.flow === undefined) throw new Error('no binding behind a connection')
    const shard = await shardWith(redis, 'keeper')
    const group = `customer-${token()}`
    await redis.ask('XGROUP', 'CREATE', `{l${shard}}:changes`, group, '$')
    const began = performance.now()
    await cluster.kill('edge 1')
    await waitUntil('edge 0 to know', async () => (await members(0)) === 1, 5_000, 10)
    const toldMs = performance.now() - began
    console.info(`the other edge knew after ${Math.round(toldMs)} ms`)
    expect(toldMs).toBeLessThan(1_000)
    expect((await calls(caller, callee)).rang).toBe(false)
    // The node that did not hear of it by itself reads the list of edges each second.
    const isListed = async () => (await cluster.locate('keeper')).some(({ uri }) => uri === binding.uri)
    await waitUntil('every node to leave it out', async () => !(await isListed()), 2_500)
    await cluster.launch('edge 1')
    await cluster.kill('location 1')
    const told = async (): Promise<string[]> => {
      const text = await redis.ask(
        'XREADGROUP',
        'GROUP',
        group,
        'one',
        'COUNT',
        '100',
        'STREAMS',
        `{l${shard}}:changes`,
        '>',
      )
      return [...text.matchAll(/kind\n(\w+)\naor\n(\S+)\ncontact\n(\S+)\ncause\n(\w+)/g)].map((match) =>
        match.slice(1).join(' '),
      )
    }
    const seen: string[] = []
    await waitUntil(
      'the feed to tell of it',
      async () => {
        seen.push(...(await told()))
        return seen.some((line) => line.endsWith('disconnect'))
      },
      25_000,
      100,
    )
    const ours = seen.filter((line) => line.includes(`keeper@${DOMAIN}`))
    expect(ours).toEqual([`remove sip:keeper@${DOMAIN} ${binding.uri} disconnect`])
    await cluster.launch('location 1')
    const again = await cluster.phone('keeper', 1, 'tcp')
    await register(again, 1, token())
    expect((await calls(caller, again)).rang).toBe(true)
  })

  it('an edge in drain: others know, its phones are called through it, and go elsewhere; then it is gone', async () => {
    const callee = await cluster.phone('mover', 1, 'tcp')
    await register(callee, 1, token())
    const before = await members(0)
    const ended = cluster.terminate('edge 1')
    await waitUntil(
      'edge 1 to say that it drains',
      async () => (await cluster.http('edge 1', '/readyz')).status !== 200,
      3_000,
    )
    await ended
    await waitUntil('edge 0 to know', async () => (await members(0)) === before - 1, 2_000)
    const elsewhere = await cluster.phone('mover', 0, 'tcp')
    await register(elsewhere, 1, token())
    expect((await calls(caller, elsewhere)).rang).toBe(true)
    await cluster.launch('edge 1')
  })
})

/** The shard of bindings that holds this user. */
async function shardWith(redis: RunningRedis, user: string): Promise<number> {
  for (let shard = 0; shard < 256; shard++)
    if ((await redis.ask('HEXISTS', `{l${shard}}:loc`, `sip:${user}@${DOMAIN}`)) === '1') return shard
  throw new Error(`${user} is bound nowhere`)
}
