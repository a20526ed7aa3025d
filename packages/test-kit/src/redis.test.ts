// SPDX-License-Identifier: MIT
// The drivers against the real redis-server. Not tested here: what Redis itself does.
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningRedis, type RunningRedisCluster, redisAvailable, startRedis, startRedisCluster } from './redis.ts'
import { askRedis } from './resp-client.ts'
import { waitUntil } from './wait.ts'

const redis = redisAvailable()
const title = redis.available ? 'redis' : `redis (skipped: ${redis.reason})`

describe.skipIf(!redis.available)(title, () => {
  describe('one server', () => {
    let server: RunningRedis
    beforeAll(async () => {
      server = await startRedis({ config: ['maxmemory 64mb'] })
    })
    afterAll(() => server.stop())

    it('answers, with its settings', async () => {
      expect(await server.ask('CONFIG', 'GET', 'maxmemory')).toBe('maxmemory\n67108864')
      expect(await server.ask('SET', 'k', 'two words')).toBe('OK')
      expect(await server.ask('GET', 'k')).toBe('two words')
      expect(await server.ask('MGET', 'k', 'absent')).toBe('two words\n')
      await expect(server.ask('NOSUCH')).rejects.toThrow(/unknown command/)
    })

    it('is silent when paused, and back when resumed', async () => {
      server.pause()
      await expect(askRedis(server.port, ['PING'], undefined, 100)).rejects.toThrow(/silent/)
      server.resume()
      expect(await server.ask('PING')).toBe('PONG')
    })

    it('dies at once and comes back on its port', async () => {
      const { port, pid } = server
      await server.kill()
      await expect(server.ask('PING')).rejects.toThrow()
      await server.start()
      expect(server.port).toBe(port)
      expect(server.pid).not.toBe(pid)
      expect(await server.ask('PING')).toBe('PONG')
    })
  })

  it('asks for its password, and removes its folder', async () => {
    const server = await startRedis({ password: 'secret' })
    expect(server.url).toBe(`redis://:secret@127.0.0.1:${server.port}`)
    await expect(askRedis(server.port, ['PING'])).rejects.toThrow(/NOAUTH/)
    expect(await server.ask('PING')).toBe('PONG')
    await server.stop()
    expect(existsSync(server.folder)).toBe(false)
  })

  it('says why it does not start', async () => {
    await expect(startRedis({ config: ['no-such-setting 1'] })).rejects.toThrow(/no-such-setting/)
  })

  it('forms a cluster that is writable on every master, and survives the loss of one', async () => {
    const cluster: RunningRedisCluster = await startRedisCluster({ nodeTimeoutMs: 500 })
    try {
      expect(cluster.url).toMatch(/^redis-cluster:\/\/(127\.0\.0\.1:\d+,?){6}$/)
      const nodes = await cluster.nodes[0]?.ask('CLUSTER', 'NODES')
      expect(nodes?.match(/ (myself,)?master /g)).toHaveLength(3)
      expect(nodes?.match(/ (myself,)?slave /g)).toHaveLength(3)
      await cluster.nodes[0]?.kill()
      await waitUntil(
        'the replica to be master',
        async () => (await cluster.nodes[3]?.ask('ROLE'))?.startsWith('master') === true,
        10_000,
      )
      await cluster.waitUntilOk()
    } finally {
      await cluster.stop()
    }
  }, 40_000)
})
