// SPDX-License-Identifier: MIT
// What RFC 3261 §18, RFC 3581 and RFC 3263 ask of an edge: where it listens, what it puts into its Via, which responses it
// takes, how bodies are cut. Does not test: sockets under load (packages/transport), the size of requests (hops.test.ts).
import { createLogger, type Logger } from '@tandem/service-kit'
import type { UdpListener } from '@tandem/transport'
import { afterEach, describe, expect, test } from 'vitest'
import {
  ALICE,
  BOB,
  EDGE_ADDRESS,
  EdgeBench,
  messageOf,
  requestText,
  responseTo,
  testConfig,
  valuesOf,
} from '../testing.ts'
import { Facing } from './facing.ts'
import { openListeners, UdpSource } from './listeners.ts'
import { warnOfOtherNames } from './stream-listeners.ts'

let bench: EdgeBench
afterEach(() => bench?.close())

const UP = `udp ${ALICE}:5060`
const BOB_URI = `sip:bob@${BOB}`

const sent = (method = 'MESSAGE', uri = BOB_URI, text = requestText({ method })): string => {
  bench = new EdgeBench()
  bench.udpIn(text)
  bench.plan([[uri]])
  if (method === 'INVITE') bench.begin()
  return bench.last(method)
}

describe('listeners', () => {
  const DEFAULTS = testConfig()

  test('SHOULD be on 5060, over UDP and TCP [RFC3261-18.2.1b] [RFC3261-18c]', () => {
    expect([DEFAULTS.sipPort, DEFAULTS.listeners.udp, DEFAULTS.listeners.tcp]).toEqual([5060, true, true])
  })

  test('MUST be open over TCP where they are over UDP, and where our URIs lead [RFC3261-18.2.1ac] [RFC3261-18.1.1jl]', async () => {
    const config = testConfig({ 'edge.bindAddress': '127.0.0.1', 'edge.basePort': 27_360 })
    const logger = createLogger({ level: 'silent', service: 'test' })
    const listeners = await openListeners(config, logger, () => undefined)
    try {
      await listeners.openPublic()
      expect(listeners.udp?.port).toBe(config.sipPort)
      expect(listeners.facings().map(({ name }) => name)).toEqual([
        `udp:${config.advertisedAddress}:${config.sipPort}`,
        `tcp:${config.advertisedAddress}:${config.sipPort}`,
        `tls:${config.advertisedAddress}:${config.tlsPort}`,
        `ws:${config.advertisedAddress}:${config.wsPort}`,
        `wss:${config.advertisedAddress}:${config.wssPort}`,
      ])
    } finally {
      await listeners.close()
    }
  })

  test('SHOULD keep a connection as long as a call may take to be answered [RFC3261-18b] [RFC5923-8.2a]', () => {
    const longestMs = DEFAULTS.timers.timerCMs + 2 * 64 * DEFAULTS.timers.t1Ms
    expect(DEFAULTS.limits.connectionIdleMs).toBeGreaterThanOrEqual(longestMs)
  })
})

test.each([
  ['edge.test', []],
  ['other.test', ['no TLS certificate is for other.test, the host of Record-Route: who verifies it cannot come back']],
])(
  'our Record-Route over TLS MUST have a host that our certificate proves, else the log says so: %s [RFC5922-7.5c]',
  (host, expected) => {
    const said: string[] = []
    const logger = { warn: (sentence: string) => void said.push(sentence) } as unknown as Logger
    const facing = new Facing({ transport: 'tls', host, port: 5061, edgeHash: 1, internal: false })
    warnOfOtherNames({ proves: (name) => name === 'edge.test' }, facing, logger)
    expect(said).toEqual(expected)
  },
)

describe('our Via', () => {
  test('MUST name the place where responses are taken [RFC3261-18.1.1gl]', () => {
    const top = valuesOf(sent(), 'Via')[0] ?? ''
    expect(top).toMatch(new RegExp(`^SIP/2\\.0/UDP ${EDGE_ADDRESS}:5060;branch=z9hG4bK`))
  })

  test('MUST name TCP where the request goes over TCP [RFC3261-18.1.1bg]', () => {
    expect(valuesOf(sent('MESSAGE', `${BOB_URI};transport=tcp`), 'Via')[0]).toMatch(
      new RegExp(`^SIP/2\\.0/TCP ${EDGE_ADDRESS}:5060;branch=z9hG4bK`),
    )
  })
})

describe('responses', () => {
  test('MUST be taken on the connection of the request [RFC3261-18.1.1i]', () => {
    const request = sent('MESSAGE', `${BOB_URI};transport=tcp`)
    const connection = bench.tcp.find(1)
    if (connection === undefined) throw new Error('no connection')
    bench.take()
    bench.tcpIn(responseTo(request, 200), connection)
    expect(bench.take()).toEqual([`200 → ${UP}`])
  })

  test.each(['udp', 'tcp'])(
    'MUST be taken wherever the sent-by leads, over another connection too (sent over %s) [RFC3261-18.1.1jkm]',
    (transport) => {
      const request = sent('MESSAGE', `${BOB_URI};transport=${transport}`)
      bench.take()
      bench.tcpIn(responseTo(request, 200), bench.tcp.connect('203.0.113.77', 40_000))
      expect(bench.take()).toEqual([`200 → ${UP}`])
    },
  )

  test('MUST be dropped when their Via names somebody else [RFC3261-18.1.2a]', () => {
    const request = sent()
    bench.take()
    bench.udpIn(responseTo(request, 200).replace(`UDP ${EDGE_ADDRESS}:5060`, 'UDP evil.test:5060'), BOB)
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedStrayResponse).toBe(1)
  })

  test('of ours MUST go over the connection of the request [RFC3261-18.2.2a]', () => {
    bench = new EdgeBench()
    const connection = bench.tcp.connect(ALICE, 40_000)
    const via = 'Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bK-1'
    bench.tcpIn(requestText({ method: 'BYE', toTag: 'x', via }), connection)
    expect(bench.take()).toEqual(['481 → tcp 1'])
  })

  test('of ours MUST leave from where the request came in [RFC3581-4d]', () => {
    bench = new EdgeBench()
    const sentFrom: string[] = []
    const listener = (name: string): UdpListener =>
      ({ transport: 'udp', send: () => void sentFrom.push(name) }) as unknown as UdpListener
    const facing = new Facing({ transport: 'udp', host: EDGE_ADDRESS, port: 5060, edgeHash: 1, internal: false })
    const source = new UdpSource(facing, (buf, start, end) => {
      source.peer(messageOf(buf.latin1Slice(start, end))).send(buf, start, end)
    })
    const bytes = Buffer.from(requestText())
    for (const name of ['first', 'second']) source.onDatagram(bytes, 0, bytes.length, ALICE, 6_000, listener(name))
    expect(sentFrom).toEqual(['first', 'second'])
  })
})

describe('a datagram', () => {
  const withBody = (length: number, body: string): string =>
    requestText({ method: 'MESSAGE' }).replace('Content-Length: 0\r\n\r\n', `Content-Length: ${length}\r\n\r\n${body}`)

  test('MUST lose what stands behind the body [RFC3261-18.3a]', () => {
    expect(sent('MESSAGE', BOB_URI, withBody(2, 'hi, and more'))).toMatch(/\r\n\r\nhi$/)
  })

  test('SHOULD be answered 400 when its body is cut short [RFC3261-18.3c]', () => {
    bench = new EdgeBench()
    bench.udpIn(withBody(20, 'hi'))
    expect(bench.take()).toEqual([`400 → ${UP}`])
  })

  test('MUST be dropped when it is a response whose body is cut short [RFC3261-18.3b]', () => {
    const request = sent()
    bench.take()
    bench.udpIn(responseTo(request, 200).replace('Content-Length: 0', 'Content-Length: 9'), BOB)
    expect(bench.take()).toEqual([])
    expect(bench.core.counts.droppedUnreadable).toBe(1)
  })
})
