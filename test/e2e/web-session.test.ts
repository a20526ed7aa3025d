// SPDX-License-Identifier: MIT
// A web site that says who may open a WebSocket (RFC 7118 §7), seen from outside: a running edge, a tiny site that knows one session, and a
// client that shows its cookie, as a browser would, and then speaks SIP.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { snakeCase } from '@tandem/service-kit'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'

const SESSION = 'session=c0ffee42'
const CHALLENGE = 'Basic realm="site"'
const OFFSET = { ws: 6, wss: 7 } as const
const OPTIONS = [
  'OPTIONS sip:example.test SIP/2.0',
  'Via: SIP/2.0/WS client.invalid;branch=z9hG4bKsession',
  'Max-Forwards: 70',
  'From: <sip:user1@example.test>;tag=1',
  'To: <sip:example.test>',
  'Call-ID: session',
  'CSeq: 1 OPTIONS',
  'Content-Length: 0\r\n\r\n',
].join('\r\n')

let cluster: Cluster
let site: Server
/** The protocol that each client came by, as the site was told. */
const asked: (string | undefined)[] = []

beforeAll(async () => {
  site = createServer(({ headers }, response) => {
    asked.push([headers['x-forwarded-proto'], headers['x-forwarded-for'], headers['x-original-uri']].join(' '))
    if (headers.cookie?.split('; ').includes(SESSION) === true) response.writeHead(204)
    else if (headers.origin === 'https://banned.test') response.writeHead(403)
    else response.writeHead(401, { 'WWW-Authenticate': CHALLENGE })
    response.end()
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/sip-auth`
  cluster = await startOpenCluster(
    { 'example.test': {} },
    { edge: { count: 1, webSocket: { authorize: { url, timeoutMs: 1_000 } } } },
  )
})
afterAll(async () => {
  site.closeAllConnections()
  site.close()
  await cluster?.stop()
})

/** What the upgrade ended in: 101 with what a SIP request is answered, or the refusal. */
async function visit(transport: 'ws' | 'wss', headers: Readonly<Record<string, string>>) {
  const place = `${transport}://127.0.0.1:${cluster.sipPort(0) + OFFSET[transport]}/sip`
  const ws = new WebSocket(place, 'sip', { headers, rejectUnauthorized: false })
  ws.on('error', () => {})
  try {
    return await new Promise<{ status: number; says: string | undefined }>((resolve, reject) => {
      ws.once('open', () => ws.send(OPTIONS))
      ws.once('message', (data: Buffer) => resolve({ status: 101, says: data.toString('latin1').split('\r\n')[0] }))
      ws.once('unexpected-response', (_request, answer) =>
        resolve({ status: answer.statusCode ?? 0, says: answer.headers['www-authenticate'] }),
      )
      ws.once('close', () => reject(new Error('closed')))
    })
  } finally {
    ws.terminate()
  }
}

const counted = (transport: 'ws' | 'wss', event: string): Promise<number> =>
  cluster.metric(0, `tandem_transport_events_total{transport="${transport}",event="${snakeCase(event)}"`)

it.each(['ws', 'wss'] as const)(
  'over %s the session of the site is let in, others are not [RFC7118-7ab]',
  async (transport) => {
    asked.length = 0
    expect(await visit(transport, { Cookie: `lang=en; ${SESSION}` })).toEqual({ status: 101, says: 'SIP/2.0 200 OK' })
    expect(await visit(transport, { Cookie: 'session=forged' })).toEqual({ status: 401, says: CHALLENGE })
    expect(await visit(transport, { Origin: 'https://banned.test' })).toEqual({ status: 403, says: undefined })
    const told = `${transport === 'ws' ? 'http' : 'https'} 127.0.0.1 /sip`
    expect(asked).toEqual([told, told, told])
    for (const event of ['authorized', 'unauthorized', 'forbidden']) expect(await counted(transport, event)).toBe(1)
  },
)

it('while the site is away nobody is let in, and the log says so without a cookie', async () => {
  site.closeAllConnections()
  site.close()
  expect(await visit('ws', { Cookie: SESSION })).toEqual({ status: 503, says: undefined })
  expect(await counted('ws', 'authorizerFailures')).toBe(1)
  await waitUntil('a line', () =>
    cluster.process.output().includes('edge.webSocket.authorize.url: its connection failed'),
  )
  expect(cluster.process.output()).not.toContain('c0ffee42')
})
