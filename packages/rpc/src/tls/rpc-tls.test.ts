// SPDX-License-Identifier: MIT
//
// Mutual TLS of gRPC: who is let in, whose name is believed, and what happens when the files change. Certificates are made by the openssl
// of the machine, once; without it these tests say so.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { locateRequest, plainHandlers } from '../contract-kit.ts'
import { createRpcServer, type RpcServer } from '../rpc-server.ts'
import { serveLocation } from '../serve.ts'
import { locationService } from '../service.ts'
import { createStreamCaller } from '../stream-caller.ts'
import { createUnaryCaller } from '../unary-caller.ts'
import { RpcTls } from './rpc-tls.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) console.warn('rpc-tls.test.ts: skipped, because there is no `openssl` on the PATH')

const folder = mkdtempSync(join(tmpdir(), 'tandem-rpc-tls-'))
const at = (name: string): string => join(folder, name)
const filesOf = (name: string, ca = 'ca') => ({
  certFile: at(`${name}.crt`),
  keyFile: at(`${name}.key`),
  caFile: at(`${ca}.crt`),
})

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

function authority(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`]
  openssl('req', '-x509', ...key, '-out', `${name}.crt`, '-days', '30', '-subj', `/CN=${name}`)
}

function signed(name: string, by: string, san: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`]
  openssl('req', ...key, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
  writeFileSync(at(`${name}.ext`), `subjectAltName=${san}\n`)
  const issuer = ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial']
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...issuer,
    '-days',
    '30',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.crt`,
  )
}

beforeAll(() => {
  if (!hasOpenssl) return
  for (const name of ['ca', 'other']) authority(name)
  signed('node', 'ca', 'DNS:voice-location,IP:127.0.0.1')
  signed('node2', 'ca', 'DNS:voice-second')
  signed('stranger', 'other', 'DNS:voice-location,IP:127.0.0.1')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(!hasOpenssl)('RpcTls (needs `openssl`)', () => {
  let server: RpcServer
  let port: number
  let tls: RpcTls
  const notices: string[] = []

  beforeEach(async () => {
    notices.length = 0
    for (const kind of ['crt', 'key']) copyFileSync(at(`node.${kind}`), at(`live.${kind}`))
    tls = RpcTls.open(filesOf('live'), (sentence) => notices.push(sentence))
    server = createRpcServer({ credentials: tls.serverCredentials() })
    serveLocation(server, plainHandlers())
    port = await server.listen('127.0.0.1', 0)
  })
  afterEach(async () => {
    tls.close()
    await server.close(100)
  })

  /** The outcome of one call by whoever has these files, and believes that the server has one of these names. */
  async function ask(files: Parameters<typeof RpcTls.open>[0] | undefined, names: string[]): Promise<string> {
    const secured = files === undefined ? {} : RpcTls.open(files, () => {}).client(names)
    const caller = createUnaryCaller(locationService, `127.0.0.1:${port}`, { peer: 'edge-1.a', ...secured })
    try {
      return (await caller.invoke('locate', locateRequest('bob@example.test'), 1_500)).outcome
    } finally {
      await caller.close()
    }
  }

  it.each([
    ['by name, over an address', ['voice-location'], 'done'],
    ['by one of several names', ['voice-policy', 'voice-location'], 'done'],
    ['by address', ['127.0.0.1'], 'done'],
    ['not by a name that the certificate does not prove', ['voice-policy'], 'unknown'],
  ])('a peer with a certificate of the authority is answered: %s', async (_, names, outcome) => {
    expect(await ask(filesOf('node'), names)).toBe(outcome)
  })

  it('nobody else is: without TLS, or with a certificate of another authority', async () => {
    expect(await ask(undefined, [])).toBe('unknown')
    expect(await ask(filesOf('stranger', 'ca'), ['voice-location'])).toBe('unknown')
    expect(await ask(filesOf('node', 'other'), ['voice-location'])).toBe('unknown')
  })

  it('streams are secured too', async () => {
    const caller = createStreamCaller(locationService, [`127.0.0.1:${port}`], {
      peer: 'edge-1.a',
      ...RpcTls.open(filesOf('node'), () => {}).client(['voice-location']),
    })
    await expect.poll(() => caller.ready, { timeout: 10_000 }).toBe(true)
    expect((await caller.invoke('locate', locateRequest('bob@example.test'), 5_000)).outcome).toBe('done')
    await caller.close()
  })

  it('takes files that have changed, for new connections, once', async () => {
    for (const kind of ['crt', 'key']) copyFileSync(at(`node2.${kind}`), at(`live.${kind}`))
    await tls.reload()
    await tls.reload()
    expect(tls.counters).toEqual({ loads: 2, failures: 0 })
    expect(notices).toEqual(['gRPC certificates changed: new connections get the new ones'])
    expect(await ask(filesOf('node'), ['voice-location'])).toBe('unknown')
    expect(await ask(filesOf('node'), ['voice-second'])).toBe('done')
  })

  it('keeps the old ones where the new ones can not be used, and says so once', async () => {
    copyFileSync(at('node2.crt'), at('live.crt'))
    await tls.reload()
    await tls.reload()
    expect(tls.counters).toEqual({ loads: 1, failures: 2 })
    expect(notices).toEqual([expect.stringMatching(/can't be used, the old ones stay: .*live.crt/)])
    expect(await ask(filesOf('node'), ['voice-location'])).toBe('done')
  })

  it('does not begin with files that can not be used, and names them', () => {
    expect(() => RpcTls.open(filesOf('nowhere'), () => {})).toThrow(/nowhere.crt can't be read/)
    expect(() => RpcTls.open({ ...filesOf('node'), keyFile: at('node2.key') }, () => {})).toThrow(
      /no certificate with its key/,
    )
    writeFileSync(at('empty.crt'), '')
    expect(() => RpcTls.open(filesOf('node', 'empty'), () => {})).toThrow(/empty.crt: no authority/)
  })
})
