// SPDX-License-Identifier: MIT
// What no phone should send over TCP, TLS and on the UDP port, to a running cluster with small bounds: each ends in an answer or in a
// counted end, costs no memory, and others are served meanwhile and afterwards. Tests that count by source come from addresses of
// their own. WebSockets: bad-websockets.test.ts; messages themselves: bad-input.test.ts; forged ways in: forged-ways.test.ts.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { request } from 'node:http'
import { waitUntil } from '@tandem/test-kit'
import { describe, expect, it } from 'vitest'
import {
  below,
  cluster,
  counted,
  counts,
  expectWorking,
  FLAT_BYTES,
  GET,
  HANDSHAKE_MS,
  HANDSHAKES_PER_ADDRESS,
  IDLE_MS,
  kept,
  memory,
  NOISE,
  OLD_HELLO,
  open,
  options,
  PARTIAL_MS,
  PER_ADDRESS,
  pause,
  portOf,
  STREAMS,
  useBoundedEdge,
  webSocket,
} from './support/bounded-edge.ts'
import { Phone } from './support/phone.ts'
import { closeStatus, FIN, frame, OPCODE, Raw, upgrade } from './support/raw.ts'

useBoundedEdge()

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
  await waitUntil('nothing to be left', async () => (await cluster.metric(0, 'tandem_transport_handshakes')) === 0)
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
    const before = await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="unreadable"')
    const inside = options(transport)
    raw.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inside.length}\r\n\r\n${inside}`)
    await waitUntil(
      'the drop',
      async () => (await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="unreadable"')) > before,
      3_000,
    )
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
      (await cluster.metric(0, 'tandem_edge_dropped_messages_total{reason="unreadable"')) +
      (await cluster.metric(0, 'tandem_edge_keep_alives'))
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
