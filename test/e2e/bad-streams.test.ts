// SPDX-License-Identifier: MIT
// What no phone should send over TCP, TLS, WebSocket and secure WebSocket, to a running cluster with small bounds: each ends in an
// answer or in a counted end, costs no memory, and others are served meanwhile and afterwards. Tests that count by source come
// from addresses of their own. Messages themselves: bad-input.test.ts; forged ways in: forged-ways.test.ts.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { request } from 'node:http'
import { waitUntil } from '@tandem/test-kit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from './support/cluster.ts'
import { startOpenCluster } from './support/open-cluster.ts'
import { Phone, type PhoneOptions, token, withPhone } from './support/phone.ts'
import {
  closeStatus,
  FIN,
  frame,
  framesOf,
  OPCODE,
  openWebSocket,
  Raw,
  type RawOptions,
  upgrade,
} from './support/raw.ts'

const OFFSET = { udp: 0, tcp: 0, tls: 1, ws: 6, wss: 7 } as const
type Transport = keyof typeof OFFSET
const STREAMS = ['tcp', 'tls', 'ws', 'wss'] as const
const IDLE_MS = 2_000
const HANDSHAKE_MS = 1_000
const PARTIAL_MS = 1_000
const PER_ADDRESS = 40
const HANDSHAKES_PER_ADDRESS = 30
const LARGEST_MESSAGE = 65_536 + 1_048_576
/** What a running process may gain by what is no more than noise. */
const FLAT_BYTES = 100 << 20

let cluster: Cluster
const raws: Raw[] = []

beforeAll(async () => {
  const limits = {
    maxConnectionsPerAddress: PER_ADDRESS,
    maxHandshakesPerAddress: HANDSHAKES_PER_ADDRESS,
    connectionIdleMs: IDLE_MS,
    handshakeMs: HANDSHAKE_MS,
    partialMessageMs: PARTIAL_MS,
    maxQueuedBytes: 65_536,
  }
  const edge = { count: 1, limits, webSocket: { origins: ['https://app.example.test'] } }
  cluster = await startOpenCluster({ 'example.test': {} }, { edge })
  for (const transport of ['udp', ...STREAMS] as const) await expectWorking(transport)
})
afterEach(() => {
  for (const raw of raws.splice(0)) raw.close()
})
afterAll(() => cluster?.stop())

const portOf = (transport: Transport): number => cluster.sipPort(0) + OFFSET[transport]

function place(transport: Transport, from?: string): RawOptions {
  const tls = transport === 'tls' || transport === 'wss'
  return { port: portOf(transport), tls, ...(from === undefined ? {} : { from }) }
}

const kept = (raw: Raw): Raw => {
  raws.push(raw)
  return raw
}
const open = async (transport: 'tcp' | 'tls', from?: string): Promise<Raw> =>
  kept(await Raw.open(place(transport, from)))
const webSocket = async (transport: 'ws' | 'wss' = 'ws', from?: string): Promise<Raw> =>
  kept(await openWebSocket(place(transport, from)))
/** Below TLS where the port has it. */
const below = (transport: Transport, from?: string): Raw =>
  kept(Raw.dial({ port: portOf(transport), ...(from === undefined ? {} : { from }) }))

const counted = (transport: Transport, event: string): Promise<number> =>
  cluster.metric(0, `tandem_edge_${transport}_events_total{event="${event}"`)
const memory = (): Promise<number> => cluster.metric(0, 'process_resident_memory_bytes')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** An ordinary REGISTER over that transport, and no bug so far. */
async function expectWorking(transport: Transport): Promise<void> {
  const options: PhoneOptions = { user: 'user9', port: portOf(transport), transport }
  const reply = await withPhone(options, (phone) => phone.register())
  expect(reply.status).toBe(200)
  expect(await cluster.metric(0, 'tandem_edge_dropped_by_bug')).toBe(0)
}

/** That count goes up by this while `act` runs and a little after. */
async function counts(transport: Transport, event: string, by: number, act: () => Promise<void>): Promise<void> {
  const before = await counted(transport, event)
  await act()
  const what = `${by} ${event} of ${transport}`
  await waitUntil(what, async () => (await counted(transport, event)) >= before + by, 4_000)
  expect(await counted(transport, event), what).toBe(before + by)
}

function options(transport: Transport, more: readonly string[] = [], body = ''): string {
  const lines = [
    'OPTIONS sip:example.test SIP/2.0',
    `Via: SIP/2.0/${transport.toUpperCase()} 127.0.0.1:9;branch=z9hG4bK${token()};rport`,
    'Max-Forwards: 70',
    `From: <sip:user1@example.test>;tag=${token()}`,
    'To: <sip:example.test>',
    `Call-ID: ${token()}`,
    'CSeq: 1 OPTIONS',
    ...more,
    `Content-Length: ${body.length}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

const NOISE = Buffer.from(Array.from({ length: 3_000 }, (_, k) => (k * 7_919) & 0xff))
/** A ClientHello that offers TLS 1.0 and nothing newer. */
const OLD_HELLO = Buffer.concat([
  Buffer.from('160301002d010000290301', 'hex'),
  Buffer.alloc(32, 7),
  Buffer.from('000002002f0100', 'hex'),
])
const GET = 'GET /metrics HTTP/1.1\r\nHost: example.test\r\n\r\n'

describe.each(['tls', 'wss'] as const)('what is no TLS, on the port of %s', (transport) => {
  it.each([
    ['noise', NOISE],
    ['SIP', Buffer.from(options('tcp'))],
    ['HTTP', Buffer.from(GET)],
    ['TLS 1.0', OLD_HELLO],
    ['a record that is too long', Buffer.concat([Buffer.from('160303ffff', 'hex'), Buffer.alloc(70_000)])],
    ['CRLFs', Buffer.from('\r\n'.repeat(2_000))],
  ])('%s ends the connection and is counted', async (_what, bytes) => {
    await counts(transport, 'handshakeFailures', 1, async () => {
      const raw = below(transport)
      raw.send(bytes)
      await raw.untilClosed()
      expect(raw.text).not.toContain('SIP/2.0')
    })
    await expectWorking(transport)
  })
})

/** Each from an address of its own, a byte in 200 ms. */
const ENDLESS = [
  ['tls', Buffer.from('16030301000100', 'hex'), '127.0.0.21'],
  ['wss', Buffer.from('16030301000100', 'hex'), '127.0.0.22'],
  ['ws', Buffer.from('GET / HTTP/1.1\r\nX: aaaa'), '127.0.0.23'],
] as const

it('handshakes that never end do so at their time, are bounded per source, and keep nobody else out', async () => {
  const sum = async (event: string): Promise<number[]> =>
    Promise.all(ENDLESS.map(([transport]) => counted(transport, event)))
  const [timeouts, refused] = [await sum('handshakeTimeouts'), await sum('refusedHandshakes')]
  const slow = ENDLESS.flatMap(([transport, bytes, from]) =>
    Array.from({ length: HANDSHAKES_PER_ADDRESS + 5 }, () => ({ raw: below(transport, from), bytes, at: 0 })),
  )
  const drip = setInterval(() => {
    for (const one of slow) if (!one.raw.isClosed) one.raw.send(one.bytes.subarray(one.at, ++one.at))
  }, 200)
  try {
    await waitUntil('the bound', () => slow.filter(({ raw }) => raw.isClosed).length >= 15, 3_000)
    for (const [transport] of ENDLESS) {
      const began = performance.now()
      await expectWorking(transport)
      expect(performance.now() - began).toBeLessThan(1_000)
    }
    await waitUntil('the end of all', () => slow.every(({ raw }) => raw.isClosed), HANDSHAKE_MS + 3_000)
  } finally {
    clearInterval(drip)
  }
  const gained = (before: number[], after: number[]): number[] => after.map((value, k) => value - (before[k] as number))
  expect(gained(refused, await sum('refusedHandshakes'))).toEqual([5, 5, 5])
  expect(gained(timeouts, await sum('handshakeTimeouts'))).toEqual(ENDLESS.map(() => HANDSHAKES_PER_ADDRESS))
  await waitUntil('nothing to be left', async () => (await cluster.metric(0, 'tandem_edge_handshakes')) === 0)
})

describe('a WebSocket handshake', () => {
  const REFUSED: [string, string, RegExp][] = [
    ['with another subprotocol', upgrade(['Sec-WebSocket-Protocol: xmpp, mqtt']), /^HTTP\/1\.1 400 /],
    ['without a subprotocol', upgrade(['Sec-WebSocket-Protocol:']), /^HTTP\/1\.1 400 /],
    ['of a page from elsewhere', upgrade(['Origin: https://evil.test']), /^HTTP\/1\.1 403 /],
    ['of a page without an origin of its own', upgrade(['Origin: null']), /^HTTP\/1\.1 403 /],
    ['of an old version', upgrade(['Sec-WebSocket-Version: 8']), /^HTTP\/1\.1 426 [\s\S]*Sec-WebSocket-Version: 13/],
    ['with a bad key', upgrade(['Sec-WebSocket-Key: short']), /^HTTP\/1\.1 400 /],
    ['to something else', upgrade(['Upgrade: h2c']), /^HTTP\/1\.1 426 /],
    ['that is a page to be read', GET, /^HTTP\/1\.1 426 /],
    ['that is posted', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', /^HTTP\/1\.1 426 /],
    ['that is a tunnel', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', /^HTTP\/1\.1 426 /],
    ['that is SIP', options('tcp'), /^HTTP\/1\.1 400 /],
    ['with 40 KB of headers', upgrade([`X-Long: ${'x'.repeat(40_000)}`]), /^HTTP\/1\.1 400 /],
    ['that is noise', NOISE.toString('latin1'), /^HTTP\/1\.1 400 /],
  ]
  it.each(REFUSED)('%s is refused and counted [RFC7118-4.1c]', async (_what, text, answer) => {
    await counts('ws', 'handshakeFailures', 1, async () => {
      const raw = kept(await Raw.open(place('ws')))
      raw.send(text)
      await raw.until('the refusal', (received) => answer.test(received))
      await raw.untilClosed()
    })
    await expectWorking('ws')
  })

  it('is answered with sip alone, on any path, from an origin of ours [RFC7118-4.1a]', async () => {
    const raw = kept(await Raw.open(place('wss')))
    raw.send(upgrade(['Origin: https://app.example.test', 'Sec-WebSocket-Protocol: xmpp, sip'], '/any/path?x=1'))
    await raw.until('the answer', (text) => text.includes('\r\n\r\n'))
    expect(raw.text).toMatch(/^HTTP\/1\.1 101 /)
    expect(raw.text).toMatch(/\r\nSec-WebSocket-Protocol: sip\r\n/i)
  })
})

describe.each(['ws', 'wss'] as const)('over %s', (transport) => {
  it('text and binary, whole or in fragments with a ping between, are one message each [RFC7118-4.2a] [RFC7118-5b]', async () => {
    const raw = await webSocket(transport)
    const message = options(transport)
    raw.send(frame(FIN | OPCODE.TEXT, message))
    await raw.until('the first answer', () => framesOf(raw).length === 1)
    raw.send(frame(FIN | OPCODE.BINARY, options(transport).replace('Content-Length: 0\r\n', '')))
    await raw.until('the second answer', () => framesOf(raw).length === 2)
    const third = options(transport)
    for (let at = 0; at < third.length; at += 10) {
      const isLast = at + 10 >= third.length
      raw.send(frame((isLast ? FIN : 0) | (at === 0 ? OPCODE.TEXT : OPCODE.CONTINUATION), third.slice(at, at + 10)))
      if (at === 50) raw.send(frame(FIN | OPCODE.PING, 'are you there'))
    }
    await raw.until('the pong and the third answer', () => framesOf(raw).length === 4)
    const [first, second, pong, last] = framesOf(raw)
    for (const answer of [first, second, last]) expect(answer?.payload.toString()).toMatch(/^SIP\/2\.0 200 /)
    expect(pong).toMatchObject({ opcode: OPCODE.PONG, payload: Buffer.from('are you there') })
  })
})

describe('over a WebSocket', () => {
  it('what is no SIP is counted, and at the eighth the connection ends with 1008 [RFC7118-4.1b]', async () => {
    const raw = await webSocket()
    await counts('ws', 'notSipFrames', 8, async () => {
      for (const text of ['{"hello":"world"}', '', '\0', 'x'.repeat(500), 'a', 'b', 'c', 'd', 'e', 'f']) {
        raw.send(frame(FIN | (text === '\0' ? OPCODE.BINARY : OPCODE.TEXT), text))
      }
      await raw.until('1008', () => closeStatus(raw) === 1008)
    })
    await expectWorking('ws')
  })

  it('two messages in one frame: neither is taken, the connection stays [RFC7118-5c]', async () => {
    const raw = await webSocket()
    await counts('ws', 'overfullFrames', 1, async () =>
      raw.send(frame(FIN | OPCODE.TEXT, options('ws') + options('ws'))),
    )
    raw.send(frame(FIN | OPCODE.TEXT, options('ws')))
    await raw.until('the answer to the third', () => framesOf(raw).length === 1)
    await pause(100)
    expect(framesOf(raw)).toHaveLength(1)
  })

  it('half a message is refused, and the other half is no SIP [RFC7118-5b]', async () => {
    const raw = await webSocket()
    const message = options('ws', ['Content-Type: text/plain'], 'the body of it')
    await counts('ws', 'notSipFrames', 2, async () => {
      raw.send(frame(FIN | OPCODE.TEXT, message.slice(0, -8)))
      await raw.until('the refusal', () => framesOf(raw).length === 1)
      raw.send(frame(FIN | OPCODE.TEXT, message.slice(-8)))
    })
    expect(framesOf(raw)[0]?.payload.toString()).toMatch(/^SIP\/2\.0 400 /)
    expect(raw.isClosed).toBe(false)
  })

  it('10 MB end the connection with 1009 and cost nothing', async () => {
    const before = await memory()
    await counts('ws', 'oversizeFrames', 6, async () => {
      for (let k = 0; k < 6; k++) {
        const raw = await webSocket()
        raw.send(frame(FIN | OPCODE.BINARY, Buffer.alloc(10 << 20)))
        await raw.untilClosed()
        expect(closeStatus(raw)).toBe(1009)
      }
    })
    expect((await memory()) - before).toBeLessThan(FLAT_BYTES)
    await expectWorking('ws')
  })

  it('the largest announced length ends it before a byte of it has come', async () => {
    const raw = await webSocket()
    raw.send(Buffer.from('82ff7fffffffffffffff00000000', 'hex'))
    await raw.until('1009', () => closeStatus(raw) === 1009)
  })

  it('fragments without end: by size, by number, by time', async () => {
    const [large, many, slow] = [await webSocket(), await webSocket(), await webSocket()]
    await counts('ws', 'oversizeFrames', 2, async () => {
      large.send(frame(OPCODE.BINARY, Buffer.alloc(LARGEST_MESSAGE / 2)))
      large.send(frame(OPCODE.CONTINUATION, Buffer.alloc(LARGEST_MESSAGE / 2)))
      large.send(frame(OPCODE.CONTINUATION, 'x'))
      many.send(frame(OPCODE.TEXT, 'O'))
      many.send(Buffer.concat(Array.from({ length: 2_000 }, () => frame(OPCODE.CONTINUATION, 'x'))))
      await Promise.all([large.untilClosed(), many.untilClosed()])
    })
    expect([closeStatus(large), closeStatus(many)]).toEqual([1009, 1008])
    await counts('ws', 'partialMessages', 1, async () => {
      slow.send(frame(OPCODE.TEXT, 'O'))
      const drip = setInterval(() => slow.isClosed || slow.send(frame(FIN | OPCODE.PING, '')), 100)
      await slow.untilClosed(PARTIAL_MS + 2_000).finally(() => clearInterval(drip))
    })
    await expectWorking('ws')
  })

  it.each([
    ['without a mask', frame(FIN | OPCODE.TEXT, options('ws'), false), 1002],
    ['with reserved bits', frame(FIN | 0x70 | OPCODE.TEXT, 'x'), 1002],
    ['of an unknown kind', frame(FIN | 0x07, 'x'), 1002],
    ['that go on with nothing', frame(FIN | OPCODE.CONTINUATION, 'x'), 1002],
    ['of a ping that is too long', frame(FIN | OPCODE.PING, 'x'.repeat(126)), 1002],
    ['of text that is no UTF-8', frame(FIN | OPCODE.TEXT, '\xff\xfe'), 1007],
  ])('frames %s end it with their status', async (_what, bytes, status) => {
    const raw = await webSocket()
    await counts('ws', 'errors', 1, async () => {
      raw.send(bytes)
      await raw.untilClosed()
    })
    expect(closeStatus(raw)).toBe(status)
    await expectWorking('ws')
  })
})

/** A REGISTER with a body, then a call to it, each byte in a packet of its own. */
it.each(['tcp', 'tls'] as const)('over %s messages may be cut at every byte', async (transport) => {
  const raw = await open(transport)
  const body = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n'
  const message = (method: string, uri: string, to: string): string =>
    options(
      transport,
      [
        `Contact: <sip:user1@127.0.0.1:9;transport=${transport}>`,
        'Content-Type: application/sdp',
        'Content-Disposition: session;handling=optional',
      ],
      body,
    )
      .replace(/^OPTIONS \S+/, `${method} ${uri}`)
      .replace('CSeq: 1 OPTIONS', `CSeq: 1 ${method}`)
      .replace('To: <sip:example.test>', `To: <${to}>`)
  await raw.sendByBytes(message('REGISTER', 'sip:example.test', 'sip:user1@example.test'))
  await raw.until('the 200', (text) => /^SIP\/2\.0 200 [\s\S]*CSeq: 1 REGISTER/.test(text))
  const callee = await Phone.open({ user: 'user2', port: portOf('udp') })
  try {
    expect((await callee.register()).status).toBe(200)
    await raw.sendByBytes(message('INVITE', 'sip:user2@example.test', 'sip:user2@example.test'))
    const invite = await callee.next('the INVITE', ({ method }) => method === 'INVITE')
    expect(invite.body).toBe(body)
    callee.reply(invite, '486 Busy Here')
    await raw.until('the 486', (text) => /SIP\/2\.0 486 /.test(text))
    await callee.register({ headers: ['Contact: *', 'Expires: 0'] })
  } finally {
    callee.close()
  }
})

describe.each(['tcp', 'tls'] as const)('over %s', (transport) => {
  const tooLong = (length: number): string =>
    options(transport).replace('Content-Length: 0', `Content-Length: ${length}`)
  it.each([
    ['HTTP', GET],
    ['a body of 1 MB and a byte', tooLong(1_048_577)],
    ['a body of 2 GB', tooLong(2_147_483_648)],
    [
      'headers of 70 KB',
      options(
        transport,
        Array.from({ length: 70 }, () => `X-Long: ${'x'.repeat(1_000)}`),
      ),
    ],
    ['headers without end', `OPTIONS sip:example.test SIP/2.0\r\n${'X: y\r\n'.repeat(20_000)}`],
    ['a WebSocket handshake', upgrade()],
    ['noise', NOISE.toString('latin1')],
  ])('%s ends the connection and is counted', async (_what, text) => {
    await counts(transport, 'framingErrors', 1, async () => {
      const raw = await open(transport)
      raw.send(text)
      await raw.untilClosed()
    })
    await expectWorking(transport)
  })

  it('HTTP with a body is no SIP: dropped and counted, and what is in the body is no message', async () => {
    const raw = await open(transport)
    const before = await cluster.metric(0, 'tandem_edge_dropped_unreadable')
    const inside = options(transport)
    raw.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inside.length}\r\n\r\n${inside}`)
    await waitUntil('the drop', async () => (await cluster.metric(0, 'tandem_edge_dropped_unreadable')) > before, 3_000)
    expect(raw.text).toBe('')
  })

  it('a message that does not go on ends the connection at its time, however often a byte comes', async () => {
    const raw = await open(transport)
    await counts(transport, 'partialMessages', 1, async () => {
      raw.send(tooLong(1_000_000))
      const drip = setInterval(() => raw.isClosed || raw.send('x'), 100)
      await raw.untilClosed(PARTIAL_MS + 2_000).finally(() => clearInterval(drip))
    })
  })

  it('a flood of CRLFs is answered in few bytes, and the next message works [RFC5626-4.4.1a]', async () => {
    const raw = await open(transport)
    const before = await memory()
    for (let k = 0; k < 50; k++) raw.send('\r\n\r\n'.repeat(10_000))
    raw.send(options(transport))
    await raw.until('the answer', (text) => /SIP\/2\.0 200 /.test(text))
    expect(raw.text).toMatch(/^(\r\n)+SIP/)
    expect(raw.text.indexOf('SIP')).toBeLessThan(10_000)
    expect((await memory()) - before).toBeLessThan(FLAT_BYTES)
  })
})

describe.each(STREAMS)('over %s', (transport) => {
  it('who reads nothing of what it asks for loses its connection, and costs nothing', async () => {
    const isWeb = transport === 'ws' || transport === 'wss'
    const before = await memory()
    const raw = isWeb ? await webSocket(transport) : await open(transport)
    raw.socket.pause()
    const vias = Array.from({ length: 8 }, () => `Via: SIP/2.0/TCP ${'a'.repeat(7_000)};branch=z9hG4bKx`)
    await counts(transport, 'slowReaders', 1, async () => {
      const ended = counted(transport, 'slowReaders')
      const start = await ended
      for (let k = 0; k < 400; k++) {
        const text = options(transport, vias)
        raw.send(isWeb ? frame(FIN | OPCODE.TEXT, text) : text)
        if (k % 20 === 19 && (await counted(transport, 'slowReaders')) > start) break
      }
    })
    expect((await memory()) - before).toBeLessThan(FLAT_BYTES)
    await expectWorking(transport)
  })
})

it('a source has so many connections on all ports together, and others are served', async () => {
  const from = '127.0.0.31'
  const tcp = await Promise.all(Array.from({ length: PER_ADDRESS - 10 }, () => open('tcp', from)))
  for (let k = 0; k < 5; k++) await webSocket('ws', from)
  for (let k = 0; k < 5; k++) await open('tls', from)
  await counts('tcp', 'refusedPerSource', 3, async () => {
    const more = Array.from({ length: 3 }, () => below('tcp', from))
    await Promise.all(more.map((raw) => raw.untilClosed()))
  })
  await counts('ws', 'refusedPerSource', 1, () => below('ws', from).untilClosed())
  for (const transport of STREAMS) await expectWorking(transport)
  tcp[0]?.close()
  await pause(50)
  const again = await open('tcp', from)
  again.send(options('tcp'))
  await again.until('the answer', (text) => text.startsWith('SIP/2.0 200 '))
})

it('silence ends a connection at its time, over each transport [RFC3261-18a]', async () => {
  const before = await Promise.all(STREAMS.map((transport) => counted(transport, 'idleClosed')))
  const quiet = [await open('tcp'), await open('tls'), await webSocket('ws'), await webSocket('wss')]
  const talking = await open('tcp')
  const talk = setInterval(() => talking.send('\r\n\r\n'), 500)
  const isOver = (raw: Raw): boolean => raw.isClosed || closeStatus(raw) === 1000
  await waitUntil('the end of all', () => quiet.every(isOver), IDLE_MS + 3_000).finally(() => clearInterval(talk))
  expect(talking.isClosed).toBe(false)
  for (const raw of quiet) raw.close()
  await pause(50)
  const after = await Promise.all(STREAMS.map((transport) => counted(transport, 'idleClosed')))
  expect(after.map((count, k) => count - (before[k] as number)).every((gained) => gained >= 1)).toBe(true)
})

describe('on the UDP port', () => {
  const STUN = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.alloc(12, 5)])
  const ask = async (bytes: Buffer, isAnswered: boolean): Promise<Buffer | undefined> => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    let answer: Buffer | undefined
    socket.on('message', (received) => {
      answer = received
    })
    const drops = async (): Promise<number> =>
      (await cluster.metric(0, 'tandem_edge_dropped_unreadable')) + (await cluster.metric(0, 'tandem_edge_keep_alives'))
    const before = await drops()
    socket.send(bytes, portOf('udp'), '127.0.0.1')
    await waitUntil('an answer or a count', async () => answer !== undefined || (await drops()) > before, 3_000)
    if (isAnswered) await waitUntil('the answer', () => answer !== undefined, 1_000)
    socket.close()
    return answer
  }

  it('STUN is answered with the address it came from [RFC5626-5.4a]', async () => {
    const answer = await ask(STUN, true)
    expect(answer?.readUInt16BE(0)).toBe(0x0101)
    expect(answer?.subarray(8, 20)).toEqual(Buffer.alloc(12, 5))
  })

  it.each([
    ['RTP', Buffer.concat([Buffer.from('8000000100000001deadbeef', 'hex'), Buffer.alloc(160, 0xd5)])],
    ['RTCP', Buffer.from('80c8000600000001deadbeef0000000000000000000000000000000000000000', 'hex')],
    ['DTLS', Buffer.concat([Buffer.from('16feff0000000000000000', 'hex'), Buffer.alloc(60)])],
    ['STUN cut short', STUN.subarray(0, 12)],
    ['STUN with a length that is none', Buffer.concat([Buffer.from('0001ffff', 'hex'), STUN.subarray(4)])],
    ['a PROXY header', Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02', 'latin1')],
    ['CRLFs', Buffer.from('\r\n'.repeat(700))],
    ['an empty datagram', Buffer.alloc(0)],
  ])('%s is dropped and counted', async (_what, bytes) => {
    expect(await ask(bytes, false)).toBeUndefined()
    await expectWorking('udp')
  })
})

it.each([
  ['SIP', options('tcp')],
  ['noise', NOISE.toString('latin1')],
])('%s on the port of metrics ends the connection, and metrics are there', async (_what, text) => {
  const raw = kept(await Raw.open({ port: cluster.httpPort }))
  raw.send(text)
  await raw.untilClosed()
  expect(raw.text).toMatch(/^(HTTP\/1\.1 400 |$)/)
  expect(await cluster.http(0, '/healthz')).toBe(200)
})

it('an upgrade on the port of metrics is not taken', async () => {
  const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-protocol': 'sip' }
  const asked = request({ port: cluster.httpPort, host: '127.0.0.1', path: '/', headers }).end()
  const status = await new Promise<number>((resolve) => {
    asked.once('upgrade', () => resolve(101))
    asked.once('response', (response) => resolve(response.resume().statusCode ?? 0))
    asked.once('error', () => resolve(0))
  })
  expect(status).not.toBe(101)
})
