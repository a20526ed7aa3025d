// SPDX-License-Identifier: MIT
// The commands on bindings as processes, against a running cluster of several processes on Redis whose phones are SIPp's: what they print,
// their exit status (0 done, 1 failed, 2 wrong usage), and sentences that help. And what `doctor` says of real stores.
// Not tested here: the same over TLS and as a user of the ACL (test/location/redis-kinds.test.ts).
import { type RunningRedis, redisAvailable, sippAvailable, startRedis, startRedisCluster } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Cluster, freeBlock } from './support/cluster.ts'
import { registerSipp } from './support/sipp.ts'
import { runTandem } from './support/tandem.ts'

const missing = [redisAvailable(), sippAvailable()].find(({ available }) => !available)
if (missing?.available === false) console.warn(`Tests of commands are skipped: ${missing.reason}`)

const SECRETS = '[{"id":1,"secret":"for-this-test-and-no-other"}]'

describe.skipIf(missing !== undefined)('commands on bindings', () => {
  let redis: RunningRedis
  let cluster: Cluster
  let env: Record<string, string>
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    redis = await startRedis()
    cleanups.push(() => redis.stop())
    const secrets = { TANDEM_CLUSTER_SECRETS: SECRETS }
    cluster = await Cluster.start({ store: redis.url, processes: 'many', env: secrets })
    cleanups.push(() => cluster.stop())
    env = { ...secrets, TANDEM_LOCATION_GRPC_PORT: String(cluster.basePort + 20) }
    for (const [i, user] of ['alice', 'bob', 'carol'].entries())
      await registerSipp(user, cluster.sipPort(0), 40_000 + i)
    await registerSipp('alice', cluster.sipPort(0), 40_010, 'tcp')
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  const tandem = (...args: string[]) => runTandem(args, env)

  it('locate: a table, JSON, YAML; 1 for nobody', async () => {
    const table = await tandem('locate', 'bob@EXAMPLE.test')
    expect(table).toMatchObject({ status: 0, err: '' })
    expect(table.out).toContain('sip:bob@127.0.0.1:40001')
    const json = await tandem('locate', 'sip:%62ob@example.test', '-o', 'json')
    const [binding] = JSON.parse(json.out) as { uri: string; expiresS: number }[]
    expect(binding?.uri).toContain('sip:bob@127.0.0.1:40001')
    expect(binding?.expiresS).toBeGreaterThan(0)
    expect((await tandem('locate', 'alice@example.test', '-o', 'yaml')).out).toMatch(
      /uri: .*40000.*uri: .*40010|40010.*40000/s,
    )
    const nobody = await tandem('locate', 'frank@example.test')
    expect(nobody).toEqual({
      status: 1,
      out: '',
      err: expect.stringContaining('sip:frank@example.test is not registered.'),
    })
  })

  it('registrations: how many, and who', async () => {
    expect(await tandem('registrations', '--domain', 'example.test', '--count')).toEqual({
      status: 0,
      out: '3\n',
      err: '',
    })
    expect(await tandem('registrations', '--domain', 'other.test', '--count')).toMatchObject({ status: 0, out: '0\n' })
    const list = await tandem('registrations', '-o', 'json')
    expect((JSON.parse(list.out) as { aor: string }[]).map(({ aor }) => aor).sort()).toEqual([
      'sip:alice@example.test',
      'sip:bob@example.test',
      'sip:carol@example.test',
    ])
  })

  it('bindings export, kick, bindings import: what was taken is back', async () => {
    const exported = await tandem('bindings', 'export')
    expect(exported.status).toBe(0)
    expect(exported.out.trim().split('\n')).toHaveLength(3)
    expect(exported.err).toContain('4 bindings of 3 addresses-of-record')

    const one = await tandem('kick', 'alice@example.test', '--contact', 'sip:alice@127.0.0.1:40010;transport=tcp')
    expect(one).toMatchObject({ status: 0, err: '' })
    expect((await tandem('locate', 'alice@example.test')).out).not.toContain('40010')
    const again = await tandem('kick', 'alice@example.test', '--contact', 'sip:alice@127.0.0.1:40010;transport=tcp')
    expect(again.status).toBe(1)
    expect(again.err).toContain('sip:alice@example.test is not registered at sip:alice@127.0.0.1:40010;transport=tcp.')
    for (const user of ['alice', 'bob', 'carol']) expect((await tandem('kick', `${user}@example.test`)).status).toBe(0)
    expect((await tandem('registrations', '--count')).out).toBe('0\n')

    const imported = await runTandem(['bindings', 'import'], env, exported.out)
    expect(imported).toMatchObject({ status: 0, err: expect.stringContaining('4 bindings stored') })
    expect((await tandem('registrations', '--count')).out).toBe('3\n')
    expect((await tandem('locate', 'carol@example.test')).out).toContain('sip:carol@127.0.0.1:40002')
    const broken = await runTandem(['bindings', 'import'], env, '{"aor":\n')
    expect(broken).toMatchObject({ status: 1, err: expect.stringContaining('line 1: expected a JSON object') })
  })

  it.each([
    ['locate without an address', ['locate'], 2, "missing required argument 'aor'"],
    ['an unknown flag', ['kick', 'alice@example.test', '--all'], 2, "unknown option '--all'"],
    ['an unknown format', ['locate', 'alice@example.test', '-o', 'xml'], 2, 'Allowed choices are table, json, yaml'],
    ['an unknown verb', ['locat', 'alice@example.test'], 2, 'Did you mean locate?'],
    ['no domain', ['locate', 'alice'], 1, 'alice is no address-of-record: expected user@domain.'],
  ] as const)('%s: %j ends with %i', async (_what, args, status, sentence) => {
    expect(await tandem(...args)).toEqual({ status, out: '', err: expect.stringContaining(sentence) })
  })

  it('drain: the edge says that it goes and is not ready, the other one stays; 1 for none', async () => {
    const policy = { TANDEM_POLICY_GRPC_PORT: String(cluster.basePort + 21) }
    const drained = await runTandem(['drain', 'edge-1'], { ...env, ...policy })
    expect(drained).toMatchObject({ status: 0, err: '' })
    expect(drained.out).toMatch(/edge-1 +edge-1\.\w+ +draining/)
    expect([await cluster.http(0, '/readyz'), await cluster.http(1, '/readyz')]).toEqual([200, 503])
    const nobody = await runTandem(['drain', 'edge-9'], { ...env, ...policy })
    expect(nobody).toMatchObject({ status: 1, out: '' })
    expect(nobody.err).toContain('No edge edge-9 is connected to policy. Those of the cluster: edge-0, edge-1.')
  }, 30_000)

  it('no cluster: 1, and a sentence that says where it was looked for', async () => {
    const port = String((await freeBlock([0])) + 3)
    const lost = await runTandem(['locate', 'alice@example.test'], { ...env, TANDEM_LOCATION_GRPC_PORT: port })
    expect(lost.status).toBe(1)
    expect(lost.err).toContain(`location at 127.0.0.1:${port} does not answer`)
    expect(lost.err).toContain('Is `tandem up` running?')
  })

  it('the store is away: 1, and a sentence', async () => {
    redis.pause()
    const lost = await tandem('locate', 'alice@example.test')
    redis.resume()
    expect(lost.status).toBe(1)
    expect(lost.err).toMatch(/location .*(refused|does not answer).*(store|no answer)/s)
  })
})

describe.skipIf(missing !== undefined)('doctor, of the store', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  async function examine(store: string, more: Record<string, string> = {}) {
    const port = await freeBlock()
    const secrets = { TANDEM_CLUSTER_SECRETS: SECRETS }
    const ran = await runTandem(['doctor', '--store', store, '--base-port', String(port), '-o', 'json'], {
      ...secrets,
      ...more,
    })
    const found = JSON.parse(ran.out) as { check: string; state: string; detail: string }[]
    return { status: ran.status, stateOf: (check: string) => found.find((one) => one.check === `store${check}`)?.state }
  }

  it('one that evicts fails; one without persistence is warned of', async () => {
    const redis = await startRedis({ config: ['maxmemory 50mb', 'maxmemory-policy allkeys-lru'] })
    cleanups.push(() => redis.stop())
    const found = await examine(redis.url)
    expect(found.status).toBe(1)
    expect(found.stateOf('')).toBe('ok')
    expect(found.stateOf(' eviction')).toBe('fail')
    expect(found.stateOf(' persistence')).toBe('warn')
    expect(found.stateOf(' clock')).toBe('ok')
    expect(found.stateOf(' memory')).toBe('ok')
  })

  it('one without replicas fails where they are to confirm, and one without a file where it is to be synced', async () => {
    const redis = await startRedis({ config: ['appendonly yes'] })
    cleanups.push(() => redis.stop())
    expect((await examine(redis.url)).stateOf(' persistence')).toBe('ok')
    const replica = await examine(redis.url, { TANDEM_STORE_DURABILITY: 'replica' })
    expect([replica.stateOf(' replicas'), replica.stateOf(' guard')]).toEqual(['fail', 'warn'])
    await redis.ask('CONFIG', 'SET', 'appendonly', 'no')
    expect((await examine(redis.url, { TANDEM_STORE_DURABILITY: 'fsync' })).stateOf(' fsync')).toBe('fail')
  })

  it('of a Cluster every master is looked at', async () => {
    const cluster = await startRedisCluster()
    cleanups.push(() => cluster.stop())
    const good = await examine(cluster.url, { TANDEM_STORE_DURABILITY: 'replica' })
    expect([good.stateOf(' replicas'), good.stateOf(' eviction'), good.stateOf(' cluster')]).toEqual([
      'ok',
      'ok',
      undefined,
    ])
    await cluster.nodes[1]?.ask('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
    expect((await examine(cluster.url)).stateOf(' eviction')).toBe('fail')
    await cluster.nodes[2]?.ask('CLUSTER', 'DELSLOTS', '16383')
    expect((await examine(cluster.url)).stateOf(' cluster')).toBe('fail')
  })
})
