// SPDX-License-Identifier: MIT
// Frames as RFC 6455 §5.2 has them, cut anywhere.
import { describe, expect, it } from 'vitest'
import { FrameWatch } from './frame-watch.ts'

const FIN = 0x80
const TEXT = 0x01
const CONTINUATION = 0x00
const PING = 0x09

/** A frame of a client: masked, with a payload of zeros. */
function frame(first: number, length: number): Buffer {
  const mask = [0, 0, 0, 0]
  const payload = Buffer.alloc(length)
  if (length < 126) return Buffer.concat([Buffer.from([first, 0x80 | length, ...mask]), payload])
  if (length < 65_536) {
    return Buffer.concat([Buffer.from([first, 0xfe, length >> 8, length & 0xff, ...mask]), payload])
  }
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(BigInt(length))
  return Buffer.concat([Buffer.from([first, 0xff]), long, Buffer.from(mask), payload])
}

describe('a message', () => {
  it.each([0, 1, 125, 126, 400, 65_535, 65_536, 70_000])(
    'of %i bytes is partial at every byte but its last',
    (length) => {
      const bytes = frame(FIN | TEXT, length)
      const watch = new FrameWatch()
      const partial: boolean[] = []
      for (const byte of bytes) {
        watch.sees(Uint8Array.of(byte))
        partial.push(watch.isPartial)
      }
      expect(partial.indexOf(false)).toBe(bytes.length - 1)
      expect(new FrameWatch().isPartial).toBe(false)
    },
  )

  it('of several frames is partial until the last one, whatever pings stand between', () => {
    const watch = new FrameWatch()
    const seen: boolean[] = []
    for (const part of [frame(TEXT, 10), frame(FIN | PING, 3), frame(CONTINUATION, 0), frame(FIN | CONTINUATION, 9)]) {
      watch.sees(part)
      seen.push(watch.isPartial)
    }
    expect(seen).toEqual([true, true, true, false])
  })

  it('is none when several came in one chunk, and partial when the last of them is', () => {
    const watch = new FrameWatch()
    watch.sees(Buffer.concat([frame(FIN | TEXT, 300), frame(FIN | PING, 0), frame(FIN | TEXT, 5)]))
    expect(watch.isPartial).toBe(false)
    watch.sees(Buffer.concat([frame(FIN | TEXT, 300), frame(FIN | TEXT, 5).subarray(0, 8)]))
    expect(watch.isPartial).toBe(true)
  })

  it('without a mask, which ws refuses, is walked over all the same', () => {
    const watch = new FrameWatch()
    watch.sees(Buffer.from([FIN | TEXT, 2, 65]))
    expect(watch.isPartial).toBe(true)
    watch.sees(Buffer.from([66]))
    expect(watch.isPartial).toBe(false)
  })
})
