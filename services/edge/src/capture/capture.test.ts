// SPDX-License-Identifier: MIT
// What is read from a message, what is made unreadable in it, what filters want, and HEP packets as an independent decoder reads them.
import { expect, it } from 'vitest'
import { Filters } from './filters.ts'
import { encodeHep, type HepMessage } from './hep-packet.ts'
import { callIdOf, hasCallId, methodOf, namesUser } from './message-marks.ts'
import { redact } from './redact.ts'

const lines = (...text: string[]): Buffer => Buffer.from([...text, '', ''].join('\r\n'), 'latin1')
const INVITE = lines(
  'INVITE sip:bob@example.test SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
  'f: "Al" <sip:alice@example.test>;tag=1',
  'To: <sip:bob@example.test>',
  'i : call-1@host',
  'CSeq: 1 INVITE',
)
const RESPONSE = lines('SIP/2.0 180 Ringing', 'Call-ID: call-1@host', 'CSeq: 7  INVITE')
const whole = (bytes: Buffer) => [bytes, 0, bytes.length] as const

it('reads Call-ID, method and users in long and short forms', () => {
  expect(callIdOf(...whole(INVITE))).toBe('call-1@host')
  expect(hasCallId(...whole(INVITE), 'call-1@host')).toBe(true)
  expect(hasCallId(...whole(INVITE), 'call-1')).toBe(false)
  expect([methodOf(...whole(INVITE)), methodOf(...whole(RESPONSE))]).toEqual(['INVITE', 'INVITE'])
  expect(namesUser(...whole(INVITE), 'alice')).toBe(true)
  expect(namesUser(...whole(INVITE), 'bob@example.test')).toBe(true)
  expect(namesUser(...whole(INVITE), 'bob@example.te')).toBe(false)
  expect(namesUser(...whole(INVITE), 'ice')).toBe(false)
})

it('has no marks for what is no message, and does not look into bodies', () => {
  for (const text of ['', '\r\n\r\n', 'x', 'INVITE', '\0\0\0', ':::\r\n:\r\n']) {
    const bytes = Buffer.from(text)
    expect([callIdOf(...whole(bytes)), methodOf(...whole(bytes))]).toEqual(['', ''])
  }
  const body = Buffer.from('MESSAGE sip:a SIP/2.0\r\n\r\nCall-ID: inside\r\n')
  expect(hasCallId(...whole(body), 'inside')).toBe(false)
})

const SECRETS: readonly [line: string, secret: string][] = [
  ['Authorization: Digest username="alice", nonce="n1", response="0123456789abcdef", qop=auth', '0123456789abcdef'],
  ['proxy-authorization:Digest response=abc0123,username="a"', 'abc0123'],
  ['Authorization: Bearer eyJhbGciOi.J9.sig', 'eyJhbGciOi.J9.sig'],
  ['Proxy-Authentication-Info: qop=auth, rspauth="fedcba98", nc=1', 'fedcba98'],
  ['Identity: eyJwcHQ.secret.part;info=<https://x>;alg=ES256', 'eyJwcHQ.secret.part'],
  [
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1c|2^20|1:32',
    'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1c',
  ],
  ['a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyONQ6g', 'AQAFgM0XflABAAAAAAAAAAAAAAsAyONQ6g'],
  ['a=ice-pwd:asd88fgpdd777uzjYhagZg', 'asd88fgpdd777uzjYhagZg'],
  ['k=base64:c2VjcmV0', 'c2VjcmV0'],
  ['Authorization: Digest username="alice",\r\n response="0123456789abcdef"', '0123456789abcdef'],
  ['Authorization:\r\n\tBearer eyJhbGciOi.J9.sig', 'eyJhbGciOi.J9.sig'],
  ['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|1:4', 'AAAA'],
  ['Contact: <sip:alice:hush-hush@192.0.2.1:5060;transport=tcp>', 'hush-hush'],
]

it.each(SECRETS)('makes the secret of %s unreadable, and nothing else', (line, secret) => {
  const before = `INVITE sip:b SIP/2.0\r\nX: 1\r\n${line}\r\nZ: 2\r\n\r\n`
  const after = redact(Buffer.from(before, 'latin1')).latin1Slice()
  expect(after).toBe(before.replace(secret, 'x'.repeat(secret.length)))
})

it('makes every key of a line unreadable, and what stands on several lines', () => {
  const text = (...lines: string[]): string => ['INVITE sip:b SIP/2.0', ...lines, '', ''].join('\r\n')
  const after = (...lines: string[]): string => redact(Buffer.from(text(...lines), 'latin1')).latin1Slice()
  expect(after('a=crypto:1 AES inline:AAAA|2^20|1:4;inline:BBBB|2^20|2:4')).toBe(
    text('a=crypto:1 AES inline:xxxx|2^20|1:4;inline:xxxx|2^20|2:4'),
  )
  expect(after('Authorization: Bearer abc', ' def', 'X: 1')).toBe(text('Authorization: Bearer xxx', ' xxx', 'X: 1'))
  expect(after('Identity: abc', '\tdef;alg=ES256')).toBe(text('Identity: xxx', '\txxx;alg=ES256'))
})

it.each([
  'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=192.0.2.9',
  'Contact: <sip:192.0.2.1:5060;transport=tcp>, <sip:bob@example.test:5061>',
  'Record-Route: <sip:edge.example.test:5060;lr>, "x" <sip:a@b>',
  'WWW-Authenticate: Digest realm="a", nonce="b", opaque="c"',
])('%s holds no secret', (line) => {
  const text = `INVITE sip:b SIP/2.0\r\n${line}\r\n\r\n`
  expect(redact(Buffer.from(text, 'latin1')).latin1Slice()).toBe(text)
})

it('is done soon with a message that is made to keep it busy', () => {
  const busy = [
    `Authorization: Digest ${' response'.repeat(6_000)}`,
    `Authorization: ${'a '.repeat(20_000)}`,
    'sip:a:'.repeat(9_000),
  ]
  const startMs = performance.now()
  for (const line of busy) redact(Buffer.from(`INVITE sip:b SIP/2.0\r\n${line}\r\n\r\n`, 'latin1'))
  expect(performance.now() - startMs).toBeLessThan(5_000)
})

it('leaves a message without secrets as it is', () => {
  expect(redact(Buffer.from(INVITE)).equals(INVITE)).toBe(true)
})

const ANY = { callId: '', source: '', user: '', targets: ['log'], forMs: 1_000 } as const

it('filters want what fits all that they name, for their time', () => {
  let now = 0
  const filters = new Filters(() => now)
  filters.set({ ...ANY, source: '192.0.2.0/24', user: 'alice' })
  filters.set({ ...ANY, callId: 'call-1@host', targets: ['hep'], forMs: 5_000 })
  const of = (address: string, bytes = INVITE) => [...filters.targetsOf(...whole(bytes), address)].sort()
  expect(of('192.0.2.9')).toEqual(['hep', 'log'])
  expect(of('198.51.100.1')).toEqual(['hep'])
  expect(of('192.0.2.9', RESPONSE)).toEqual(['hep'])
  now = 1_001
  expect(of('192.0.2.9')).toEqual(['hep'])
  expect(filters.list()).toEqual([{ ...ANY, callId: 'call-1@host', targets: ['hep'], forMs: 3_999 }])
  filters.set({ ...ANY, callId: 'call-1@host', targets: ['hep'], forMs: 9_000 }) // told again
  expect(filters.list()).toEqual([{ ...ANY, callId: 'call-1@host', targets: ['hep'], forMs: 9_000 }])
  filters.clear()
  expect([of('192.0.2.9'), filters.isEmpty]).toEqual([[], true])
})

it('filters are bounded: the newest stay', () => {
  const filters = new Filters(() => 0)
  for (let k = 0; k < 100; k += 1) filters.set({ ...ANY, callId: `c${k}` })
  expect(filters.list().map(({ callId }) => callId)).toEqual(Array.from({ length: 16 }, (_, k) => `c${84 + k}`))
})

/** Chunks of a packet by their type, as the specification lays them out. */
function chunksOf(packet: Buffer): Map<number, Buffer> {
  expect(packet.latin1Slice(0, 4)).toBe('HEP3')
  expect(packet.readUInt16BE(4)).toBe(packet.length)
  const chunks = new Map<number, Buffer>()
  for (let at = 6; at < packet.length; at += packet.readUInt16BE(at + 4)) {
    expect(packet.readUInt16BE(at)).toBe(0)
    chunks.set(packet.readUInt16BE(at + 2), packet.subarray(at + 6, at + packet.readUInt16BE(at + 4)))
  }
  return chunks
}

const HEP: HepMessage = {
  from: { address: '192.0.2.1', port: 5060 },
  to: { address: '198.51.100.2', port: 5061 },
  transport: 'udp',
  atMs: 1_700_000_000_123.5,
  agent: 2_001,
  node: 'edge-0',
  key: 'k',
  correlation: 'call-1@host',
  bytes: INVITE,
}

it('a HEP packet says who, when and what', () => {
  const chunks = chunksOf(encodeHep(HEP) as Buffer)
  const number = (type: number) => chunks.get(type)?.readUIntBE(0, chunks.get(type)?.length ?? 0)
  expect([1, 2, 7, 8, 9, 10, 11, 12].map(number)).toEqual([2, 17, 5060, 5061, 1_700_000_000, 123_500, 1, 2_001])
  expect([...(chunks.get(3) ?? [])]).toEqual([192, 0, 2, 1])
  expect([...(chunks.get(4) ?? [])]).toEqual([198, 51, 100, 2])
  expect([14, 17, 19].map((type) => chunks.get(type)?.toString())).toEqual(['k', 'call-1@host', 'edge-0'])
  expect(chunks.get(15)?.equals(INVITE)).toBe(true)
})

it.each([
  ['2001:db8::1', '20010db8000000000000000000000001'],
  ['::1', '00000000000000000000000000000001'],
  ['fe80::1:2', 'fe800000000000000000000000010002'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['192.0.2.1', '00000000000000000000ffffc0000201'],
])('IPv6 in a HEP packet: %s', (address, hex) => {
  const chunks = chunksOf(encodeHep({ ...HEP, from: { address: '::', port: 1 }, to: { address, port: 2 } }) as Buffer)
  expect([chunks.get(1)?.[0], chunks.get(6)?.toString('hex'), chunks.has(3)]).toEqual([10, hex, false])
})

it('a message that no packet holds is none', () => {
  expect(encodeHep({ ...HEP, bytes: Buffer.alloc(65_500) })).toBeUndefined()
})
