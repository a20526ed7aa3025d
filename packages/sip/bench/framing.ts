// SPDX-License-Identifier: MIT
// Framing and scanning of pipelined messages from a stream, in chunks that split messages anywhere.
import { Buffer } from 'node:buffer'
import { FRAME, SipMessage, StreamFramer, scan } from '@tandem/sip'
import { cpuMs } from './measure.ts'

const CHUNK_BYTES = 65_536

/** CPU milliseconds for `bytes` of pipelined copies of `message`; every message is framed, scanned and counted. */
export function frameStream(
  message: Buffer,
  bytes: number,
  chunkBytes = CHUNK_BYTES,
): { ms: number; messages: number } {
  const count = Math.floor(bytes / message.length)
  const period = Buffer.concat(new Array<Buffer>(Math.ceil(chunkBytes / message.length) + 1).fill(message))
  const framer = new StreamFramer()
  const msg = new SipMessage()
  const total = count * message.length
  let messages = 0
  const before = cpuMs()
  for (let at = 0; at < total; at += chunkBytes) {
    const from = at % message.length
    framer.push(period.subarray(from, from + Math.min(chunkBytes, total - at)))
    while (framer.next() === FRAME.MESSAGE) if (scan(msg, framer.buf, framer.start, framer.end) === 0) messages++
  }
  const ms = cpuMs() - before
  if (messages !== count) throw new Error(`framed ${messages} of ${count} messages`)
  return { ms, messages }
}
