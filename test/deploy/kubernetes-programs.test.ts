// SPDX-License-Identifier: MIT
//
// The chart's small programs (deploy/kubernetes) against an API server of a few lines: which requests they make, what they write, and the
// sentence where something is missing. A real API server: docs/operations/README.md says what was tried with one.
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const PROGRAMS = resolve(import.meta.dirname, '../../deploy/kubernetes')
const folder = mkdtempSync(join(tmpdir(), 'tandem-kubernetes-'))
const objects = new Map<string, unknown>()
const requests: string[] = []
let server: Server

type Body = { metadata: { name: string; resourceVersion?: string }; data?: Record<string, string> }

beforeAll(async () => {
  writeFileSync(join(folder, 'token'), 'a-token\n')
  writeFileSync(join(folder, 'namespace'), 'voice')
  server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      requests.push(`${method} ${url}`)
      if (headers.authorization !== 'Bearer a-token') return void response.writeHead(401).end('{}')
      if (method === 'GET') {
        const found = objects.get(url)
        return void response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? {}))
      }
      const body = JSON.parse(text) as Body
      objects.set(method === 'POST' ? `${url}/${body.metadata.name}` : url, {
        ...body,
        metadata: { ...body.metadata, resourceVersion: '7' },
      })
      response.writeHead(method === 'POST' ? 201 : 200).end('{}')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  objects.clear()
  requests.length = 0
})

function run(program: string, env: Record<string, string>): Promise<{ status: number | null; err: string }> {
  const api = { KUBERNETES_API: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, TOKEN_FOLDER: folder }
  const child = spawn(process.execPath, ['--conditions=@tandem/source', join(PROGRAMS, program)], {
    env: { ...process.env, ...api, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  return new Promise((done) => child.on('close', (status) => done({ status, err })))
}

describe('address.mjs', () => {
  const file = join(folder, 'address')
  const service = (name: string, ingress: object[]): void => {
    objects.set(`/api/v1/namespaces/voice/services/${name}/status`, { status: { loadBalancer: { ingress } } })
  }
  const ask = (env: Record<string, string>) => run('address.mjs', { FILE: file, WAIT_SECONDS: '0', ...env })

  it.each([
    [[{ ip: '203.0.113.10' }], '203.0.113.10\n'],
    [[{ hostname: 'lb.example.net' }], 'lb.example.net\n'],
  ])('writes what the status of the Service has: %o', async (ingress, text) => {
    service('voice-edge', ingress)
    expect(await ask({ SERVICES: 'voice-edge' })).toMatchObject({ status: 0 })
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(requests).toEqual(['GET /api/v1/namespaces/voice/services/voice-edge/status'])
  })

  it('waits for an address', async () => {
    service('voice-edge', [])
    const waiting = ask({ SERVICES: 'voice-edge', WAIT_SECONDS: '30' })
    await expect.poll(() => requests.length, { timeout: 10_000 }).toBe(1)
    service('voice-edge', [{ ip: '203.0.113.11' }])
    expect(await waiting).toMatchObject({ status: 0, err: expect.stringContaining('waiting for 30 s') })
  })

  it.each<[string, object[], object[], RegExp]>([
    ['no address', [], [], /Service voice-udp, voice-tcp has no address.*config.edge.advertisedAddress/],
    [
      'two addresses',
      [{ ip: '203.0.113.1' }],
      [{ ip: '203.0.113.2' }],
      /different addresses \(voice-udp: 203.0.113.1, voice-tcp: 203.0.113.2\)/,
    ],
  ])('fails with a sentence: %s', async (_, udp, tcp, sentence) => {
    service('voice-udp', udp)
    service('voice-tcp', tcp)
    expect(await ask({ SERVICES: 'voice-udp,voice-tcp' })).toMatchObject({
      status: 1,
      err: expect.stringMatching(sentence),
    })
  })

  it('takes the ExternalIP of a node, or says that there is none', async () => {
    const addresses = [{ type: 'InternalIP', address: '10.0.0.1' }]
    objects.set('/api/v1/nodes/n1/status', { status: { addresses } })
    expect(await ask({ NODE_NAME: 'n1' })).toMatchObject({
      status: 1,
      err: expect.stringContaining('node n1 has no ExternalIP'),
    })
    objects.set('/api/v1/nodes/n1/status', {
      status: { addresses: [...addresses, { type: 'ExternalIP', address: '203.0.113.20' }] },
    })
    expect(await ask({ NODE_NAME: 'n1' })).toMatchObject({ status: 0 })
    expect(readFileSync(file, 'utf8')).toBe('203.0.113.20\n')
  })
})

describe('certificates.mjs', () => {
  const NAMES = { location: ['voice-location'], policy: ['voice-policy', 'voice-policy.voice.svc'] }
  const secrets = '/api/v1/namespaces/voice/secrets'
  const make = (names: object = NAMES) => run('certificates.mjs', { SECRET: 'voice-rpc', NAMES: JSON.stringify(names) })
  const read = (name: string, key: string): string =>
    Buffer.from((objects.get(`${secrets}/${name}`) as Body).data?.[key] ?? '', 'base64').toString('utf8')

  it('makes an authority and a certificate of it for each part, once', async () => {
    expect(await make()).toMatchObject({ status: 0 })
    const authority = new X509Certificate(read('voice-rpc-ca', 'tls.crt'))
    for (const [part, [name = '']] of Object.entries(NAMES)) {
      const certificate = new X509Certificate(read(`voice-rpc-${part}`, 'tls.crt'))
      expect(certificate.verify(authority.publicKey)).toBe(true)
      expect(certificate.checkHost(name)).toBe(name)
      expect(read(`voice-rpc-${part}`, 'ca.crt')).toBe(read('voice-rpc-ca', 'tls.crt'))
      expect(read(`voice-rpc-${part}`, 'tls.key')).toContain('PRIVATE KEY')
    }
    expect(new X509Certificate(read('voice-rpc-location', 'tls.crt')).checkHost('voice-policy')).toBeUndefined()
    requests.length = 0
    expect(await make()).toMatchObject({ status: 0, err: expect.stringContaining('is good') })
    expect(requests.filter((request) => !request.startsWith('GET'))).toEqual([])
  })

  it('makes one anew for another name, by the same authority, and leaves the others', async () => {
    await make()
    const before = read('voice-rpc-policy', 'ca.crt')
    const location = read('voice-rpc-location', 'tls.crt')
    expect(await make({ ...NAMES, policy: [...NAMES.policy, 'voice-console'] })).toMatchObject({
      status: 0,
      err: expect.stringContaining('does not prove voice-console'),
    })
    expect(requests.at(-1)).toBe(`PUT ${secrets}/voice-rpc-policy`)
    expect(read('voice-rpc-policy', 'ca.crt')).toBe(before)
    expect(read('voice-rpc-location', 'tls.crt')).toBe(location)
  })
})
