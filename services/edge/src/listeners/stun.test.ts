// SPDX-License-Identifier: MIT
// STUN keep-alives on the port of SIP.
import { afterEach, describe, expect, it, test } from 'vitest'
import { EdgeBench } from '../testing.ts'
import { encodeStunResponse, MAX_STUN_RESPONSE_BYTES } from './stun.ts'

const TRANSACTION = 'b7e7a701bc34d686fa87dfae'
const REQUEST = Buffer.from(`000100002112a442${TRANSACTION}`, 'hex')
const out = Buffer.alloc(MAX_STUN_RESPONSE_BYTES)

const answer = (request: Buffer, address = '192.0.2.1', port = 32853): string =>
  out.toString('hex', 0, encodeStunResponse(request, 0, request.length, { address, port }, out))

describe('a Binding request', () => {
  // Addresses and masks of RFC 5769 sections 2.2 and 2.3.
  it.each([
    ['192.0.2.1', '0101000c', '002000080001a147e112a643'],
    ['2001:db8:1234:5678:11:2233:4455:6677', '01010018', '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9'],
  ])('[RFC5626-8a] MUST get XOR-MAPPED-ADDRESS: %s', (address, head, attribute) => {
    expect(answer(REQUEST, address)).toBe(`${head}2112a442${TRANSACTION}${attribute}`)
  })

  it.each([
    ['::1', '0000000000000000000000000000001'],
    ['fe80::1%eth0', 'fe80'],
    ['::ffff:192.0.2.1', 'ffffc0000201'],
    ['2001:db8::', '20010db8'],
  ])('takes any form of an IPv6 address: %s', (address, part) => {
    encodeStunResponse(REQUEST, 0, REQUEST.length, { address, port: 1 }, out)
    const plain = Buffer.from(Array.from({ length: 16 }, (_, k) => (out[28 + k] as number) ^ (out[4 + k] as number)))
    expect(plain.toString('hex')).toContain(part)
  })

  it('passes over attributes that it does not know', () => {
    const software = Buffer.concat([REQUEST, Buffer.from('8022000474657374', 'hex')])
    software.writeUInt16BE(8, 2)
    expect(answer(software)).toHaveLength(64)
  })
})

it.each([
  ['cut', REQUEST.subarray(0, 19)],
  ['a length that is none', Buffer.concat([REQUEST, Buffer.alloc(4)])],
  ['another method', Buffer.from(`000300002112a442${TRANSACTION}`, 'hex')],
  ['an indication', Buffer.from(`001100002112a442${TRANSACTION}`, 'hex')],
  ['a response', Buffer.from(`010100002112a442${TRANSACTION}`, 'hex')],
  ['no cookie', Buffer.from(`0001000000000000${TRANSACTION}`, 'hex')],
  ['too long', Buffer.concat([Buffer.from('000104002112a442', 'hex'), Buffer.alloc(12 + 1024)])],
  ['empty', Buffer.alloc(0)],
])('what is no Binding request is not answered: %s', (_what, bytes) => {
  expect(answer(bytes)).toBe('')
  expect(encodeStunResponse(REQUEST, 0, REQUEST.length, { address: 'nowhere.', port: 1 }, out)).toBe(0)
})

describe('at an edge', () => {
  let bench: EdgeBench
  afterEach(() => bench.close())

  test('[RFC5626-8b] MUST be answered on the port of SIP, to where it came from [RFC5626-5.4a] [RFC5626-6o]', () => {
    bench = new EdgeBench()
    bench.udpIn(REQUEST.toString('latin1'), '192.0.2.1', 32853)
    expect(bench.sent.map(({ to }) => to)).toEqual(['udp 192.0.2.1:32853'])
    expect(Buffer.from(bench.sent[0]?.text ?? '', 'latin1').toString('hex')).toBe(answer(REQUEST))
    expect(bench.core.counts).toMatchObject({ keepAlives: 1, droppedUnreadable: 0 })
    expect(bench.core.layer.traffic.requests('in')).toEqual([])
  })

  test('[RFC5626-8c] MUST NOT send STUN by itself, nor answer what is no request', () => {
    bench = new EdgeBench()
    bench.udpIn(`\x01${'x'.repeat(40)}`)
    expect(bench.sent).toEqual([])
    expect(bench.core.counts).toMatchObject({ keepAlives: 0, droppedUnreadable: 1 })
  })
})
