// SPDX-License-Identifier: MIT
// What several edges kept of a call becomes one ladder and one file. That tshark reads it: test/e2e/trace.test.ts.
import type { policy } from '@tandem/rpc'
import { expect, it } from 'vitest'
import { callMessages, titleOf } from './call-messages.ts'
import { ladder } from './ladder.ts'
import { pcapOf } from './pcap.ts'

const A = { address: '192.0.2.10', port: 5060 }
const B = { address: '192.0.2.11', port: 5160 }
const ALICE = { farAddress: '198.51.100.1', farPort: 5080 }
const BOB = { farAddress: '198.51.100.2', farPort: 5070 }
const T = Date.UTC(2026, 10, 23, 12, 0, 0)

const text = (first: string, cseq = '1 INVITE', more = ''): Buffer =>
  Buffer.from(`${first}\r\nCall-ID: c\r\nCSeq: ${cseq}\r\n${more}\r\n`, 'latin1')
const INVITE = text('INVITE sip:bob@example.test SIP/2.0', '1 INVITE', 'Content-Type: application/sdp\r\n')
const INNER = text('INVITE sip:bob@198.51.100.2 SIP/2.0', '1 INVITE', 'Via: between\r\n')
const OUTER = text('INVITE sip:bob@198.51.100.2 SIP/2.0', '1 INVITE', 'Via: outer\r\n')
const OK = text('SIP/2.0 200 OK', '2 BYE')

type Sample = Partial<policy.CapturedMessage> & Pick<policy.CapturedMessage, 'atMs' | 'isSent' | 'bytes'>
const captured = (edge: string, own: typeof A, messages: readonly Sample[]): policy.CapturedRequest => ({
  commandId: '1',
  edge,
  keeps: true,
  oldestMs: 0n,
  isCut: false,
  filters: [],
  messages: messages.map((sample) => ({
    transport: 'udp',
    isInternal: false,
    farAddress: '',
    farPort: 0,
    ...own,
    ...sample,
  })),
})

/** Alice at edge-0 calls Bob, whom only edge-1 reaches. */
const ANSWERS = [
  captured('edge-1', B, [
    {
      atMs: T + 3,
      isSent: false,
      bytes: INNER,
      isInternal: true,
      transport: 'tcp',
      farAddress: A.address,
      farPort: 40_001,
    },
    { atMs: T + 4, isSent: true, bytes: OUTER, ...BOB },
    { atMs: T + 504, isSent: true, bytes: OUTER, ...BOB },
  ]),
  captured('edge-0', A, [
    { atMs: T, isSent: false, bytes: INVITE, ...ALICE },
    { atMs: T + 1, isSent: true, bytes: text('SIP/2.0 100 Trying'), ...ALICE },
    {
      atMs: T + 2,
      isSent: true,
      bytes: INNER,
      isInternal: true,
      transport: 'tcp',
      farAddress: B.address,
      farPort: 5250,
    },
    { atMs: T + 900, isSent: true, bytes: OK, ...ALICE },
  ]),
]

it('each message stands once, in time, between parties with names', () => {
  const messages = callMessages(ANSWERS)
  expect(messages.map((message) => [message.atMs - T, message.from, message.to, titleOf(message)])).toEqual([
    [0, '198.51.100.1:5080', 'edge-0', 'INVITE (SDP)'],
    [1, 'edge-0', '198.51.100.1:5080', '100 Trying'],
    [2, 'edge-0', 'edge-1', 'INVITE'],
    [4, 'edge-1', '198.51.100.2:5070', 'INVITE'],
    [504, 'edge-1', '198.51.100.2:5070', 'INVITE, again'],
    [900, 'edge-0', '198.51.100.1:5080', '200 OK to BYE'],
  ])
})

it('edges that share an address keep their names, and are not taken for one another', () => {
  const shared = [
    captured('edge-0', A, [{ atMs: T, isSent: true, bytes: INVITE, farAddress: A.address, farPort: A.port }]),
    captured('edge-1', A, [{ atMs: T + 1, isSent: false, bytes: OK, ...BOB }]),
  ]
  expect(callMessages(shared).map(({ from, to }) => [from, to])).toEqual([
    ['edge-0', '192.0.2.10:5060'],
    ['198.51.100.2:5070', 'edge-1'],
  ])
})

it('draws arrows from lane to lane', () => {
  const { heading, lines } = ladder(callMessages(ANSWERS).slice(0, 4))
  expect([heading, ...lines]).toEqual([
    '              198.51.100.1:5080     edge-0                edge-1                198.51.100.2:5070',
    '12:00:00.000  |--- INVITE (SDP) --->|                     |                     |',
    '12:00:00.001  |<---- 100 Trying ----|                     |                     |',
    '12:00:00.002  |                     |------ INVITE ------>|                     |',
    '12:00:00.004  |                     |                     |------ INVITE ------>|',
  ])
})

it('shows control characters instead of obeying them, and a message that is none', () => {
  const nonsense = captured('edge-0', A, [{ atMs: T, isSent: false, bytes: Buffer.from('\x1b[2J\x07\0'), ...ALICE }])
  const { lines } = ladder(callMessages([nonsense]), true)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  expect(lines.join('\n').replaceAll('\n', '')).not.toMatch(/[\x00-\x1f]/)
})

/** Of a file: time in microseconds, addresses, ports, text. Written against the format, not against our writer. */
function packetsOf(file: Buffer) {
  expect([file.readUInt32LE(0), file.readUInt16LE(4), file.readUInt32LE(20)]).toEqual([0xa1b2c3d4, 2, 101])
  const packets = []
  for (let at = 24; at < file.length; ) {
    const [seconds, us, length] = [0, 4, 8].map((offset) => file.readUInt32LE(at + offset)) as [number, number, number]
    const ip = file.subarray(at + 16, at + 16 + length)
    const is6 = ip[0] === 0x60
    const udp = ip.subarray(is6 ? 40 : 20)
    expect([is6 ? ip.readUInt16BE(4) + 40 : ip.readUInt16BE(2), udp.readUInt16BE(4)]).toEqual([length, udp.length])
    const addresses = is6 ? ip.subarray(8, 40) : ip.subarray(12, 20)
    packets.push({
      us: seconds * 1e6 + us,
      addresses: addresses.toString('hex'),
      ports: [udp.readUInt16BE(0), udp.readUInt16BE(2)],
      text: udp.subarray(8).toString('latin1'),
    })
    at += 16 + length
  }
  return packets
}

it('a pcap file has each message with its time, addresses and ports', () => {
  const packets = packetsOf(pcapOf(callMessages(ANSWERS)))
  expect(packets.length).toBe(6)
  expect(packets[0]).toEqual({
    us: T * 1_000,
    addresses: 'c6336401c000020a',
    ports: [5080, 5060],
    text: INVITE.toString('latin1'),
  })
})

it('a pcap file takes IPv6, and names that have no number', () => {
  const six = captured('edge-0', { address: '2001:db8::1', port: 5060 }, [
    { atMs: T, isSent: true, bytes: OK, farAddress: 'fe80::2', farPort: 5061 },
  ])
  const named = captured('edge-0', { address: 'sip.example.test', port: 5060 }, [
    { atMs: T, isSent: true, bytes: OK, ...BOB },
  ])
  expect(packetsOf(pcapOf(callMessages([six])))[0]?.addresses).toBe(
    '20010db8000000000000000000000001fe800000000000000000000000000002',
  )
  expect(packetsOf(pcapOf(callMessages([named])))[0]?.addresses).toBe('00000000c6336402')
})
