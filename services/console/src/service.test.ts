// SPDX-License-Identifier: MIT
//
// The admin API over real sockets: who may call what, JSON and its refusals, bounds, the audit log, TLS, gRPC beside REST.
// Not tested here: what policy and location do (their own tests), a cluster behind it (test/e2e/admin-api.test.ts).
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { admin, policy, refused, resources, unknown } from '@tandem/rpc'
import { afterEach, describe, expect, it } from 'vitest'
import { applied, handAnswered, startConsole, type TestConsole } from './testing.ts'
import { makeSelfSigned } from './tls/self-signed.ts'
import { hashOfToken } from './tokens.ts'

const TOKENS = (['read', 'operate', 'admin'] as const).map((role) => ({
  name: `${role}er`,
  role,
  hash: hashOfToken(`t-${role}`),
}))
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const JSON_TYPE = { 'content-type': 'application/json' }

const running: TestConsole[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.service.stop()
})

async function start(...args: Parameters<typeof startConsole>): Promise<TestConsole> {
  const started = await startConsole(...args)
  running.push(started)
  return started
}

async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(text) as {
      error?: { code: string; message: string; where?: object; problems?: object[] }
    } & Record<string, unknown>,
  }
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(url, {
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

const SOURCE = 'kind: Domain\n'

describe('calls', () => {
  const call = policy.LiveCall.fromPartial({ callRef: 'c/1', state: 'answered', setupUnixMs: 5n })
  const answers = {
    listCalls: () => policy.ListCallsResponse.fromPartial({ calls: [call], truncated: false }),
    requestHangUp: () => ({ state: 'ending', edgeCount: 1 }),
    list: () =>
      resources.ListResponse.fromPartial({
        resources: [{ key: 'Domain/a.test', json: '{"kind":"Domain"}' }],
        total: 1,
      }),
    apply: () => applied(),
    delete: () => applied({ removed: 1 }),
    rollback: () => applied(),
    kick: () => ({ removed: 1 }),
  }

  it('pass to the service that has them, from path, query and body, and come back as JSON', async () => {
    const { backends, asked } = handAnswered(answers)
    const { url } = await start(backends)
    expect((await ask(`${url}/v1/calls?limit=3`)).body).toMatchObject({ calls: [{ callRef: 'c/1', setupUnixMs: 5 }] })
    expect((await post(`${url}/v1/calls/c%2F1/hangup`, { reason: 'enough' })).body).toEqual({
      state: 'ending',
      edgeCount: 1,
    })
    expect((await ask(`${url}/v1/resources?kind=Domain&label=a%3Db&label=c%3D`)).body).toMatchObject({
      resources: [{ key: 'Domain/a.test', document: { kind: 'Domain' } }],
    })
    await ask(`${url}/v1/resources/Subscriber/alice?domain=a.test`, { method: 'DELETE' })
    await post(`${url}/v1/revisions/4/rollback`, { comment: 'back' })
    await ask(`${url}/v1/bindings/sip:alice%40a.test?contact=sip%3Aa`, { method: 'DELETE' })
    expect(asked).toMatchObject([
      { method: 'listCalls', request: { limit: 3 } },
      { method: 'requestHangUp', request: { callRef: 'c/1', reason: 'enough' } },
      { method: 'list', request: { kind: 'Domain', labels: { a: 'b', c: '' } } },
      { method: 'delete', request: { keys: ['Subscriber/a.test/alice'], author: 'loopback' } },
      { method: 'rollback', request: { revision: 4n, comment: 'back', author: 'loopback' } },
      { method: 'kick', request: { aor: 'sip:alice@a.test', contact: 'sip:a' } },
    ])
  })

  it('take documents as JSON, YAML and NDJSON', async () => {
    const { backends, asked } = handAnswered(answers)
    const { url } = await start(backends)
    await post(`${url}/v1/apply`, { files: [{ file: 'a.yaml', text: SOURCE }], comment: 'x' })
    await post(`${url}/v1/diff?file=b.yaml&replace=true&manager=ci`, SOURCE, { 'content-type': 'application/yaml' })
    const lines = ['c.yaml', 'd.yaml'].map((file) => JSON.stringify({ file, text: SOURCE })).join('\n')
    const { body } = await post(`${url}/v1/apply?expectedRevision=6`, lines, { 'content-type': 'application/x-ndjson' })
    expect(body).toMatchObject({ applied: true, head: { revision: 7 } })
    expect(asked.map(({ request }) => request)).toMatchObject([
      { options: { comment: 'x', dryRun: false, author: 'loopback' }, texts: ['a.yaml: kind: Domain\n'] },
      { options: { dryRun: true, replace: true, manager: 'ci' }, texts: ['b.yaml: kind: Domain\n'] },
      { options: { expectedRevision: 6n }, texts: ['c.yaml: kind: Domain\n', 'd.yaml: kind: Domain\n'] },
    ])
  })

  it('problems of documents are one error with file, line, column and path', async () => {
    const problem = {
      file: 'a.yaml',
      document: 1,
      line: 3,
      column: 5,
      code: 'invalid',
      path: 'spec.relam',
      expected: 'unknown key',
    }
    const { backends } = handAnswered({
      apply: () => applied({ applied: false, problems: [resources.Problem.fromPartial(problem)] }),
    })
    const { url } = await start(backends)
    const { status, body } = await post(`${url}/v1/apply`, { files: [{ file: 'a.yaml', text: SOURCE }] })
    expect(status).toBe(422)
    expect(body.error).toMatchObject({
      code: 'invalid_resources',
      where: { file: 'a.yaml', line: 3, column: 5, path: 'spec.relam' },
      problems: [{ expected: 'unknown key' }],
    })
  })

  it('keep the code of a service that refuses; one that is away is 503', async () => {
    const { backends } = handAnswered({
      getAccount: () => refused('unknown_account', 404, 'no such account'),
      listEdges: () => unknown('timeout: x'),
    })
    const { url } = await start(backends)
    expect(await ask(`${url}/v1/accounts/x`)).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_account' } },
    })
    expect(await ask(`${url}/v1/edges`)).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } })
  })
})

describe('refusals', () => {
  const BAD: readonly (readonly [string, string, RequestInit, number, string, string])[] = [
    ['no such path', '/v1/nothing', {}, 404, 'not_found', ''],
    ['no such method', '/v1/calls', { method: 'DELETE' }, 405, 'method_not_allowed', ''],
    ['an unknown query field', '/v1/calls?limt=1', {}, 400, 'bad_request', 'did you mean "limit"'],
    [
      'an unknown body field',
      '/v1/bans',
      { method: 'POST', headers: JSON_TYPE, body: '{"adress":"192.0.2.1"}' },
      400,
      'bad_request',
      'did you mean "address"',
    ],
    [
      'a wrong type',
      '/v1/bans',
      { method: 'POST', headers: JSON_TYPE, body: '{"address":1}' },
      400,
      'bad_request',
      'address: expected a text',
    ],
    ['a number that is none', '/v1/calls?limit=many', {}, 400, 'bad_request', 'expected a whole number'],
    [
      'broken JSON',
      '/v1/bans',
      { method: 'POST', headers: JSON_TYPE, body: '{"address":\n "secret' },
      400,
      'bad_json',
      'not JSON',
    ],
    [
      'brackets without end',
      '/v1/bans',
      { method: 'POST', headers: JSON_TYPE, body: '['.repeat(500) },
      400,
      'bad_json',
      'deep',
    ],
    [
      'a form',
      '/v1/bans',
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' },
      415,
      'unsupported_media',
      '',
    ],
    ['a path with a broken escape', '/v1/accounts/%ff', {}, 400, 'bad_request', ''],
    ['another site', '/v1/calls', { headers: { origin: 'https://evil.test' } }, 403, 'cross_site', ''],
    [
      'a body above the limit',
      '/v1/bans',
      { method: 'POST', headers: JSON_TYPE, body: `{"address":"${'1'.repeat(3_000)}"}` },
      413,
      'too_large',
      'console.maxBodyBytes',
    ],
  ]
  it.each(BAD)('%s', async (_what, path, init, status, code, message) => {
    const { backends } = handAnswered()
    const { url } = await start(backends, { 'console.maxBodyBytes': 2_048 })
    const answer = await ask(url + path, init)
    expect(answer).toMatchObject({ status, body: { error: { code } } })
    expect(answer.body.error?.message).toContain(message)
    expect(answer.body.error?.message).not.toContain('secret')
  })

  it('a Host that is none of ours is refused where no token is needed', async () => {
    const { backends } = handAnswered()
    const { service } = await start(backends)
    const answer = await raw(
      service.ports.rest,
      'GET /v1/calls HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 403 [\s\S]*cross_site/)
  })

  it('documents that are too large are refused while they come, in chunks too', async () => {
    const { backends } = handAnswered({ apply: () => applied() })
    const { service } = await start(backends, { 'console.maxApplyBytes': 2_048 })
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`
    const head =
      'POST /v1/apply HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(await raw(service.ports.rest, head + chunk.repeat(3))).toMatch(/^HTTP\/1.1 413 [\s\S]*too_large/)
  })

  it('a client that does not finish its request is ended', async () => {
    const { backends } = handAnswered()
    const { service } = await start(backends, { 'console.requestTimeoutMs': 1_000 })
    const head =
      'POST /v1/bans HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'
    expect(await raw(service.ports.rest, head)).toMatch(/^HTTP\/1.1 408 /)
  })

  it('more requests than allowed are told to come later', async () => {
    let answer: (value: object) => void = () => undefined
    const waiting = new Promise<object>((resolve) => {
      answer = resolve
    })
    const { backends } = handAnswered()
    const held = { ...backends, location: { call: () => waiting as never } }
    const { url } = await start(held, { 'console.maxRequests': 1 })
    const first = ask(`${url}/v1/edges`)
    await expect.poll(async () => (await ask(`${url}/v1/calls`)).status, { timeout: 10_000 }).toBe(503)
    answer({ outcome: 'done', value: { edges: undefined } })
    expect((await first).status).toBe(200)
  })
})

/** Sends bytes and reads until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)))
    socket.setTimeout(15_000, () => socket.destroy(new Error('silence')))
  })
}

describe('tokens', () => {
  const flags = { 'console.tokens': TOKENS, 'console.wrongTokens.max': 3 }
  const answers = {
    topUp: () => ({ balance: 1n, repeatedBefore: false, currency: 'EUR' }),
    listBans: () => ({ bans: [], truncated: false }),
    apply: () => applied(),
  }

  it('have roles, checked for each method of the definition', async () => {
    const { backends } = handAnswered(answers)
    const { url } = await start(backends, flags)
    const status = async (token: string, verb: string, path: string) =>
      (
        await ask(url + path, {
          method: verb,
          headers: { ...bearer(token), ...JSON_TYPE },
          ...(verb === 'POST' && { body: '{}' }),
        })
      ).status
    const table = []
    for (const role of ['read', 'operate', 'admin']) {
      const token = `t-${role}`
      table.push([
        await status(token, 'GET', '/v1/bans'),
        await status(token, 'POST', '/v1/accounts/a/topup'),
        await status(token, 'POST', '/v1/diff'),
        await status(token, 'POST', '/v1/apply'),
      ])
    }
    expect(table).toEqual([
      [200, 403, 200, 403],
      [200, 200, 200, 403],
      [200, 200, 200, 200],
    ])
    expect((await ask(`${url}/v1/whoami`, { headers: bearer('t-read') })).body).toMatchObject({
      name: 'reader',
      role: 'read',
    })
  })

  it('are needed once there are any; pages about the API are for anybody', async () => {
    const { backends, asked } = handAnswered()
    const { url } = await start(backends, flags)
    const answer = await ask(`${url}/v1/bans`)
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'no_token' } } })
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    expect((await ask(`${url}/openapi.json`)).body).toMatchObject({ openapi: '3.1.0' })
    expect((await ask(`${url}/schemas/Trunk.json`)).body).toMatchObject({ type: 'object' })
    expect(asked).toEqual([])
  })

  it('that are wrong close the door to their address for a while', async () => {
    const { backends } = handAnswered(answers)
    const { url } = await start(backends, flags)
    const codes = []
    for (const token of ['a', 'b', 'c', 'd', 't-admin'])
      codes.push((await ask(`${url}/v1/bans`, { headers: bearer(token) })).body.error?.code)
    expect(codes).toEqual([
      'wrong_token',
      'wrong_token',
      'wrong_token',
      'too_many_wrong_tokens',
      'too_many_wrong_tokens',
    ])
  })

  it('are demanded before it listens beyond loopback', async () => {
    const { backends } = handAnswered()
    await expect(startConsole(backends, { 'console.bindAddress': '0.0.0.0' })).rejects.toThrow(
      /expected at least one token/,
    )
  })
})

describe('the audit log', () => {
  it('has a line for each change, with who, what and the outcome, and without documents', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-audit-'))
    const file = join(folder, 'audit.ndjson')
    const { backends } = handAnswered({ apply: () => applied(), liftBan: () => refused('nothing', 404, 'no ban') })
    const { url } = await start(backends, { 'console.tokens': TOKENS, 'console.audit.file': file })
    const text = 'password: hush\n'
    await post(`${url}/v1/apply`, { files: [{ file: 'a.yaml', text }], comment: 'hello' }, bearer('t-admin'))
    await post(`${url}/v1/apply?comment=streamed&file=s.yaml`, text, {
      ...bearer('t-admin'),
      'content-type': 'application/yaml',
    })
    await ask(`${url}/v1/bans/192.0.2.1`, { method: 'DELETE', headers: bearer('t-operate') })
    await ask(`${url}/v1/bans`, { headers: bearer('t-read') })
    const written = readFileSync(file, 'utf8')
    expect(written).not.toContain('hush')
    expect(
      written
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      {
        who: 'adminer',
        role: 'admin',
        source: '127.0.0.1',
        by: 'rest',
        method: 'apply',
        what: { files: ['a.yaml'], comment: 'hello' },
        outcome: 'done',
        revision: 7,
      },
      { method: 'apply', what: { files: ['s.yaml'], comment: 'streamed' }, outcome: 'done' },
      { who: 'operateer', method: 'liftBan', what: { target: '192.0.2.1' }, outcome: 'nothing', revision: 0 },
    ])
    await rm(folder, { recursive: true })
  })

  it('that can not be written lets no change through', async () => {
    const { backends, asked } = handAnswered({
      apply: () => applied(),
      listBans: () => ({ bans: [], truncated: false }),
    })
    const { url } = await start(backends, { 'console.audit.file': '/dev/null/audit.ndjson' })
    expect(await post(`${url}/v1/apply`, { files: [] })).toMatchObject({
      status: 503,
      body: { error: { code: 'audit_unavailable' } },
    })
    expect((await ask(`${url}/v1/bans`)).status).toBe(200)
    expect(asked.map(({ method }) => method)).toEqual(['listBans'])
  })
})

describe('answers before the end of a body', () => {
  const bytes = 8_000_000
  /** Sends all of it before it reads, as a plain client does. */
  const sendAll = (url: string, path: string, type: string, line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname: host, port } = new URL(url)
      const socket = connect({ host, port: Number(port) })
      const body = line.repeat(Math.ceil(bytes / line.length))
      const head = `POST ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`
      let answered = ''
      socket.setEncoding('latin1').on('error', reject)
      socket.write(head + body, () =>
        socket
          .on('data', (text: string) => {
            answered += text
          })
          .on('close', () => resolve(answered)),
      )
    })

  it('who sends on reads why: a missing token, documents that are none, a body above the bound', async () => {
    const { backends } = handAnswered({ apply: () => applied() })
    const guarded = await start(backends, { 'console.tokens': TOKENS })
    expect(await sendAll(guarded.url, '/v1/apply', 'application/yaml', '# nothing\n')).toMatch(/^HTTP\/1.1 401 /)
    const open = await start(handAnswered({ apply: () => applied() }).backends, { 'console.maxApplyBytes': 1_048_576 })
    const large = await sendAll(open.url, '/v1/apply', 'application/yaml', '# nothing\n')
    expect(large).toMatch(/^HTTP\/1.1 413 [\s\S]*connection: close[\s\S]*too_large/i)
    const none = await sendAll(open.url, '/v1/apply', 'application/x-ndjson', 'not json\n')
    expect(none).toMatch(/^HTTP\/1.1 4\d\d /)
  })
})

describe('TLS and gRPC', () => {
  it('a certificate of its own stays the same over restarts, and is its own authority', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-cert-'))
    const flags = { 'console.tls.mode': 'on', 'console.tls.folder': folder }
    const { backends } = handAnswered()
    const first = await start(backends, flags)
    const fingerprint = (one: TestConsole) =>
      one.lines.map((line) => (line as { fingerprint?: string }).fingerprint).find(Boolean)
    const ca = readFileSync(join(folder, 'console-cert.pem'), 'utf8')
    const status = await new Promise((resolve, reject) => {
      const asked = httpsRequest(
        { host: '127.0.0.1', port: first.service.ports.rest, path: '/openapi.json', ca },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      asked.on('error', reject).end()
    })
    expect(status).toBe(200)
    await first.service.stop()
    expect(fingerprint(await start(backends, flags))).toBe(fingerprint(first))
    await rm(folder, { recursive: true })
  })

  it('shows a changed certificate to new connections of REST and gRPC; what is none changes nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-cert-'))
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const put = (cert: string, key: string): void => {
      writeFileSync(certFile, cert)
      writeFileSync(keyFile, key)
    }
    const [one, two] = [makeSelfSigned(['127.0.0.1'], Date.now()), makeSelfSigned(['127.0.0.1'], Date.now())]
    put(one.cert, one.key)
    const flags = { 'console.tls.mode': 'on', 'console.tls.certFile': certFile, 'console.tls.keyFile': keyFile }
    const console = await start(handAnswered().backends, { ...flags, 'console.tls.reloadMs': 20 })
    const shownAt = (port: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({
          host: '127.0.0.1',
          port,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2', 'http/1.1'],
        })
        socket.on('error', reject).on('secureConnect', () => {
          resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
          socket.destroy()
        })
      })
    const fingerprint = ({ cert }: { cert: string }) => new X509Certificate(cert).fingerprint256
    const { rest, grpc } = console.service.ports
    expect([await shownAt(rest), await shownAt(grpc)]).toEqual([fingerprint(one), fingerprint(one)])
    put(one.cert, two.key)
    const warnings = () => console.lines.filter((line) => JSON.stringify(line).includes("can't be used"))
    await expect.poll(() => warnings().length, { timeout: 10_000 }).toBe(1)
    expect(await shownAt(rest)).toBe(fingerprint(one))
    put(two.cert, two.key)
    await expect.poll(() => shownAt(rest), { timeout: 10_000 }).toBe(fingerprint(two))
    await expect.poll(() => shownAt(grpc), { timeout: 10_000 }).toBe(fingerprint(two))
    expect(warnings()).toHaveLength(1)
    await rm(folder, { recursive: true })
  })

  it('gRPC has the same methods, roles and errors', async () => {
    const { backends, asked } = handAnswered({
      listBans: () => ({ bans: [], truncated: true }),
      apply: () => applied(),
    })
    const { service } = await start(backends, { 'console.tokens': TOKENS })
    const client = new admin.AdminServiceClient(`127.0.0.1:${service.ports.grpc}`, credentials.createInsecure())
    const metadata = (token: string) => {
      const made = new Metadata()
      made.set('authorization', `Bearer ${token}`)
      return made
    }
    const bans = await new Promise<policy.ListBansResponse>((resolve, reject) =>
      client.listBans({ limit: 0 }, metadata('t-read'), (error, answer) => (error ? reject(error) : resolve(answer))),
    )
    expect(bans.truncated).toBe(true)
    const failure = await new Promise<ServiceError>((resolve) =>
      client.liftBan({ target: 'x' }, metadata('t-read'), (error) => resolve(error as ServiceError)),
    )
    expect(failure).toMatchObject({ code: 7, details: expect.stringContaining('forbidden: ') })
    const response = await new Promise<resources.ApplyResponse>((resolve, reject) => {
      const stream = client.applyStream(metadata('t-admin'), (error, answer) =>
        error ? reject(error) : resolve(answer),
      )
      stream.write({ part: { $case: 'options', value: resources.ApplyOptions.fromPartial({ comment: 'c' }) } })
      stream.write({ part: { $case: 'source', value: { file: 'a.yaml', text: Buffer.from(SOURCE) } } })
      stream.end()
    })
    expect(response.applied).toBe(true)
    expect(asked.at(-1)).toMatchObject({
      request: { options: { comment: 'c', author: 'adminer' }, texts: ['a.yaml: kind: Domain\n'] },
    })
    client.close()
  })
})
