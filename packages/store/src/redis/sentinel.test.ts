// SPDX-License-Identifier: MIT
// The Redis store behind Sentinel: it finds the master by name, and the new one after a failover.
// Not tested: several sentinels, TLS to them.
import {
  type RunningRedis,
  type RunningSentinels,
  redisAvailable,
  startRedis,
  startSentinels,
  waitUntil,
} from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contact, update, value } from '../contract/world.ts'
import { Connection } from './connection.ts'
import { createRedisStore } from './redis-store.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Sentinel tests are skipped: ${server.reason}`)

describe.skipIf(!server.available)('behind Sentinel', () => {
  let master: RunningRedis
  let replica: RunningRedis
  let sentinels: RunningSentinels

  beforeAll(async () => {
    master = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
    replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] })
    sentinels = await startSentinels({ masterPort: master.port, folder: master.folder, replicas: 1 })
  }, 30_000)
  afterAll(async () => {
    sentinels.stop()
    await Promise.all([master.stop(), replica.stop()])
  })

  it('comes back when its client gave up, as it does where a sentinel tells of a new master while another is asked', async () => {
    const settings = {
      url: `redis-sentinel://${sentinels.places}/main`,
      tls: undefined,
      timeoutMs: 1_000,
      connectTimeoutMs: 1_000,
    }
    const connection = new Connection(settings, async () => undefined)
    await waitUntil('the connection', () => connection.status.state === 'ready')
    connection.client.disconnect(false)
    await waitUntil('its end', () => connection.client.status === 'end')
    expect(connection.status.state).toBe('away')
    await waitUntil('it to be back', () => connection.status.state === 'ready')
    await connection.close()
    await waitUntil('its end for good', () => connection.client.status === 'end')
  })

  it('writes to the master, and to the new one when the old one died', async () => {
    const store = createRedisStore({ url: `redis-sentinel://${sentinels.places}/main`, timeoutMs: 1_000 })
    await waitUntil('the store', () => store.status.state === 'ready', 10_000)
    const register = (cseq: number) => store.location.register(update('sip:a@h', cseq, [contact('sip:a@192.0.2.1')]))
    expect(await register(1)).toMatchObject({ state: 'stored' })
    await waitUntil('the replica to have it', async () => (await replica.ask('DBSIZE')) !== '0')
    await master.kill()
    await waitUntil('the new master', async () => (await register(2)).state === 'stored', 15_000)
    expect(await value(store.location.locate('sip:a@h'))).toMatchObject({ bindings: [{ cseq: 2 }] })
    expect(await replica.ask('INFO', 'replication')).toContain('role:master')
    expect(store.counts()).toMatchObject({ redisMoved: 1 })
    expect(store.counts().redisLost).toBeGreaterThan(0)
    await store.close()
  }, 40_000)
})
