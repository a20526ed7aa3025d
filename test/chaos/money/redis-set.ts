// SPDX-License-Identifier: MIT
// Redis of a money run: a master, two replicas and three sentinels. The master can be killed; it comes back as a replica of the new one.
// It comes back when every sentinel names the new one. A master that is back sooner is a second master for a second: clients that ask a sentinel
// which has not heard yet write to it, a replica that has not been told yet acknowledges, and both forget it. No client can help that.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  askRedis,
  type RunningRedis,
  type RunningSentinels,
  startRedis,
  startSentinels,
  waitUntil,
} from '@tandem/test-kit'

const REPLICAS = 2
/** The replicas follow the new master by then. */
const AGREED_MS = 3_000

/** Port of the master that the sentinel at host:port names. */
async function masterAt(place: string): Promise<number> {
  const words = ['SENTINEL', 'get-master-addr-by-name', 'main']
  const reply = await askRedis(Number(place.slice(place.lastIndexOf(':') + 1)), words).catch(() => '')
  return Number(/\b(\d{4,5})\s*$/.exec(reply.trim())?.[1] ?? 0)
}

export class RedisSet {
  readonly #servers: RunningRedis[] = []
  #sentinels: RunningSentinels | undefined

  /** @param memoryMb bound of each server; 0: none */
  static async start(memoryMb: number): Promise<RedisSet> {
    const set = new RedisSet()
    try {
      await set.#start(memoryMb)
    } catch (error) {
      await set.stop()
      throw error
    }
    return set
  }

  async #start(memoryMb: number): Promise<void> {
    const config = ['repl-diskless-sync-delay 0', 'min-replicas-to-write 1', 'maxmemory-policy noeviction']
    if (memoryMb > 0) config.push(`maxmemory ${memoryMb}mb`)
    const master = await startRedis({ config })
    this.#servers.push(master)
    for (let k = 0; k < REPLICAS; k++) {
      this.#servers.push(await startRedis({ config: [...config, `replicaof 127.0.0.1 ${master.port}`] }))
    }
    const all = async () => [...(await master.ask('INFO', 'replication')).matchAll(/state=online/g)].length === REPLICAS
    await waitUntil('the replicas', all)
    const of = { masterPort: master.port, folder: master.folder, replicas: REPLICAS }
    this.#sentinels = await startSentinels({ count: 3, ...of })
  }

  get url(): string {
    return `redis-sentinel://${this.#sentinels?.places}/main`
  }

  /** Kills the master, waits for another one, and starts it again. @returns how long there was none */
  async failOver(): Promise<number> {
    const [old, ...others] = this.#servers as [RunningRedis, ...RunningRedis[]]
    const began = performance.now()
    await old.kill()
    let promoted: RunningRedis | undefined
    const isThere = async (): Promise<boolean> => {
      for (const server of others) {
        const role = await server.ask('INFO', 'replication').catch(() => '')
        if (role.includes('role:master')) promoted = server
      }
      return promoted !== undefined
    }
    await waitUntil('another master', isThere, 30_000)
    const tookMs = Math.round(performance.now() - began)
    const isKnown = async (): Promise<boolean> => {
      const named = await Promise.all((this.#sentinels?.places ?? '').split(',').map(masterAt))
      return named.every((port) => port === promoted?.port)
    }
    await waitUntil('all sentinels to name it', isKnown, 30_000)
    await sleep(AGREED_MS)
    await old.start()
    this.#servers.splice(0, 3, promoted as RunningRedis, ...others.filter((server) => server !== promoted), old)
    return tookMs
  }

  /** One command to the master that is now. */
  ask(...words: string[]): Promise<string> {
    return (this.#servers[0] as RunningRedis).ask(...words)
  }

  async stop(): Promise<void> {
    this.#sentinels?.stop()
    await Promise.all(this.#servers.map((server) => server.stop()))
  }
}
