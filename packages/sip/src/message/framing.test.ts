// SPDX-License-Identifier: MIT
// Stream framing at every split point, keep-alives, bounds. Not tested here: what scan() says of the messages; throughput (bench).
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { FRAMING_ERROR } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { FRAME, StreamFramer } from './framing.ts'

const withBody = 'MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 5\r\nSubject: x\r\n\r\nhello'
const compact = 'OPTIONS sip:a@b SIP/2.0\r\nX: y\r\nl :\r\n 0\r\n\r\n'
const response = 'SIP/2.0 200 OK\r\ncontent-LENGTH:3\r\n\r\n\r\n\r'

/** Everything that comes out of the framer for these chunks, as text. */
function run(chunks: string[], framer = new StreamFramer()): string[] {
  const out: string[] = []
  for (const chunk of chunks) {
    framer.push(Buffer.from(chunk, 'latin1'))
    for (let kind = framer.next(); kind !== FRAME.NONE; kind = framer.next()) {
      if (kind === FRAME.MESSAGE) out.push(framer.buf.latin1Slice(framer.start, framer.end))
      else if (kind === FRAME.ERROR) return [...out, `error ${framer.error}`]
      else out.push(kind === FRAME.PING ? 'ping' : 'pong')
    }
  }
  return out
}

describe('StreamFramer', () => {
  const stream = `${withBody}${compact}${response}${withBody}`
  const messages = [withBody, compact, response, withBody]

  it('hands pipelined messages of one chunk out in place [RFC3261-18.3]', () => {
    const chunk = Buffer.from(stream, 'latin1')
    const framer = new StreamFramer()
    framer.push(chunk)
    for (const message of messages) {
      expect(framer.next()).toBe(FRAME.MESSAGE)
      expect(framer.buf).toBe(chunk)
      expect(framer.buf.latin1Slice(framer.start, framer.end)).toBe(message)
    }
    expect(framer.next()).toBe(FRAME.NONE)
    expect(framer.isPartial).toBe(false)
  })

  it('gives the same messages at every split point', () => {
    for (let k = 1; k < stream.length; k++)
      expect(run([stream.slice(0, k), stream.slice(k)]), `split at ${k}`).toEqual(messages)
  })

  it('gives the same messages in chunks of one byte to seven', () => {
    for (let size = 1; size <= 7; size++) {
      const chunks = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
      expect(run(chunks), `chunks of ${size}`).toEqual(messages)
    }
  })

  it('gives the same messages at every pair of split points', () => {
    const short = `${compact}${response}`
    for (let a = 1; a < short.length; a++) {
      for (let b = a + 1; b < short.length; b += 3) {
        expect(run([short.slice(0, a), short.slice(a, b), short.slice(b)])).toEqual([compact, response])
      }
    }
  })

  it('drops a large storage when the message is consumed', () => {
    const framer = new StreamFramer()
    const large = `MESSAGE sip:a@b SIP/2.0\r\nl: 20000\r\n\r\n${'z'.repeat(20_000)}`
    expect(run([large.slice(0, 9000), large.slice(9000), compact], framer)).toEqual([large, compact])
    expect(framer.storedBytes).toBe(0)
  })

  const keepAlives: { name: string; chunks: string[]; expected: string[] }[] = [
    { name: 'ping', chunks: ['\r\n\r\n'], expected: ['ping'] },
    { name: 'pong', chunks: ['\r\n'], expected: ['pong'] },
    { name: 'run of pings', chunks: ['\r\n\r\n\r\n\r\n'], expected: ['ping'] },
    { name: 'ping in bytes', chunks: ['\r', '\n', '\r', '\n'], expected: ['pong', 'ping'] },
    { name: 'ping split in the middle', chunks: ['\r\n', '\r\n'], expected: ['pong', 'ping'] },
    { name: 'ping between messages', chunks: [`${compact}\r\n\r\n${compact}`], expected: [compact, 'ping', compact] },
    { name: 'CRLF before a start line [RFC3261-7.5]', chunks: [`\r\n${compact}`], expected: ['pong', compact] },
    { name: 'pongs around a message', chunks: [`\r\n${compact}\r\n`], expected: ['pong', compact, 'pong'] },
  ]
  it.each(keepAlives)('keep-alive: $name [RFC5626-3.5.1]', ({ chunks, expected }) => {
    expect(run(chunks)).toEqual(expected)
  })

  const start = 'INVITE sip:a@b SIP/2.0\r\n'
  const errors: { name: string; chunks: string[]; error: number }[] = [
    {
      name: 'no Content-Length [RFC3261-18.3] [RFC3261-20.14c]',
      chunks: [`${start}X: y\r\n\r\n`],
      error: FRAMING_ERROR.NO_CONTENT_LENGTH,
    },
    { name: 'negative [RFC4475-3.1.2.3]', chunks: [`${start}l: -9\r\n\r\n`], error: FRAMING_ERROR.BAD_CONTENT_LENGTH },
    {
      name: 'two that differ [RFC4475-3.3.9]',
      chunks: [`${start}l: 1\r\nl: 2\r\n\r\n`],
      error: FRAMING_ERROR.BAD_CONTENT_LENGTH,
    },
    { name: 'a list', chunks: [`${start}l: 1, 1\r\n\r\n`], error: FRAMING_ERROR.BAD_CONTENT_LENGTH },
    { name: 'empty', chunks: [`${start}Content-Length:\r\n\r\n`], error: FRAMING_ERROR.BAD_CONTENT_LENGTH },
    { name: 'no colon', chunks: [`${start}Content-Length\r\n\r\n`], error: FRAMING_ERROR.BAD_CONTENT_LENGTH },
    { name: 'above 2^31', chunks: [`${start}l: 99999999999\r\n\r\n`], error: FRAMING_ERROR.BAD_CONTENT_LENGTH },
    { name: 'huge', chunks: [`${start}l: ${LIMITS.bodyBytes + 1}\r\n\r\n`], error: FRAMING_ERROR.BODY_TOO_LARGE },
    { name: 'TLS on a plain port', chunks: ['\x16\x03\x01\x02\x00'], error: FRAMING_ERROR.NOT_SIP },
    { name: 'a CR alone', chunks: ['\r', 'x'], error: FRAMING_ERROR.NOT_SIP },
    { name: 'a CR in the middle', chunks: ['\rx'], error: FRAMING_ERROR.NOT_SIP },
    {
      name: 'endless headers in one chunk',
      chunks: [`${start}X: ${'y'.repeat(70_000)}`],
      error: FRAMING_ERROR.HEADERS_TOO_LARGE,
    },
    {
      name: 'whole headers too large',
      chunks: [`${start}X: ${'y'.repeat(70_000)}\r\nl: 0\r\n\r\n`],
      error: FRAMING_ERROR.HEADERS_TOO_LARGE,
    },
    {
      name: 'endless headers in pieces',
      chunks: [start, ...new Array<string>(80).fill('y'.repeat(1000))],
      error: FRAMING_ERROR.HEADERS_TOO_LARGE,
    },
  ]
  it.each(errors)('error: $name', ({ chunks, error }) => {
    const framer = new StreamFramer()
    expect(run(chunks, framer)).toEqual([`error ${error}`])
    framer.push(Buffer.from(compact, 'latin1'))
    expect(framer.next()).toBe(FRAME.ERROR)
  })

  it('reserves nothing for a length that is only announced', () => {
    const framer = new StreamFramer()
    framer.push(Buffer.from(`${start}l: ${LIMITS.bodyBytes}\r\n\r\nabc`, 'latin1'))
    expect(framer.next()).toBe(FRAME.NONE)
    expect(framer.storedBytes).toBeLessThan(100)
  })
})
