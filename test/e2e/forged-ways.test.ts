// SPDX-License-Identifier: MIT
// Who pretends to be somebody else, to a running cluster: another edge (the hop between edges), a load balancer (PROXY headers). And who
// asks for more than there is room for. Not tested here: forged dialogs and relays of edges (unit tests), identities (requests.test.ts).

import { snakeCase } from '@tandem/service-kit'
import { createKeyRing, encodeToken, NO_SIDE, type TokenSide } from '@tandem/sip'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { OPEN_SECRET, startOpenCluster } from './support/open-cluster.ts'
import { type Message, Phone, token, withPhone } from './support/phone.ts'
import { Raw, upgrade } from './support/raw.ts'

const OFFSET = { udp: 0, tcp: 0, tls: 1, ws: 6, wss: 7, internal: 90 } as const
type Way = keyof typeof OFFSET
const PUBLIC = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const
const BALANCER = '127.0.0.77'
const MAX_TRANSACTIONS = 100
const T1_MS = 30

let cluster: Cluster
const phones: Phone[] = []
const raws: Raw[] = []

beforeAll(async () => {
  const edge = {
    proxyProtocol: { sources: [`${BALANCER}/32`] },
    limits: { maxTransactions: MAX_TRANSACTIONS, handshakeMs: 500 },
    timers: { t1Ms: T1_MS },
  }
  cluster = await startOpenCluster({ 'example.test': {} }, { edge })
})
afterEach(() => {
  for (const phone of phones.splice(0)) phone.close()
  for (const raw of raws.splice(0)) raw.close()
})
afterAll(() => cluster?.stop())

const portOf = (way: Way, edge = 0): number => cluster.sipPort(edge) + OFFSET[way]

async function open(user: string, way: Way, edge = 0): Promise<Phone> {
  const phone = await Phone.open({ user, port: portOf(way, edge), transport: way === 'internal' ? 'tcp' : way })
  phones.push(phone)
  return phone
}

function dial(port: number, from?: string): Raw {
  const raw = Raw.dial({ port, ...(from === undefined ? {} : { from }) })
  raws.push(raw)
  return raw
}

async function expectWorking(): Promise<void> {
  const reply = await withPhone({ user: 'user9', port: portOf('udp') }, (phone) => phone.register())
  expect(reply.status).toBe(200)
  expect(await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="by_bug"')).toBe(0)
}

describe('the hop between edges, forged', () => {
  const flow: TokenSide = { kind: 'flow', edgeHash: 1, flowId: 1 }
  const made = (callId: string, tag: string, ring = createKeyRing([OPEN_SECRET])): string =>
    encodeToken({ callRef: '', caller: NO_SIDE, callee: flow }, ring, callId, tag)
  const other = (id: number) => createKeyRing([{ id, secret: 'of-somebody-else-altogether' }])

  /** User parts of a Route, for a request with this Call-ID and tag. */
  const FORGED: Readonly<Record<string, (callId: string, tag: string) => string>> = {
    'no token at all': () => 'bob',
    'a token of another secret': (callId, tag) => made(callId, tag, other(OPEN_SECRET.id)),
    'a token of a key that is no longer in the ring': (callId, tag) => made(callId, tag, other(200)),
    'a token of another dialog, replayed': () => made('another-call', 'another-tag'),
    'a token that is cut short': (callId, tag) => made(callId, tag).slice(0, -4),
    'a token with a bit changed': (callId, tag) =>
      made(callId, tag).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
  }
  /** Outside of the cluster a Route to its inside is one of another domain. */
  const refusals = async (): Promise<number> =>
    (await cluster.metric(0, 'tandem_edge_refused_requests_total{reason="forged_token"')) +
    (await cluster.metric(0, 'tandem_edge_refused_requests_total{reason="route"'))

  it.each([...PUBLIC, 'internal'] as const)('over %s is refused with 403 and counted [RFC5626-5.3.1a]', async (way) => {
    const stranger = await open('user1', way)
    const victim = await open('user2', 'tcp')
    expect((await victim.register()).status).toBe(200)
    const uri = 'sip:user2@example.test'
    for (const [what, forged] of Object.entries(FORGED)) {
      const before = await refusals()
      const callId = token()
      const route = `Route: <sip:${forged(callId, stranger.tag)}@127.0.0.1:${portOf('internal')};transport=tcp;lr>`
      stranger.send(stranger.request('MESSAGE', { uri, to: `<${uri}>`, callId, headers: [route] }))
      expect((await stranger.final(`the refusal of ${what}`, callId, '1 MESSAGE')).status, what).toBe(403)
      expect(await refusals(), what).toBe(before + 1)
    }
    expect(victim.inbox.filter(({ method }) => method !== '')).toEqual([])
  })

  it.each(PUBLIC)('over %s even a token that fits is no way in [RFC5626-5.3.1a]', async (way) => {
    const stranger = await open('user1', way)
    const callId = token()
    const route = `Route: <sip:${made(callId, stranger.tag)}@127.0.0.1:${portOf('internal')};transport=tcp;lr>`
    const to = '<sip:user2@example.test>'
    stranger.send(stranger.request('MESSAGE', { uri: 'sip:user2@example.test', to, callId, headers: [route] }))
    expect((await stranger.final('the refusal', callId, '1 MESSAGE')).status).toBe(403)
  })

  it('without a Route, or as the order of another edge, is refused at the inside too', async () => {
    const stranger = await open('user1', 'internal')
    for (const method of ['OPTIONS', 'REGISTER', 'INVITE', 'RELAY']) {
      const callId = token()
      stranger.send(stranger.request(method, { uri: 'sip:surrender@tandem', callId, body: '7 z9hG4bKx' }))
      expect((await stranger.final(`the refusal of ${method}`, callId, `1 ${method}`)).status).toBe(403)
    }
    await expectWorking()
  })
})

/** A PROXY header, version 2. */
function header(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n....', 'latin1')
  head[12] = command
  head[13] = family
  head.writeUInt16BE(length, 14)
  return Buffer.concat([head, rest])
}
const ADDRESSES = Buffer.from('c00002070a000001c35013c4', 'hex') // 192.0.2.7:50000 to 10.0.0.1:5060
const GOOD = header(0x21, 0x11, ADDRESSES)

function options(): string {
  const lines = [
    'OPTIONS sip:example.test SIP/2.0',
    `Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK${token()};rport`,
    'Max-Forwards: 70',
    `From: <sip:user1@example.test>;tag=${token()}`,
    'To: <sip:example.test>',
    `Call-ID: ${token()}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

async function counts(way: Way, event: string, act: () => Promise<void>): Promise<void> {
  const value = (): Promise<number> =>
    cluster.metric(0, `tandem_transport_events_total{transport="${way}",event="${snakeCase(event)}"`)
  const before = await value()
  await act()
  await waitUntil(`${event} of ${way}`, async () => (await value()) === before + 1, 3_000)
}

describe('PROXY headers', () => {
  it.each([
    ['tcp', GOOD, 'proxyHeadersOfStrangers'],
    ['tcp', Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5060\r\n'), 'proxyHeadersOfStrangers'],
    ['tls', GOOD, 'handshakeFailures'],
    ['ws', GOOD, 'handshakeFailures'],
    ['wss', GOOD, 'handshakeFailures'],
  ] as const)('of a stranger end its connection, over %s', async (way, bytes, event) => {
    await counts(way, event, async () => {
      const raw = dial(portOf(way))
      raw.send(Buffer.concat([bytes, Buffer.from(options())]))
      await raw.untilClosed()
      expect(raw.text).not.toContain('SIP/2.0 ')
    })
  })

  const BAD: Readonly<Record<string, Buffer>> = {
    'version 1': Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5060\r\n'),
    'version 3': header(0x31, 0x11, ADDRESSES),
    'an unknown command': header(0x22, 0x11, ADDRESSES),
    'no header at all': Buffer.from(options()),
    'a header that announces 64 KB': header(0x21, 0x11, ADDRESSES, 65_535),
    'addresses that are too short': header(0x21, 0x11, ADDRESSES.subarray(0, 8)),
    'another signature': Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIX\n'), GOOD.subarray(12)]),
  }
  it.each(Object.entries(BAD))('of a load balancer: %s ends its connection', async (_what, bytes) => {
    await counts('tcp', 'proxyHeaderErrors', async () => {
      const raw = dial(portOf('tcp'), BALANCER)
      raw.send(Buffer.concat([bytes, Buffer.from(options())]))
      await raw.untilClosed()
      expect(raw.text).toBe('')
    })
  })

  it('of a load balancer that stop in the middle end at their time', async () => {
    await counts('tcp', 'handshakeTimeouts', async () => {
      const raw = dial(portOf('tcp'), BALANCER)
      raw.send(GOOD.subarray(0, 20))
      await raw.untilClosed()
    })
  })

  it('of a load balancer are believed: the answer names their source', async () => {
    const raw = dial(portOf('tcp'), BALANCER)
    raw.send(Buffer.concat([GOOD, Buffer.from(options())]))
    await raw.until('the answer', (text) => text.startsWith('SIP/2.0 200 '))
    expect(raw.text).toContain('received=192.0.2.7')
    expect(raw.text).toContain('rport=50000')
    const web = dial(portOf('ws'), BALANCER)
    web.send(Buffer.concat([GOOD, Buffer.from(upgrade())]))
    await web.until('the handshake', (text) => text.startsWith('HTTP/1.1 101 '))
  })

  it('between edges are those of strangers, whoever sends them', async () => {
    await counts('tcp', 'proxyHeadersOfStrangers', async () => {
      const raw = dial(portOf('internal'), BALANCER)
      raw.send(GOOD)
      await raw.untilClosed()
    })
    await expectWorking()
  })
})

it('more requests than there is room for get 503, counted, and the edge works again when they have ended', async () => {
  const silent = await open('user3', 'udp')
  expect((await silent.register()).status).toBe(200)
  const sender = await open('user4', 'tcp')
  const before = await cluster.metric(0, 'tandem_edge_refused_requests_total{reason="overload"')
  const more = 40
  const ids = Array.from({ length: MAX_TRANSACTIONS + more }, token)
  const uri = 'sip:user3@example.test'
  const headers = [`Contact: ${sender.contact}`]
  for (const callId of ids) sender.send(sender.request('INVITE', { uri, to: `<${uri}>`, callId, headers }))
  const ask = async (callId: string): Promise<Message> => {
    const answer = await sender.final('an answer', callId, '1 INVITE', 64 * T1_MS + 4_000)
    sender.acknowledge(answer, uri)
    return answer
  }
  const answers = await Promise.all(ids.map(ask))
  const refused = answers.filter(({ status }) => status === 503)
  expect(refused.length).toBeGreaterThanOrEqual(more)
  expect(refused.every((answer) => answer.header('Retry-After') !== '')).toBe(true)
  expect((await cluster.metric(0, 'tandem_edge_refused_requests_total{reason="overload"')) - before).toBe(
    refused.length,
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408, 503]))
  await expectWorking()
})
