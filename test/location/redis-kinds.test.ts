// SPDX-License-Identifier: MIT
// Every kind of Redis by its URL, with TLS by a private authority and with an ACL user who may do no more than is written in
// docs/store.md. Not tested: Redis 7.2 and later (WAITAOF), Valkey: there is none on this machine.
import { readFileSync } from 'node:fs'
import { createRedisStore } from '@tandem/store'
import { redisAvailable, startRedis, startRedisCluster, startSentinels, waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { locate, locationOn, openStore, register, type TlsFiles, tlsFiles } from './support/redis.ts'

const server = redisAvailable()
if (!server.available) console.warn(`Tests of every kind of Redis are skipped: ${server.reason}`)

/** The line of docs/store.md that makes the user, with a password of ours. */
const ACL = /^ACL SETUSER (tandem .*)$/m
  .exec(readFileSync(new URL('../../docs/store.md', import.meta.url), 'utf8'))?.[1]
  ?.replace(/>\S+/, '>acl-secret')

describe.skipIf(!server.available)('every kind of Redis, over TLS, as a user of the ACL', () => {
  let files: TlsFiles
  const cleanups: (() => unknown)[] = []
  beforeAll(() => {
    files = tlsFiles()
  })
  afterAll(() => files.remove())
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  async function serves(url: string): Promise<void> {
    const store = await openStore({ url, tls: { ca: files.ca } })
    cleanups.push(() => store.close())
    const service = locationOn(store)
    await service.sweep()
    for (let user = 0; user < 20; user++) expect(await register(service, user, 1)).toMatchObject({ outcome: 'done' })
    expect(await locate(service, 7)).toMatchObject({ value: { bindings: [{ uri: 'sip:7@192.0.2.1', cseq: 1 }] } })
    const lease = { edge: { ...EDGE }, leaseMs: 5_000 }
    const context = { msLeft: 2_000, peer: 'edge-0.a' }
    expect(await service.handlers.leaseEdge(lease, context)).toMatchObject({ outcome: 'done' })
  }

  it('standalone; not without the authority, and not with another password', async () => {
    const redis = await startRedis({ tls: files, config: [`user ${ACL}`, 'user default on nopass ~* &* +@all'] })
    cleanups.push(() => redis.stop())
    await serves(`rediss://tandem:acl-secret@127.0.0.1:${redis.tlsPort}`)
    const stranger = createRedisStore({ url: `rediss://tandem:acl-secret@127.0.0.1:${redis.tlsPort}` })
    const liar = createRedisStore({ url: `redis://tandem:wrong@127.0.0.1:${redis.port}` })
    cleanups.push(
      () => stranger.close(),
      () => liar.close(),
    )
    await waitUntil('both to be away', () => stranger.status.state === 'away' && liar.status.state === 'away')
    expect(stranger.status.detail).toMatch(/self-signed|unable to verify/)
    expect(liar.status.detail).toMatch(/WRONGPASS/)
  })

  it('Sentinel, which has a password of its own', async () => {
    const users = [`user ${ACL}`, 'user default on nopass ~* &* +@all']
    const redis = await startRedis({ tls: files, config: users })
    cleanups.push(() => redis.stop())
    const tls = [`tls-cert-file ${files.certFile}`, `tls-key-file ${files.keyFile}`, `tls-ca-cert-file ${files.caFile}`]
    const lines = [...tls, 'tls-replication yes', 'tls-auth-clients no', 'requirepass sentinel-secret']
    const sentinels = await startSentinels({
      masterPort: redis.tlsPort,
      folder: redis.folder,
      replicas: 0,
      config: lines,
      isTls: true,
    })
    cleanups.push(() => sentinels.stop())
    const query = '?tls=true&sentinelPassword=sentinel-secret'
    await serves(`redis-sentinel://tandem:acl-secret@${sentinels.places}/main${query}`)
  }, 30_000)

  it('Cluster', async () => {
    const users = [`user ${ACL}`, 'user default on nopass ~* &* +@all']
    const cluster = await startRedisCluster({ tls: files, config: users })
    cleanups.push(() => cluster.stop())
    const places = cluster.nodes.map((node) => `127.0.0.1:${node.tlsPort}`).join(',')
    await serves(`redis-cluster://tandem:acl-secret@${places}?tls=true`)
  }, 40_000)
})

const EDGE = {
  id: 'edge-0.a',
  name: 'edge-0',
  incarnation: 'a',
  internalAddress: '127.0.0.1',
  internalPort: 5150,
  listeners: [],
  draining: false,
  version: '',
}
