// SPDX-License-Identifier: MIT
// Bans at policy nodes over a memory store with a clock that stands still: who is counted, who is banned, who is spared, what edges are told.
// Not tested here: the store's rules (packages/store/src/contract/bans.ts), edges (services/edge/src/admission/banned.test.ts), processes.
import type { policy } from '@tandem/rpc'
import type { BanStore } from '@tandem/store'
import { beforeEach, describe, expect, test } from 'vitest'
import type { PolicyService, PolicySettings } from '../options.ts'
import { answerTo, createWorld, decideOn, outcomeOf, request, SETTINGS, type World } from '../policy-fixture.ts'

const CONTEXT = { msLeft: 2_000, peer: 'cli' }
const REGISTER = { method: 'REGISTER', requestUri: 'sip:example.test', to: '<sip:alice@example.test>' }
const RULES = { ...SETTINGS.bans, pairFailures: 3, sourceFailures: 6, userFailures: 5, allow: ['203.0.113.0/24'] }
const HOME = '192.0.2.1'
const THIEF = '198.51.100.9'

let world: World
beforeEach(async () => {
  world = await createWorld()
})

const nodeWith = (bans: Partial<PolicySettings['bans']> = {}, more: { bans?: BanStore } = {}) =>
  world.node({ config: { bans: { ...RULES, ...bans } }, ...more })

let tries = 0

/** One REGISTER with its challenge. */
async function tryIt(node: PolicyService, address: string, password: string, username = 'alice'): Promise<string> {
  const source = { transport: 'udp', address, port: 5060 }
  const asked = request({ ...REGISTER, source })
  const challenge = await decideOn(node, asked)
  const credentials = [answerTo(challenge, asked, { username, password })]
  const response = await decideOn(node, { ...asked, transactionKey: `try-${++tries}`, credentials })
  await new Promise((resolve) => setImmediate(resolve)) // what nobody waits for is counted
  return outcomeOf(response)
}

async function guess(node: PolicyService, address: string, times: number, username = 'alice'): Promise<string[]> {
  const outcomes: string[] = []
  for (let i = 0; i < times; i++) outcomes.push(await tryIt(node, address, `guess ${++tries}`, username))
  return outcomes
}

const right = (node: PolicyService, address: string) => tryIt(node, address, 'alice-secret')

async function listed(node: PolicyService) {
  const result = await node.handlers.listBans({ limit: 0 }, CONTEXT)
  if (result.outcome !== 'done') throw new Error('expected a list')
  return result.value.bans
}

const lift = async (node: PolicyService, target: string) => {
  const result = await node.handlers.liftBan({ target }, CONTEXT)
  if (result.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result.value.lifted
}

const BANNED = 'reject 403 banned'
const AGAIN = 'challenge 401'

describe('a user from one source', () => {
  test('is banned there after too many wrong passwords, on every node; from elsewhere he registers', async () => {
    const [one, two] = [nodeWith(), nodeWith()]
    expect(await guess(one, THIEF, 3)).toEqual([AGAIN, AGAIN, AGAIN])
    expect(await right(one, THIEF)).toBe(BANNED)
    await two.banFeed.poll()
    expect(await right(two, THIEF)).toBe(BANNED)
    expect(await right(two, HOME)).toBe('admit')
    expect(await listed(two)).toMatchObject([{ kind: 'pair', source: THIEF, user: 'alice@example.test', level: 0 }])
  })

  test('is banned for longer each time, and his success elsewhere forgives nothing', async () => {
    const node = nodeWith()
    await guess(node, THIEF, 3)
    world.clock.ms += 60_001
    await right(node, HOME)
    expect(await guess(node, THIEF, 2)).toEqual([AGAIN, BANNED])
    expect(await listed(node)).toMatchObject([{ kind: 'pair', level: 1, leftMs: 120_000n }])
  })

  test('starts anew after a success from there', async () => {
    const node = nodeWith()
    for (let round = 0; round < 4; round++) {
      expect(await guess(node, HOME, 2)).toEqual([AGAIN, AGAIN])
      expect(await right(node, HOME)).toBe('admit')
    }
    expect(await listed(node)).toEqual([])
  })

  test('a user who does not exist is banned alike', async () => {
    const node = nodeWith()
    expect(await guess(node, THIEF, 4, 'nobody')).toEqual([AGAIN, AGAIN, AGAIN, BANNED])
    expect(await listed(node)).toMatchObject([{ kind: 'pair', user: 'nobody@example.test' }])
  })
})

describe('a source', () => {
  test('is banned when it guesses of many; its edges are told, those that come later too', async () => {
    const node = nodeWith()
    const pushed: policy.Push[] = []
    node.pushes.subscribe('edge-0.1', (push) => pushed.push(push))
    for (const user of ['alice', 'bob', 'carol']) await guess(node, THIEF, 2, user)
    expect(await right(node, THIEF)).toBe(BANNED)
    const told = { event: { value: { sources: [{ source: THIEF, leftMs: 60_000n }] } } }
    expect(pushed).toMatchObject([told])
    const late: policy.Push[] = []
    node.pushes.subscribe('edge-1.1', (push) => late.push(push))
    node.hooks.onStreamOpen?.('edge-1.1')
    expect(late).toMatchObject([told])
  })

  test('is banned when a banned user goes on from there, but not where others proved themselves', async () => {
    const node = nodeWith({ userFailures: 100 })
    await guess(node, THIEF, 6)
    expect((await listed(node)).map(({ kind }) => kind).sort()).toEqual(['pair', 'source'])
    await tryIt(node, HOME, 'bob-secret', 'bob')
    await guess(node, HOME, 8)
    expect((await listed(node)).filter(({ source }) => source === HOME)).toMatchObject([{ kind: 'pair' }])
  })

  test('of IPv6 is its /64; an allowed one is never counted', async () => {
    const node = nodeWith()
    for (let host = 1; host <= 6; host++) await guess(node, `2001:db8::${host}`, 1, `user${host}`)
    expect(await listed(node)).toMatchObject([{ kind: 'source', source: '2001:db8:0:0::/64' }])
    await guess(node, '203.0.113.5', 20)
    expect(await right(node, '203.0.113.5')).toBe('admit')
    expect(node.counts.failures).toBe(6)
  })

  test('that only sends the nonce of another is told that it is stale, and nothing is counted', async () => {
    const node = nodeWith()
    const asked = request({ ...REGISTER, source: { transport: 'udp', address: HOME, port: 5060 } })
    const challenge = await decideOn(node, asked)
    for (const password of ['alice-secret', 'guess']) {
      const credentials = [answerTo(challenge, asked, { password })]
      const source = { transport: 'udp', address: THIEF, port: 5060 }
      const answer = await decideOn(node, { ...asked, transactionKey: `stolen ${password}`, source, credentials })
      expect(JSON.stringify(answer)).toContain('stale=true')
    }
    expect(node.counts.failures).toBe(0)
  })
})

describe('a user', () => {
  const crowd = async (node: PolicyService) => {
    for (let i = 1; i <= 5; i++) await guess(node, `198.51.100.${i}`, 1)
  }

  test('whom a crowd guesses is banned from everywhere but where he proved himself, whichever node knows that', async () => {
    const [one, two] = [nodeWith(), nodeWith()]
    expect(await right(one, HOME)).toBe('admit')
    await crowd(one)
    expect(await listed(two)).toMatchObject([{ kind: 'user', source: '', user: 'alice@example.test' }])
    expect(await right(two, '198.51.100.50')).toBe(BANNED)
    expect(await right(two, HOME)).toBe('admit')
    expect(await right(one, HOME)).toBe('admit')
  })

  test('is no longer spared where that was long ago', async () => {
    const node = nodeWith({ spareMs: 1_000 })
    await right(node, HOME)
    world.clock.ms += 2 * 3_600_000
    await crowd(node)
    expect(await right(nodeWith({ spareMs: 1_000 }), HOME)).toBe('admit') // this node has not read the list
    const other = nodeWith({ spareMs: 1_000 })
    await other.banFeed.poll()
    world.clock.ms += 1
    expect((await listed(other)).map(({ kind }) => kind)).toEqual(['user'])
  })
})

describe('a person', () => {
  test('lifts the bans of a user and of a source, with what led to them', async () => {
    const node = nodeWith()
    const pushed: policy.Push[] = []
    node.pushes.subscribe('edge-0.1', (push) => pushed.push(push))
    await guess(node, THIEF, 8)
    expect(await lift(node, THIEF)).toBe(2)
    expect(await listed(node)).toEqual([])
    expect(pushed.at(-1)).toMatchObject({ event: { value: { sources: [{ source: THIEF, leftMs: 0n }] } } })
    expect(await right(node, THIEF)).toBe('admit')
    await guess(node, THIEF, 3)
    expect(await lift(node, 'sip:alice@example.test')).toBe(1)
    expect(await lift(node, 'alice@example.test')).toBe(0)
  })

  test('bans an address for a time; not one that is allowed, nor what is none', async () => {
    const [node, other] = [nodeWith(), nodeWith()]
    const add = (address: string, forMs = 3_600_000n) => node.handlers.addBan({ address, forMs }, CONTEXT)
    expect(await add(THIEF)).toMatchObject({ outcome: 'done', value: { cause: 'admin', leftMs: 3_600_000n } })
    await other.banFeed.poll()
    expect(await right(other, THIEF)).toBe(BANNED)
    expect(await add('203.0.113.5')).toMatchObject({ outcome: 'refused', refusal: { code: 'ban_not_allowed' } })
    expect(await add('somewhere')).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_ban' } })
    expect(await add(THIEF, 1n)).toMatchObject({ outcome: 'refused', refusal: { code: 'bad_ban' } })
  })
})

describe('the store away', () => {
  const failed = { state: 'notStored', reason: 'away', detail: '' } as const
  const away = (): BanStore => new Proxy({} as BanStore, { get: () => () => failed })

  test('a node counts for itself and bans for itself', async () => {
    const node = nodeWith({}, { bans: away() })
    expect(await guess(node, THIEF, 4)).toEqual([AGAIN, AGAIN, AGAIN, BANNED])
    expect(await listed(node)).toMatchObject([{ kind: 'pair', local: true }])
    world.clock.ms += 60_001
    expect(await listed(node)).toEqual([])
  })

  test('or by setting nothing is counted, and that is', async () => {
    const node = nodeWith({ withoutStore: 'off' }, { bans: away() })
    expect(new Set(await guess(node, THIEF, 5))).toEqual(new Set([AGAIN]))
    expect(node.counts.failuresUncounted).toBe(10)
  })
})

test('switched off, nobody is counted or banned', async () => {
  const node = nodeWith({ enabled: false })
  expect(new Set(await guess(node, THIEF, 9))).toEqual(new Set([AGAIN]))
  expect(await right(node, THIEF)).toBe('admit')
})

test('a ban is told in the log, without secrets', async () => {
  const node = nodeWith()
  await guess(node, THIEF, 3)
  const line = world.lines.find(({ fields }) => (fields as { event?: string }).event === 'ban')
  expect(line).toMatchObject({ level: 'warn', fields: { kind: 'pair', source: THIEF, user: 'alice@example.test' } })
  expect(JSON.stringify(world.lines)).not.toContain('guess')
})
