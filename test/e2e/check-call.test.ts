// SPDX-License-Identifier: MIT
//
// `tandem check-call` against a cluster of processes whose gRPC has mutual TLS: it registers, calls and hangs up by UDP and TCP, says which
// step failed, and leaves no binding. And who has no certificate gets no answer from location.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisAvailable, startRedis } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { runTandem } from './support/tandem.ts'

const redisMissing = redisAvailable()
const missing = !redisMissing.available
  ? redisMissing.reason
  : spawnSync('openssl', ['version']).status === 0
    ? undefined
    : 'there is no `openssl` on the PATH'
if (missing !== undefined) console.warn(`test/e2e/check-call.test.ts is skipped: ${missing}`)

/** An authority, and a certificate of it for 127.0.0.1. */
function makeCertificates(folder: string): void {
  const run = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', '/CN=test')
  run('req', ...key, '-keyout', 'node.key', '-out', 'node.csr', '-subj', '/CN=node')
  writeFileSync(join(folder, 'ext'), 'subjectAltName=IP:127.0.0.1\n')
  const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext', '-days', '30']
  run('x509', '-req', '-in', 'node.csr', ...by, '-out', 'node.crt')
}

describe.skipIf(missing !== undefined)('check-call, and gRPC under mutual TLS', () => {
  const cleanups: (() => unknown)[] = []
  let cluster: Cluster
  let tls: Record<string, string>
  beforeAll(async () => {
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    const folder = mkdtempSync(join(tmpdir(), 'tandem-check-call-'))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    makeCertificates(folder)
    const file = (name: string): string => join(folder, name)
    tls = {
      TANDEM_CLUSTER_SECRETS: '[{"id":1,"secret":"for-this-test-and-no-other"}]',
      TANDEM_RPC_TLS_CERT_FILE: file('node.crt'),
      TANDEM_RPC_TLS_KEY_FILE: file('node.key'),
      TANDEM_RPC_TLS_CA_FILE: file('ca.crt'),
    }
    cluster = await Cluster.start({ store: redis.url, processes: 'many', env: tls })
    cleanups.push(() => cluster.stop())
  })
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  const check = (passwords: Record<string, string>, ...more: string[]) =>
    runTandem(
      [
        'check-call',
        '--server',
        `127.0.0.1:${cluster.sipPort(0)}`,
        '--caller',
        'alice@example.test',
        '--callee',
        'bob@example.test',
        ...more,
      ],
      { TANDEM_CHECK_CALLER_PASSWORD: 'alice-secret', TANDEM_CHECK_CALLEE_PASSWORD: 'bob-secret', ...passwords },
    )
  const registered = (env: Record<string, string>) =>
    runTandem(['registrations', '--count'], { ...env, TANDEM_LOCATION_GRPC_PORT: String(cluster.basePort + 20) })

  it.each(['udp', 'tcp'])('registers two phones, calls, hangs up, and leaves nothing: %s', async (transport) => {
    const { status, out, err } = await check({}, '--transport', transport, '-o', 'json')
    expect({ status, err }).toEqual({ status: 0, err: '' })
    const { steps } = JSON.parse(out) as { steps: { step: string; ms: number }[] }
    expect(steps.map(({ step }) => step)).toEqual(['register', 'ring', 'answer', 'hang up'])
    expect(await registered(tls)).toMatchObject({ status: 0, out: '0\n' })
  })

  it('says which step failed', async () => {
    const wrong = await check({ TANDEM_CHECK_CALLER_PASSWORD: 'wrong' })
    expect(wrong).toMatchObject({
      status: 1,
      err: expect.stringMatching(/REGISTER of alice@example.test: SIP\/2.0 40[13]/),
    })
    const none = await check({ TANDEM_CHECK_CALLEE_PASSWORD: '' })
    expect(none).toMatchObject({ status: 1, err: expect.stringContaining('set TANDEM_CHECK_CALLEE_PASSWORD') })
    const silent = await check({}, '--server', '127.0.0.1:9', '--timeout', '300')
    expect(silent).toMatchObject({ status: 1, err: expect.stringContaining('no final answer within 300 ms') })
  })

  it('location does not answer who has no certificate', async () => {
    const { TANDEM_CLUSTER_SECRETS } = tls as { TANDEM_CLUSTER_SECRETS: string }
    expect(await registered({ TANDEM_CLUSTER_SECRETS })).toMatchObject({ status: 1 })
  })
})
