// SPDX-License-Identifier: MIT
//
// Resources in a real Redis whose server, or whose writers, die at the worst time: what is the head is always whole, one of two writers
// wins, and whoever was away follows again. What a failover loses is told: see docs/resource-store.md.
import { createRedisStore, type ResourceStore, type Store } from '@tandem/store'
import { type RunningRedis, redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { apply, DOMAIN, type Node, OPTIONS, part, startNode, stopNodes, subscriber, until } from './resource-fixture.ts'

const { available } = redisAvailable()
const LONG_MS = 30_000

let redis: RunningRedis
const stores: Store[] = []

beforeAll(async () => {
  if (available) redis = await startRedis({ config: ['appendonly yes', 'appendfsync always'] })
}, LONG_MS)

afterEach(async () => {
  await stopNodes()
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await redis.ask('FLUSHALL')
})

afterAll(async () => {
  if (available) await redis.stop()
})

function open(): ResourceStore {
  const store = createRedisStore({ url: redis.url })
  stores.push(store)
  return store.resources
}

/** The same store, some of its operations replaced. */
const altered = (store: ResourceStore, parts: Partial<ResourceStore>): ResourceStore =>
  new Proxy(store, {
    get(target, name) {
      const own = parts[name as keyof ResourceStore] ?? target[name as keyof ResourceStore]
      return typeof own === 'function' ? own.bind(target) : own
    },
  })

const names = (node: Node): string[] => [...node.desk.node.held.keys()].sort()
const many = (from: number, count: number) => Array.from({ length: count }, (_, n) => subscriber(`u${from + n}`, {}))
const never = (): Promise<never> => new Promise(() => undefined)

describe.skipIf(!available)('resources in Redis', () => {
  test(
    'a writer that dies between its stages and its commit leaves nothing, and the next one is not held up',
    async () => {
      const dead = await startNode(altered(open(), { commit: never }))
      const alive = await startNode(open())
      await apply(alive, [DOMAIN])
      await until(() => dead.desk.node.at?.revision === 1)
      void dead.caller.apply(OPTIONS, part(many(0, 1_200)))
      await expect
        .poll(async () => (await redis.ask('KEYS', '{res}:chunk:*')).split('\n').length, { timeout: 10_000 })
        .toBe(4)
      expect(await apply(alive, many(5_000, 3))).toMatchObject({ applied: true, head: { revision: 2n } })
      const late = await startNode(open())
      await until(() => late.desk.node.at?.revision === 2)
      expect(names(late)).toEqual(names(alive))
      expect(names(late)).toHaveLength(4)
      const stages = (await redis.ask('KEYS', '{res}:chunk:*')).split('\n')
      const script = "return math.max(redis.call('PTTL', KEYS[1]), 0)"
      const left = await Promise.all(stages.map(async (key) => Number(await redis.ask('EVAL', script, '1', key))))
      // Of those that were committed nothing goes; of the torn one all does, in ten minutes.
      expect(left.filter((ms) => ms > 0 && ms <= 600_000)).toHaveLength(3)
    },
    LONG_MS,
  )

  test(
    'a commit whose answer is lost is one revision',
    async () => {
      const store = open()
      let lost = 0
      const node = await startNode(
        altered(store, {
          async commit(commit) {
            const done = await store.commit(commit)
            return lost++ === 0 ? { state: 'unknown', detail: 'the connection broke' } : done
          },
        }),
      )
      expect(await apply(node, [DOMAIN, subscriber('alice', {})])).toMatchObject({ applied: true, added: 2 })
      expect(lost).toBe(2)
      expect(await store.head()).toMatchObject({ value: { revision: 1 } })
      expect(await store.history(0, 10)).toMatchObject({ value: [{ revision: 1 }] })
    },
    LONG_MS,
  )

  test(
    'a server that dies while it is written to: all or nothing, the old one stays in use, and both nodes follow again',
    async () => {
      const store = open()
      let staged = 0
      let onKilled: (killing: Promise<void>) => void = () => undefined
      const killed = new Promise<void>((resolve) => {
        onKilled = resolve
      })
      const one = await startNode(
        altered(store, {
          async stage(stage, chunk, writes) {
            if (++staged === 2) onKilled(redis.kill())
            return store.stage(stage, chunk, writes)
          },
        }),
      )
      const two = await startNode(open())
      const [before] = [await apply(two, [DOMAIN, subscriber('alice', {})])]
      await until(() => one.desk.node.at?.revision === 1)
      const applying = one.caller.apply(OPTIONS, part(many(0, 1_500)))
      await killed
      expect([one.user('alice'), two.user('alice')]).toEqual(['sip:alice@example.test', 'sip:alice@example.test'])
      await redis.start()
      const result = await applying
      const isApplied = result.outcome === 'done' && result.value.applied
      if (!isApplied) expect(result).toMatchObject({ outcome: 'refused', refusal: { code: 'store_away' } })
      // It may have ended either way, never between; who tries again has it.
      expect((await redis.ask('HGET', '{res}:head', 'revision')) === '2').toBe(isApplied)
      if (!isApplied) await apply(one, many(0, 1_500))
      const after = await apply(two, [subscriber('bob', {})])
      expect(Number(after.head?.revision)).toBe(Number(before.head?.revision) + 2)
      await until(() => one.user('bob') !== undefined)
      expect(names(one)).toEqual(names(two))
      expect(names(one)).toHaveLength(1_503)
    },
    LONG_MS,
  )

  test(
    'two writers at once, over and over: nothing of either is lost, and nobody is told what is not so',
    async () => {
      const nodes = await Promise.all([0, 1].map(() => startNode(open())))
      await apply(nodes[0] as Node, [DOMAIN])
      const written: string[] = []
      await Promise.all(
        nodes.map(async (node, of) => {
          for (let n = 0; n < 10; ) {
            const name = `w${of}n${n}`
            const result = await node.caller.apply(OPTIONS, part([subscriber(name, {})]))
            if (result.outcome === 'done') n++
            else expect(result).toMatchObject({ outcome: 'refused', refusal: { code: 'conflict' } })
            if (result.outcome === 'done' && result.value.applied) written.push(`Subscriber/example.test/${name}`)
          }
        }),
      )
      await until(() => nodes.every(({ desk }) => desk.node.held.size === 21))
      expect(names(nodes[0] as Node)).toEqual(['Domain/example.test', ...written].sort())
      expect(await redis.ask('HGET', '{res}:head', 'revision')).toBe('21')
    },
    LONG_MS,
  )

  test(
    'a node that heard nothing for longer than the history is kept reads all of it anew',
    async () => {
      const away = await startNode(open())
      const writer = await startNode(open())
      await apply(writer, [DOMAIN, subscriber('alice', {})])
      await until(() => away.user('alice') !== undefined)
      await away.desk.node.stop()
      for (let n = 0; n < 102; n++) await apply(writer, [subscriber('bob', { maxContacts: 1 + (n % 2) })])
      const back = await startNode(open())
      await until(() => back.desk.node.at?.revision === writer.desk.node.at?.revision)
      expect(names(back)).toEqual(names(writer))
      expect(back.desk.node.at).toEqual(writer.desk.node.at)
    },
    LONG_MS,
  )

  test(
    'a revision that can not be read leaves the one before in use, which is told',
    async () => {
      const store = open()
      const [node, writer] = [await startNode(store), await startNode(open())]
      await apply(writer, [DOMAIN, subscriber('alice', {})])
      await until(() => node.user('alice') !== undefined)
      expect(node.desk.missing()).toEqual([])
      await writer.desk.stop()
      const damaged = [['Subscriber/example.test/alice', '{"m":"api","r":2}\n{"kind":"Subscr']] as const
      await store.stage('damaged00', 0, damaged)
      const head = await store.head()
      if (head.state !== 'stored') throw new Error(head.detail)
      const place = { stage: 'damaged00', chunks: 1, writes: 1, expected: head.value, hash: 'other', note: '{}' }
      expect(await store.commit(place)).toMatchObject({ value: { outcome: 'committed' } })
      await until(() => node.desk.trouble !== '')
      expect(node.user('alice')).toBe('sip:alice@example.test')
      expect(node.desk.missing()[0]).toBe('resources: revision 1 is in use, the newest is 2')
      await store.stage('mended000', 0, [['Subscriber/example.test/alice', '']])
      const newest = await store.head()
      if (newest.state !== 'stored') throw new Error(newest.detail)
      await store.commit({ ...place, stage: 'mended000', expected: newest.value, hash: 'third' })
      await until(() => node.desk.missing().length === 0)
      expect(node.user('alice')).toBeUndefined()
    },
    LONG_MS,
  )

  test(
    'a server that comes back empty changes nothing on a node, which says so',
    async () => {
      const node = await startNode(open())
      await apply(node, [DOMAIN, subscriber('alice', {})])
      await redis.ask('FLUSHALL')
      await until(() => node.desk.trouble !== '')
      expect(node.desk.trouble).toContain('lost all resources')
      expect(node.desk.missing()).toEqual(['resources: the store has lost all resources'])
      expect(node.user('alice')).toBe('sip:alice@example.test')
    },
    LONG_MS,
  )
})
