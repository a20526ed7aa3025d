// SPDX-License-Identifier: MIT
// The Redis store behind Sentinel: it finds the master by name, and the new one after a failover.
// Not tested: several sentinels, TLS to them.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  freePort,
  type ManagedProcess,
  type RunningRedis,
  redisAvailable,
  startProcess,
  startRedis,
} from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contact, update, value } from '../contract/world.ts'
import { createRedisStore } from './redis-store.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Sentinel tests are skipped: ${server.reason}`)

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await isSo()) return
    await sleep(50)
  }
  throw new Error('it did not come to be')
}

describe.skipIf(!server.available)('behind Sentinel', () => {
  let master: RunningRedis
  let replica: RunningRedis
  let sentinel: ManagedProcess
  let port: number

  beforeAll(async () => {
    master = await startRedis({ config: ['repl-diskless-sync-delay 0'] })
    replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] })
    port = await freePort()
    const file = join(master.folder, 'sentinel.conf')
    const watch = [`monitor main 127.0.0.1 ${master.port} 1`, 'down-after-milliseconds main 500']
    const lines = [`port ${port}`, 'bind 127.0.0.1', ...watch.map((line) => `sentinel ${line}`)]
    await writeFile(file, `${lines.join('\n')}\n`)
    const command = server.available ? server.path : ''
    sentinel = await startProcess({ command, args: [file, '--sentinel'], cwd: master.folder })
    await until(async () => (await master.ask('INFO', 'replication')).includes('state=online'))
  }, 30_000)
  afterAll(async () => {
    sentinel.signal('SIGKILL')
    await Promise.all([master.stop(), replica.stop()])
  })

  it('writes to the master, and to the new one when the old one died', async () => {
    const store = createRedisStore({ url: `redis-sentinel://127.0.0.1:${port}/main`, timeoutMs: 1_000 })
    await until(() => store.status.state === 'ready')
    const register = (cseq: number) => store.location.register(update('sip:a@h', cseq, [contact('sip:a@192.0.2.1')]))
    expect(await register(1)).toMatchObject({ state: 'stored' })
    await until(async () => (await replica.ask('DBSIZE')) !== '0')
    await sleep(1_500)
    await master.kill()
    await until(() => store.status.state === 'away')
    await until(async () => (await register(2)).state === 'stored')
    expect(await value(store.location.locate('sip:a@h'))).toMatchObject({ bindings: [{ cseq: 2 }] })
    expect(await replica.ask('INFO', 'replication')).toContain('role:master')
    await store.close()
  }, 40_000)
})
