// SPDX-License-Identifier: MIT
import type { Availability } from './sipp.ts'

export interface RedisOptions {
  /** Further settings as 'name value' lines of redis.conf. */
  readonly config?: readonly string[]
  readonly password?: string
  readonly timeoutMs?: number
}

export interface RunningRedis {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly folder: string
  /** As a crash: SIGKILL. The data folder stays, start() brings it back on the same port. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: a server that is there and does not answer. */
  pause(): void
  resume(): void
  start(): Promise<void>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

export interface RunningRedisCluster {
  /** redis-cluster://host:port,host:port,… */
  readonly url: string
  /** The first three were masters at the start. */
  readonly nodes: readonly RunningRedis[]
  /** cluster_state:ok on every node that runs. */
  waitUntilOk(timeoutMs?: number): Promise<void>
  stop(): Promise<void>
}

export function redisAvailable(): Availability {
  throw new Error('surface only')
}

export async function startRedis(options?: RedisOptions): Promise<RunningRedis> {
  throw new Error(`surface only ${options}`)
}

/** Three masters with a replica each. */
export async function startRedisCluster(
  options?: RedisOptions & { nodeTimeoutMs?: number },
): Promise<RunningRedisCluster> {
  throw new Error(`surface only ${options}`)
}
