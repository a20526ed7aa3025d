// SPDX-License-Identifier: MIT
// How long a connection attempt may take, for each kind of address. Nobody listens; what the attempts do is tested on servers.
import { Cluster } from 'ioredis'
import { expect, it } from 'vitest'
import { Connection } from './connection.ts'

function attemptMs(url: string): number | undefined {
  const settings = { url, tls: undefined, timeoutMs: 1_000, connectTimeoutMs: 2_345 }
  const connection = new Connection(settings, async () => undefined)
  const { client } = connection
  const options = client instanceof Cluster ? client.options.redisOptions : client.options
  void connection.close()
  return options?.connectTimeout
}

it.each(['redis://127.0.0.1:1', 'redis-sentinel://127.0.0.1:1/main', 'redis-cluster://127.0.0.1:1'])(
  '%s: connectTimeoutMs, not the time of a command',
  (url) => {
    expect(attemptMs(url)).toBe(2_345)
  },
)
