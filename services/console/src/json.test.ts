// SPDX-License-Identifier: MIT
// Kinds of values that few messages have. All else: service.test.ts.
import { expect, it } from 'vitest'
import { fromJson, toJson } from './json.ts'

const MESSAGE = {
  atMs: 1_700_000_000_123.5,
  isSent: true,
  transport: 'udp',
  isInternal: false,
  address: '192.0.2.1',
  port: 5060,
  farAddress: '192.0.2.2',
  farPort: 5060,
  bytes: Uint8Array.from([0x42, 0x59, 0x45, 0xff]),
}

it('bytes are base64, times keep their fractions, both ways', () => {
  const json = toJson('policy.CapturedMessage', MESSAGE)
  expect(json).toMatchObject({ atMs: 1_700_000_000_123.5, bytes: 'QllF/w==' })
  const back = fromJson('policy.CapturedMessage', json)
  expect([back.atMs, [...(back.bytes as Uint8Array)]]).toEqual([MESSAGE.atMs, [...MESSAGE.bytes]])
  expect(fromJson('policy.CapturedMessage', {}).bytes).toEqual(new Uint8Array())
  expect(() => fromJson('policy.CapturedMessage', { bytes: 1 })).toThrow('expected base64')
  expect(() => fromJson('policy.CapturedMessage', { atMs: '1' })).toThrow('expected a number')
})
