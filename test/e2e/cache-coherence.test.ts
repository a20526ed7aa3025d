// SPDX-License-Identifier: MIT
// Edges keep bindings, and are told of changes. Phones move from port to port by REGISTERs through either of two edges, under a load of
// other REGISTERs, and are called at once and again and again through both: which port rings? Processes of their own, over Redis.
// Then what keeps the cache right goes away: location is stopped and killed, Redis is frozen.
// Not tested here: any order of events (test/location/cache-property.test.ts), several location nodes (test/location/watch.test.ts).
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningRedis, redisAvailable, startRedis, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { Caller, MovingPhone } from './support/moving-phones.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of the edges' caches are skipped: ${server.reason}`)

const DOMAIN = 'moving.test'
const MOVERS = 16
const MOVES = 16
const OTHERS = 100
/** When a phone is called after the 200 of its move. */
const CALLS_MS = [0, 3, 6, 10, 15, 20, 30, 40, 49, 75, 100, 200, 400, 999]
const CACHE = 'tandem_edge_location_cache'
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function documents(): unknown[] {
  const apiVersion = 'tandem/v1'
  const spec = { authentication: 'none', identity: 'off', anonymous: 'allow', accounting: false }
  const names = ['caller', ...users('mover', MOVERS), ...users('other', OTHERS)]
  const subscribers = names.map((name) => ({ apiVersion, kind: 'Subscriber', metadata: { name, domain: DOMAIN } }))
  return [{ apiVersion, kind: 'Domain', metadata: { name: DOMAIN }, spec }, ...subscribers]
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0
}

const users = (name: string, count: number): string[] => Array.from({ length: count }, (_, k) => `${name}${k}`)

describe.skipIf(!server.available)('bindings that edges keep', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-moving-'))
  const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  let redis: RunningRedis
  let cluster: Cluster
  let caller: Caller
  let phones: MovingPhone[]
  let calls = 0
  let refusals = 0
  /** What each REGISTER of a move took, in milliseconds. */
  const registerMs: number[] = []

  beforeAll(async () => {
    redis = await startRedis()
    cleanups.push(() => redis.stop())
    const config = join(folder, 'cluster.json')
    const logging = { level: 'warn' }
    const edge = { count: 2 }
    writeFileSync(config, JSON.stringify({ edge, logging, resources: { documents: documents() } }))
    cluster = await Cluster.start({
      config,
      processes: 'many',
      store: redis.url,
      env: { TANDEM_EDGE_WARM_UP_CALLS: '2000' },
    })
    cleanups.push(() => cluster.stop())
    caller = await Caller.open(DOMAIN)
    cleanups.push(() => caller.close())
    phones = await Promise.all(users('mover', MOVERS).map((user) => MovingPhone.open(user, DOMAIN)))
    cleanups.push(() => phones.map((phone) => phone.close()))
    for (const phone of phones) expect(await phone.move(cluster.sipPort(0))).toBe(200)
    await isFresh()
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  const isFresh = () => waitUntil('both caches to be on', async () => (await metric('_fresh')) === 2, 10_000)
  const metric = async (name: string): Promise<number> =>
    (await cluster.metric(0, `${CACHE}${name}{`)) + (await cluster.metric(1, `${CACHE}${name}{`))

  /** Calls through both edges. The ports that rang, and whether each call was refused by its phone. */
  async function ring(phone: MovingPhone): Promise<number[]> {
    const rung = await Promise.all([0, 1].map((edge) => caller.call(phone.user, cluster.sipPort(edge))))
    // A machine that others use may be slow enough for an edge to refuse new calls; those rang nowhere.
    for (const { status } of rung) expect([486, 503]).toContain(status)
    calls += rung.length
    refusals += rung.filter(({ status }) => status === 503).length
    return rung.flatMap(({ ports }) => ports)
  }

  /** Calls until one came through each edge: after a fault some may be refused for a while, but none rings elsewhere. */
  async function ringsThroughBoth(phone: MovingPhone): Promise<void> {
    await waitUntil(
      'a call to come through either edge',
      async () => {
        const ports = await ring(phone)
        for (const port of ports) expect(port).toBe(phone.port)
        return ports.length === 2
      },
      15_000,
    )
  }

  /** A phone that is refused comes again. */
  async function moved(phone: MovingPhone, edge: number): Promise<void> {
    const isTaken = async () => {
      const began = performance.now()
      const status = await phone.move(cluster.sipPort(edge))
      registerMs.push(performance.now() - began)
      return status === 200
    }
    await waitUntil('a REGISTER to be taken', isTaken, 15_000)
  }

  /** Milliseconds after the 200 of a move at which the last call began that rang where the phone was before; 0 where none did. */
  async function staleFor(phone: MovingPhone, edge: number): Promise<number> {
    const before = phone.port
    for (const port of await ring(phone)) expect(port).toBe(before)
    await moved(phone, edge)
    const movedMs = performance.now()
    const later = CALLS_MS.map(async (ms) => {
      if (ms > 0) await sleep(ms)
      const beganMs = performance.now() - movedMs
      const ports = await ring(phone)
      return ports.includes(before) ? Math.max(1, beganMs) : 0
    })
    return Math.max(...(await Promise.all(later)))
  }

  it('a call after the 200 of a REGISTER reaches the new contact through any edge: within a second always, p99 below 50 ms', async () => {
    const load = await otherRegisters()
    const before = { hits: await metric('_hits_total'), misses: await metric('_misses_total') }
    const stale: number[] = []
    const moving = phones.map(async (phone, k) => {
      await sleep((k * 1_000) / MOVERS)
      for (let move = 0; move < MOVES; move++) stale.push(await staleFor(phone, (k + move) % 2))
    })
    const ends = await Promise.allSettled(moving)
    const registers = await load.stop()
    expect(ends.filter(({ status }) => status === 'rejected')).toEqual([])
    const at = (share: number): number => Math.round(quantile(stale, share))
    // Where other work holds the processors, all that the processes do comes late: a REGISTER says by how much.
    const busyMs = quantile(registerMs, 0.99)
    const hits = (await metric('_hits_total')) - before.hits
    const misses = (await metric('_misses_total')) - before.misses
    const clean = stale.filter((ms) => ms === 0).length
    console.info(
      `${stale.length} moves (${registers} other REGISTERs beside them): ${clean} never rang the old contact; ` +
        `last old ring after p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(1)} ms; p99 of a REGISTER ${Math.round(busyMs)} ms; ${hits} hits, ${misses} misses; ${refusals} of ${calls} calls refused`,
    )
    expect(hits).toBeGreaterThan(stale.length)
    expect(refusals).toBeLessThan(calls / 10)
    expect(at(1)).toBeLessThan(1_000)
    expect(at(0.99)).toBeLessThan(Math.max(50, busyMs))
  })

  /** Others register, each again as soon as it is answered and a little has passed. */
  async function otherRegisters() {
    const others = await Promise.all(users('other', OTHERS).map((user) => MovingPhone.open(user, DOMAIN)))
    let isOn = true
    let count = 0
    const all = others.map(async (other, k) => {
      for (; isOn; count++) {
        await (count % 2 === 0 ? other.move(cluster.sipPort(k % 2)) : other.refresh(cluster.sipPort(k % 2)))
        await sleep(200)
      }
      other.close()
    })
    const stop = async (): Promise<number> => {
      isOn = false
      await Promise.all(all)
      return count
    }
    return { stop }
  }

  it('Redis frozen: the caches go off, and afterwards calls find what is stored', async () => {
    const [phone] = phones as [MovingPhone]
    await ring(phone)
    redis.pause()
    await waitUntil('both caches to be off', async () => (await metric('_fresh')) === 0, 10_000)
    await sleep(1_500)
    redis.resume()
    await moved(phone, 0)
    await isFresh()
    await ringsThroughBoth(phone)
  })

  it('location stopped: the caches go off, and on again with it, with what changed meanwhile', async () => {
    const [, phone] = phones as [MovingPhone, MovingPhone]
    await ring(phone)
    const pid = locationPid()
    process.kill(pid, 'SIGSTOP')
    await waitUntil('both caches to be off', async () => (await metric('_fresh')) === 0, 10_000)
    process.kill(pid, 'SIGCONT')
    await isFresh()
    await moved(phone, 1)
    await ringsThroughBoth(phone)
  })

  it('location killed: everything is forgotten, and the next one is watched', async () => {
    const [, , phone] = phones as [MovingPhone, MovingPhone, MovingPhone]
    await ring(phone)
    const flushes = await metric('_flushes_total')
    const pid = locationPid()
    process.kill(pid, 'SIGKILL')
    await waitUntil('the caches to be flushed', async () => (await metric('_flushes_total')) >= flushes + 2, 15_000)
    await moved(phone, 0)
    await isFresh()
    await ringsThroughBoth(phone)
    const hits = await metric('_hits_total')
    expect(await ring(phone)).toEqual([phone.port, phone.port])
    expect(await metric('_hits_total')).toBe(hits + 2)
  })

  /** The process that serves location to this cluster, by its arguments. */
  function locationPid(): number {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const words = argumentsOf(pid)
      if (words.includes(join(folder, 'cluster.json')) && words.join(' ').includes(' run location')) return Number(pid)
    }
    throw new Error('no process serves location')
  }
})

/** None where it has ended meanwhile. */
function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}
