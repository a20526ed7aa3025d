// SPDX-License-Identifier: MIT
// The call-out, from the upgrade of a WebSocket to a small web server and back. The web server sees what a site would; the client is that of
// the package ws. Not tested here: HTTPS toward the site.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, BlockList, connect } from 'node:net'
import { waitUntil } from '@tandem/test-kit'
import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { StreamAdmission } from '../admission.ts'
import { WsTransport, type WsTransportOptions } from '../ws.ts'
import { WsAuthorizer, type WsAuthorizerOptions } from './ws-authorizer.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function site(answer: RequestListener): Promise<{ server: Server; url: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return { server, seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth?of=sip` }
}

async function edge(
  url: string,
  options: Partial<WsAuthorizerOptions> = {},
  more: Partial<WsTransportOptions> = {},
): Promise<{ transport: WsTransport; port: number; notices: string[] }> {
  const notices: string[] = []
  const authorizer = new WsAuthorizer({
    url,
    timeoutMs: 2_000,
    maxConcurrent: 50,
    forwardHeaders: ['Cookie', 'authorization', 'origin'],
    onNotice: (sentence) => notices.push(sentence),
    ...options,
  })
  const sink = { onMessage() {}, onClose() {}, onFramingError() {} }
  const pings = { intervalMs: 0, timeoutMs: 0 }
  const transport = new WsTransport({ sink, origins: [], pings, authorizer, ...more })
  ends.push(
    () => authorizer.close(),
    () => transport.close(50),
  )
  const { port } = await transport.listen({ address: '127.0.0.1', port: 0 })
  return { transport, port, notices }
}

interface Outcome {
  /** 101 where it was let in. */
  readonly status: number
  readonly challenge: string | undefined
}

function dial(port: number, options: ClientOptions = {}, path = '/'): Promise<Outcome> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['sip'], options)
  ends.push(() => ws.terminate())
  return new Promise((resolve, reject) => {
    ws.once('open', () => resolve({ status: 101, challenge: undefined }))
    ws.once('unexpected-response', (_request, { statusCode = 0, headers }) =>
      resolve({ status: statusCode, challenge: headers['www-authenticate'] }),
    )
    ws.once('error', reject)
  })
}

function upgrade(path: string, field: string): string {
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip'
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n${field}\r\n\r\n`
}

const until = (isTrue: () => boolean): Promise<void> => waitUntil(String(isTrue), isTrue, 4_000, 2)

describe('an upgrade', () => {
  it('is asked about with its cookies, credentials, Origin, path and client [RFC7118-7a]', async () => {
    const { url, seen } = await site((_request, response) => response.end())
    const { port, transport } = await edge(url)
    const headers = {
      Cookie: 'session=42; lang=en',
      Authorization: 'Basic YTpi',
      'X-Forwarded-For': '192.0.2.1',
      'X-Secret': 's',
    }
    const outcome = await dial(port, { headers, origin: 'https://app.test' }, '/sip?room=1')
    expect(outcome.status).toBe(101)
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/auth?of=sip' })
    expect(seen[0]?.headers).toMatchObject({
      cookie: 'session=42; lang=en',
      authorization: 'Basic YTpi',
      origin: 'https://app.test',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-original-uri': '/sip?room=1',
      host: new URL(url).host,
    })
    expect(Object.keys(seen[0]?.headers ?? {})).not.toContain('x-secret')
    expect(transport.counters).toMatchObject({ authorized: 1, handshakes: 1, handshakeFailures: 0 })
  })

  it('behind a load balancer is asked about with the address of the client', async () => {
    const { url, seen } = await site((_request, response) => response.end())
    const proxySources = new BlockList()
    proxySources.addAddress('127.0.0.1')
    const { port, transport } = await edge(url, {}, { proxySources })
    const socket = connect(port, '127.0.0.1')
    ends.push(() => socket.destroy())
    socket.write(Buffer.from('0d0a0d0a000d0a515549540a2111000cc6336407cb00710104d213c4', 'hex'))
    socket.write(upgrade('/', 'Origin: a'))
    await until(() => transport.counters.authorized === 1)
    expect(seen[0]?.headers).toMatchObject({ 'x-forwarded-for': '198.51.100.7' })
  })

  it('with whatever bytes is passed on as it came, or refused', async () => {
    const cookies: (string | undefined)[] = []
    const { url } = await site((request, response) => {
      cookies.push(request.headers.cookie)
      response.end()
    })
    const admission = new StreamAdmission({ maxConnectionsPerSource: 600, maxHandshakesPerSource: 600 })
    const { port, transport } = await edge(url, {}, { admission })
    const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))
    for (const byte of bytes) {
      for (const text of [upgrade('/', `Cookie: a=${byte}b`), upgrade(`/a${byte}b`, 'Cookie: path')]) {
        const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
        ends.push(() => socket.destroy())
        socket.on('error', () => {}).resume()
      }
    }
    await until(() => transport.counters.authorized + transport.counters.handshakeFailures === 512)
    const visible = bytes.filter((byte) => /[\t\x20-\x7e\x80-\xff]/.test(byte))
    expect(cookies).toEqual(expect.arrayContaining(visible.map((byte) => `a=${byte}b`)))
    expect(cookies).not.toContain('a=\0b')
    expect(transport.counters.authorizerFailures).toBe(0)
  })

  it.each([
    [
      '401 with its challenge [RFC7118-7b]',
      401,
      'Digest realm="café", nonce="n"',
      401,
      'Digest realm="café", nonce="n"',
      'unauthorized',
    ],
    [
      '401 with a challenge of ours where it has none [RFC7118-7b]',
      401,
      undefined,
      401,
      'Basic realm="sip"',
      'unauthorized',
    ],
    ['403', 403, undefined, 403, undefined, 'forbidden'],
    ['a redirect as 503', 302, undefined, 503, undefined, 'authorizerFailures'],
    ['404 as 503', 404, undefined, 503, undefined, 'authorizerFailures'],
    ['500 as 503', 500, undefined, 503, undefined, 'authorizerFailures'],
  ] as const)('is refused by %s', async (_title, status, challenge, expected, expectedChallenge, count) => {
    const { url } = await site((_request, response) => {
      response.writeHead(status, challenge === undefined ? {} : { 'WWW-Authenticate': challenge })
      response.end('why')
    })
    const { port, transport } = await edge(url)
    expect(await dial(port)).toEqual({ status: expected, challenge: expectedChallenge })
    expect(transport.counters).toMatchObject({ [count]: 1, authorized: 0, handshakes: 0, handshakeFailures: 1 })
    await until(() => transport.arrivalCount + transport.connectionCount === 0)
  })

  it('that is none for SIP, or from a page of others, is refused unasked', async () => {
    const { url, seen } = await site((_request, response) => response.end())
    const { port } = await edge(url, {}, { origins: ['https://app.test'] })
    expect(await dial(port, { origin: 'https://evil.test' })).toMatchObject({ status: 403 })
    expect(seen).toHaveLength(0)
  })
})

describe('who asks', () => {
  it('refuses with 503 where nobody answers, and says so once, and again when somebody does', async () => {
    let isMute = true
    const { url } = await site((_request, response) => void (isMute || response.end()))
    const { port, transport, notices } = await edge(url, { timeoutMs: 60 })
    const headers = { Cookie: 'session=42' }
    expect(await dial(port, { headers })).toMatchObject({ status: 503 })
    expect(await dial(port, { headers })).toMatchObject({ status: 503 })
    isMute = false
    expect(await dial(port, { headers })).toMatchObject({ status: 101 })
    expect(transport.counters).toMatchObject({ authorizerTimeouts: 2, authorizerFailures: 0, authorized: 1 })
    expect(notices).toEqual([
      'edge.webSocket.authorize.url: no answer within 60 ms; WebSockets are refused with 503',
      'edge.webSocket.authorize.url: it answers again',
    ])
  })

  it.each([
    ['nobody listens', undefined],
    ['the answer is no HTTP', 'SIP/2.0 200 OK\r\n\r\n'],
    [
      'the answer switches protocols',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
    ],
    ['its header does not end', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(40_000)}`],
  ])('refuses with 503 where %s', async (_what, bytes) => {
    const { url, server } = await site(() => {})
    if (bytes === undefined) server.close()
    else {
      server.removeAllListeners('request')
      server.on('request', ({ socket }: IncomingMessage) => socket.write(bytes))
    }
    const { port, transport } = await edge(url)
    expect(await dial(port)).toMatchObject({ status: 503 })
    expect(transport.counters).toMatchObject({ authorizerFailures: 1, authorized: 0 })
  })

  it('keeps its connection, and asks once more where the far end has just closed it', async () => {
    const ports = new Set<number | undefined>()
    let left = 2
    const { url, seen } = await site(({ socket }, response) => {
      ports.add(socket.remotePort)
      if (left-- === 0) socket.resetAndDestroy()
      else response.end()
    })
    const { port } = await edge(url)
    for (let k = 0; k < 3; k++) expect(await dial(port)).toMatchObject({ status: 101 })
    expect(seen).toHaveLength(4)
    expect(ports.size).toBe(2)
  })

  it('throws an answer without end away, with its connection', async () => {
    const ended: number[] = []
    const { url } = await site((request, response) => {
      request.socket.once('close', () => ended.push(1))
      response.writeHead(200)
      for (let k = 0; k < 20; k++) response.write(Buffer.alloc(10_000))
    })
    const { port } = await edge(url, { timeoutMs: 30_000, maxConcurrent: 1 })
    expect(await dial(port)).toMatchObject({ status: 101 })
    await until(() => ended.length === 1)
    expect(await dial(port)).toMatchObject({ status: 101 })
  })

  it('has no more requests under way than it may; the others get their turn', async () => {
    let underWay = 0
    let most = 0
    const { url, seen } = await site((_request, response) => {
      most = Math.max(most, ++underWay)
      setTimeout(() => {
        underWay--
        response.end()
      }, 5)
    })
    const { port } = await edge(url, { maxConcurrent: 2 })
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => dial(port)))
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill(101))
    expect(seen).toHaveLength(8)
    expect(most).toBe(2)
  })

  it('asks nothing more for a client whose time is over, and gives its turn to the next', async () => {
    let isMute = true
    const { url, seen } = await site((_request, response) => void (isMute || response.end()))
    const time = { now: 0 }
    const { port, transport } = await edge(url, { maxConcurrent: 1, timeoutMs: 60_000 }, { now: () => time.now })
    const first = dial(port).catch(() => 'gone')
    const second = dial(port).catch(() => 'gone')
    await until(() => seen.length === 1 && transport.arrivalCount === 2)
    isMute = false
    time.now = 10_001
    transport.sweep()
    expect([await first, await second]).toEqual(['gone', 'gone'])
    expect(await dial(port)).toMatchObject({ status: 101 })
    expect(transport.counters).toMatchObject({ handshakeTimeouts: 2, authorized: 1, authorizerTimeouts: 0 })
    expect(seen.length).toBeLessThan(4)
  })
})
