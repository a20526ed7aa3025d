// SPDX-License-Identifier: MIT
// What no browser should send over WebSocket and secure WebSocket, from the handshake to the frames, to a running cluster with small
// bounds: each ends in an answer or in a counted end, and others are served afterwards. Other streams: bad-streams.test.ts.
import { describe, expect, it } from 'vitest'
import {
  counts,
  expectWorking,
  FLAT_BYTES,
  GET,
  kept,
  LARGEST_MESSAGE,
  memory,
  NOISE,
  options,
  PARTIAL_MS,
  pause,
  place,
  useBoundedEdge,
  webSocket,
} from './support/bounded-edge.ts'
import { closeStatus, FIN, frame, framesOf, OPCODE, Raw, upgrade } from './support/raw.ts'

useBoundedEdge()

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
