// SPDX-License-Identifier: MIT
// What no phone should send, sent to a running edge: each message ends in an answer or in a counted drop (DESIGN §3.5), no bug is
// counted, and the next message works. The fine structure of messages is the torture set's part (test/conformance).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Cluster } from './support/cluster.ts'
import { token, withPhone } from './support/phone.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(() => cluster?.stop())

const LARGEST_DATAGRAM = 65_507

function options(via: string, more: readonly string[] = [], contentLength = '0', method = 'OPTIONS'): string {
  const lines = [
    `${method} sip:example.test SIP/2.0`,
    `Via: SIP/2.0/${via};branch=z9hG4bK${token()};rport`,
    'Max-Forwards: 70',
    `From: <sip:alice@example.test>;tag=${token()}`,
    'To: <sip:example.test>',
    `Call-ID: ${token()}`,
    `CSeq: 1 ${method.trim().split(' ')[0]}`,
    ...more,
    `Content-Length: ${contentLength}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

const headers = (count: number, line: string): string[] => Array.from({ length: count }, () => line)
const padded = (text: string, size: number): string => text + 'x'.repeat(size - text.length)
const UDP = 'UDP 127.0.0.1'
const TCP = 'TCP 127.0.0.1'
const NOISE = String.fromCharCode(...Array.from({ length: 2_000 }, (_, i) => (i * 7_919) & 0xff))

const DATAGRAMS: { what: string; text: string }[] = [
  { what: 'one byte', text: 'x' },
  { what: 'noise', text: NOISE },
  { what: '65,507 bytes of nothing', text: padded('', LARGEST_DATAGRAM) },
  { what: '65,507 bytes with a body that fills them', text: padded(options(UDP, [], '65000'), LARGEST_DATAGRAM) },
  { what: '10,000 headers', text: options(UDP, headers(10_000, 'a: b')) },
  { what: 'a header of 60 KB', text: options(UDP, [`X-Long: ${'x'.repeat(60_000)}`]) },
  { what: 'a Via of 60 KB', text: options(`UDP 127.0.0.1;x=${'y'.repeat(60_000)}`) },
  { what: '2,000 folded lines', text: options(UDP, ['X-Fold: a', ...headers(2_000, '  b')]) },
  { what: 'a negative Content-Length', text: options(UDP, [], '-1') },
  { what: 'a Content-Length beyond the datagram', text: options(UDP, [], '9999') },
  { what: 'a Content-Length of thirty digits', text: options(UDP, [], '9'.repeat(30)) },
  { what: 'a Content-Length of words', text: options(UDP, [], 'many') },
  { what: 'NUL in the request line', text: options(UDP, [], '0', 'OPT\0IONS') },
  { what: 'NUL in the Request-URI', text: options(UDP).replace('sip:example.test SIP', 'sip:exam\0ple.test SIP') },
  { what: 'no Via', text: options(UDP).replace(/Via:.*\r\n/, '') },
  { what: 'no Call-ID', text: options(UDP).replace(/Call-ID:.*\r\n/, '') },
  { what: 'a CSeq beyond 32 bits', text: options(UDP).replace(/CSeq: 1/, 'CSeq: 99999999999') },
  { what: 'another version', text: options(UDP).replace('SIP/2.0\r\n', 'SIP/3.0\r\n') },
  { what: 'a response that nobody asked for', text: options(UDP).replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n') },
]

async function drops(): Promise<number> {
  const [named, datagrams] = await Promise.all([
    cluster.metric(0, 'tandem_edge_dropped_messages_total'),
    cluster.metric(0, 'tandem_transport_events_total{transport="udp",event="dropped"'),
  ])
  return named + datagrams
}

async function expectWorking(transport: 'udp' | 'tcp'): Promise<void> {
  const reply = await withPhone({ user: 'alice', port: cluster.sipPort(0), transport }, (phone) => phone.ask('OPTIONS'))
  expect(reply.status).toBe(200)
  expect(await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="by_bug"')).toBe(0)
}

describe('over UDP', () => {
  it.for(DATAGRAMS)('$what: an answer or a counted drop, and the next message works', async ({ text }) => {
    const before = await drops()
    const answers: string[] = []
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    socket.on('message', (bytes) => answers.push(bytes.toString('latin1')))
    socket.send(Buffer.from(text, 'latin1'), cluster.sipPort(0), '127.0.0.1')
    await waitUntil('an answer or a counted drop', async () => answers.length > 0 || (await drops()) > before, 3_000)
    socket.close()
    for (const answer of answers) expect(answer).toMatch(/^SIP\/2\.0 [2-6]\d\d /)
    await expectWorking('udp')
  })
})

const STREAMS: { what: string; text: string; answer?: RegExp; closes: boolean }[] = [
  { what: 'a negative Content-Length', text: options(TCP, [], '-1'), closes: true },
  { what: 'a Content-Length of 4 GB', text: options(TCP, [], '4294967296'), closes: true },
  { what: 'a header of 60 KB', text: options(TCP, [`X-Long: ${'x'.repeat(60_000)}`]), closes: true },
  { what: '10,000 headers', text: options(TCP, headers(10_000, 'a: b')), closes: true },
  { what: 'a megabyte without a line end', text: padded('', 1_000_000), closes: true },
]

/** Sends on a connection of its own; what came back, and whether the edge closed it. */
async function stream(text: string): Promise<{ received: string; closed: boolean }> {
  const socket = connect(cluster.sipPort(0), '127.0.0.1')
  let received = ''
  let closed = false
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'connect')
  socket.write(Buffer.from(text, 'latin1'))
  await waitUntil('an answer or the end', () => closed || received !== '', 3_000)
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.destroy()
  return { received, closed }
}

describe('over TCP', () => {
  it.for(STREAMS)('$what: an answer or the end of the connection, and others work', async ({ text }) => {
    const { received, closed } = await stream(text)
    if (!closed) expect(received).toMatch(/^SIP\/2\.0 [2-6]\d\d /)
    await expectWorking('tcp')
  })

  it('a message that is cut off by the end of its connection leaves nothing behind', async () => {
    const before = await cluster.metric(0, 'tandem_transport_connections')
    const socket = connect(cluster.sipPort(0), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(options(TCP, [], '500').slice(0, -30))
    await waitUntil('the connection', async () => (await cluster.metric(0, 'tandem_transport_connections')) > before)
    socket.destroy()
    await waitUntil('its end', async () => (await cluster.metric(0, 'tandem_transport_connections')) <= before)
    await expectWorking('tcp')
  })

  it('one byte at a time is a message like any other', async () => {
    const socket = connect(cluster.sipPort(0), '127.0.0.1').setNoDelay(true)
    let received = ''
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
    })
    await once(socket, 'connect')
    for (const byte of options(TCP)) await new Promise<void>((resolve) => socket.write(byte, () => resolve()))
    await waitUntil('the answer', () => received !== '', 3_000)
    socket.destroy()
    expect(received).toMatch(/^SIP\/2\.0 (200|407) /)
  })
})
