// SPDX-License-Identifier: MIT
// The master of Redis dies behind Sentinel in the middle of REGISTERs through SIP edges, durability `replica`: edges answer 503 with Retry-After,
// no longer than the failover takes, nothing acknowledged is lost, and nobody is deregistered: unreachable is not dead [DESIGN §3.9].
import { type RunningRedis, redisAvailable, startRedis, startSentinels, waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { calls, DOMAIN, NodeCluster } from './support/node-cluster.ts'
import { type Message, type Phone, token } from './support/phone.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of a failover are skipped: ${server.reason}`)
const LOAD = Array.from({ length: 12 }, (_, k) => `load${k}`)
const STREAM = Array.from({ length: 6 }, (_, k) => `stream${k}`)
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe.skipIf(!server.available)('a master dies under edges', () => {
  let master: RunningRedis
  let cluster: NodeCluster
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    const config = ['repl-diskless-sync-delay 0', 'min-replicas-to-write 1']
    master = await startRedis({ config })
    cleanups.push(() => master.stop())
    for (let k = 0; k < 2; k++) {
      const replica = await startRedis({ config: [...config, `replicaof 127.0.0.1 ${master.port}`] })
      cleanups.push(() => replica.stop())
    }
    const both = async () => [...(await master.ask('INFO', 'replication')).matchAll(/state=online/g)].length === 2
    await waitUntil('both replicas', both)
    const sentinels = await startSentinels({ count: 3, masterPort: master.port, folder: master.folder, replicas: 2 })
    cleanups.push(() => sentinels.stop())
    const store = `redis-sentinel://${sentinels.places}/main`
    cluster = await NodeCluster.start({ store, durability: 'replica', users: [...LOAD, ...STREAM, 'caller'] })
    cleanups.push(() => cluster.stop())
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  it('REGISTERs get 503 with Retry-After meanwhile; nothing acknowledged is lost; all are still registered, and can be called', async () => {
    const streams = await Promise.all(STREAM.map((user, k) => cluster.phone(user, k % 2, 'tcp')))
    for (const phone of streams) expect((await register(phone, 1, token())).status).toBe(200)
    const loads = await Promise.all(LOAD.map((user, k) => cluster.phone(user, k % 2)))
    const load = new Load(loads)
    await sleep(1_000)
    await master.kill()
    await waitUntil('a REGISTER to be refused', () => load.refused.length > 0, 10_000)
    const before = load.acknowledged.slice()
    const isBack = () => load.acknowledged.every((cseq, k) => cseq > (before[k] ?? 0) + 2)
    await waitUntil('all to be served again', isBack, 20_000)
    await load.stop()
    console.info(`${load.done} acknowledged, ${load.refused.length} refused in ${Math.round(load.awayMs)} ms`)
    expect(load.awayMs).toBeLessThan(8_000)
    expect(new Set(load.refused.map(({ status }) => status))).toEqual(new Set([503]))
    expect(load.refused.filter((reply) => !(Number(reply.header('Retry-After')) > 0)).map(({ text }) => text)).toEqual(
      [],
    )
    const lost: string[] = []
    for (const [k, user] of LOAD.entries()) {
      const cseq = (await cluster.locate(user))[0]?.cseq ?? 0
      if (cseq < (load.acknowledged[k] ?? 0)) lost.push(`${user}: ${cseq} of ${load.acknowledged[k]}`)
    }
    expect(lost).toEqual([])
    await sleep(6_000) // longer than a lease
    const caller = await cluster.phone('caller', 0)
    for (const [k, callee] of streams.entries()) {
      expect(await cluster.locate(STREAM[k] as string)).toHaveLength(1)
      expect(await calls(caller, callee)).toEqual({ rang: true, status: 486 })
    }
    for (const edge of [0, 1]) expect(await cluster.metric(`edge ${edge}`, 'tandem_edge_members')).toBe(2)
    for (const node of [0, 1])
      expect(await cluster.metric(`location ${node}`, 'tandem_location_disconnected_total')).not.toBeGreaterThan(0)
  })
})

function register(phone: Phone, cseq: number, callId: string): Promise<Message> {
  return phone.register({ cseq, callId, uri: `sip:${DOMAIN}` })
}

/** REGISTERs without a pause, each with a higher CSeq; what was acknowledged, and when it was not. */
class Load {
  readonly acknowledged: number[]
  readonly refused: Message[] = []
  done = 0
  #firstMs = 0
  #lastMs = 0
  #isOn = true
  readonly #users: Promise<void>[]

  constructor(phones: readonly Phone[]) {
    this.acknowledged = phones.map(() => 0)
    this.#users = phones.map((phone, k) => this.#run(phone, k))
  }

  /** From the first REGISTER that was not acknowledged to the last one. */
  get awayMs(): number {
    return this.#lastMs - this.#firstMs
  }

  async stop(): Promise<void> {
    this.#isOn = false
    await Promise.all(this.#users)
  }

  async #run(phone: Phone, k: number): Promise<void> {
    const callId = token()
    for (let cseq = 1; this.#isOn; cseq++) {
      const reply = await register(phone, cseq, callId)
      if (reply.status === 200) {
        this.done++
        this.acknowledged[k] = cseq
      } else {
        this.#firstMs ||= performance.now()
        this.#lastMs = performance.now()
        this.refused.push(reply)
      }
      await sleep(20)
    }
  }
}
