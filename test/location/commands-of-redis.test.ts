// SPDX-License-Identifier: MIT
// What Redis is asked for a REGISTER, a lookup, a call and expiry, as MONITOR shows it: no KEYS, no SCAN of any kind, nothing that goes
// through all of a big table, and no more commands than the table of docs/store.md says.
// Not tested: commands of administrators, which list a shard at a time.
import { readFileSync } from 'node:fs'
import { createReference, type Store } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Monitor, openMonitor, type Seen } from './support/monitor.ts'
import { locate, locationOn, openStore, register } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Commands of Redis are not counted: ${server.reason}`)

const DOC = readFileSync(new URL('../../docs/store.md', import.meta.url), 'utf8')
/** All of a table, or of the key space. HGETALL is of one call or of the members, HKEYS of one nonce. */
const SWEEPING = /^(keys|.*scan|randomkey|smembers|sort|hvals|flushall|flushdb|dbsize)$/
const CONTEXT = { msLeft: 2_000, peer: 'edge-0.a' }
const SHARDS = 256

describe.skipIf(!server.available)('what Redis is asked', () => {
  let redis: RunningRedis
  let monitor: Monitor
  let store: Store
  beforeAll(async () => {
    redis = await startRedis()
    store = await openStore({ url: redis.url })
    monitor = await openMonitor(redis)
  }, 30_000)
  afterAll(async () => {
    monitor.close()
    await store.close()
    await redis.stop()
  })

  const call = {
    transactionKey: 'z9hG4bK1',
    owner: 'edge-0.a',
    invite: Buffer.alloc(900),
    upstream: undefined,
    callRef: 'r',
    plan: Buffer.alloc(0),
    step: 0,
    branches: [],
    leaseMs: 60_000,
  }
  const ref = createReference()
  const description = {
    callId: 'c',
    fromTag: 'f',
    fromUri: 'sip:a@b.test',
    toUri: 'sip:c@b.test',
    requestUri: 'sip:c@b.test',
    source: undefined,
    identity: 'a',
    account: '',
    edgeId: 'edge-0.a',
    userAgent: '',
    setupAgeMs: 0,
    ringAgeMs: 0,
    attempts: [],
  }
  const node = () => locationOn(store)

  it.each<[what: string, act: () => Promise<unknown>]>([
    ['REGISTER of a new binding', () => register(node(), 1, 1)],
    ['REGISTER that refreshes', () => register(node(), 1, 2)],
    ['REGISTER that is a repeat', () => register(node(), 1, 2)],
    [
      'nonce count of a digest',
      async () =>
        store.policy.useNonce({
          nonceId: 'nonce',
          count: 1,
          transactionKey: 'key',
          ttlMs: 60_000,
          user: 'u',
          source: 's',
        }),
    ],
    ['lookup', () => locate(node(), 1)],
    ['call in set-up: begin', async () => node().handlers.beginCall(call, CONTEXT)],
    [
      'call in set-up: end',
      async () => node().handlers.endCall({ ...call, epoch: 1, finalStatus: 200, keepMs: 64_000 }, CONTEXT),
    ],
    [
      'call on record: begin',
      async () =>
        store.policy.mint('key', { ref, decision: Buffer.alloc(9), call: description, deadlineMs: 60_000 }, 60_000),
    ],
    [
      'call on record: answer',
      async () =>
        store.policy.answered(ref, { call: description, ageMs: 0, toTag: 't', status: 200, target: '' } as never),
    ],
    [
      'call on record: end',
      async () =>
        store.policy.ended(ref, {
          call: description,
          ageMs: 0,
          fromTag: 'f',
          toTag: 't',
          by: '',
          status: 200,
          reason: '',
        } as never),
    ],
  ])('%s', async (what, act) => {
    const seen = await monitor.during(act)
    console.info(
      `${what}: ${seen.sent.length} sent (${seen.sent}), ${seen.inScripts.length} in scripts (${seen.inScripts})`,
    )
    expect(seen.sent.length).toBeGreaterThan(0)
    expectModest(seen)
    const [scripts, inside] = documented(what)
    expect(seen.sent.length).toBeLessThanOrEqual(scripts)
    expect(seen.inScripts.length).toBeLessThanOrEqual(inside)
  })

  it('a round of expiry: one script a shard, and no more of a shard than is due', async () => {
    const location = node()
    const nothing = await monitor.during(() => location.sweep())
    expectModest(nothing)
    expect(nothing.sent.length).toBeLessThanOrEqual(2 * SHARDS)
    expect(nothing.inScripts.length).toBeLessThanOrEqual(5 * SHARDS)
  })
})

function expectModest({ sent, inScripts }: Seen): void {
  expect([...sent, ...inScripts].filter((name) => SWEEPING.test(name))).toEqual([])
}

/** Scripts and the commands inside them, at most, by the table of docs/store.md. */
function documented(what: string): [scripts: number, inside: number] {
  const row = DOC.split('\n').find((line) => line.startsWith(`| ${what} |`))
  const [, , scripts, inside] = (row ?? '').split('|').map((cell) => Number(cell.trim()))
  if (!scripts || !inside) throw new Error(`docs/store.md has no row "${what}"`)
  return [scripts, inside]
}
