// SPDX-License-Identifier: MIT
// The pure parts of the Redis store: URLs, slots, packed values, backoff, and the rules that all scripts keep.
import { describe, expect, it } from 'vitest'
import { backoffMs } from './connection.ts'
import { pack, unpack } from './msgpack.ts'
import { packId, packKey, packPayload, unpackId, unpackKey, unpackPayload } from './packed-binding.ts'
import { versionOf } from './reply.ts'
import { SCRIPTS } from './scripts/all.ts'
import { slotOfTag } from './slot.ts'
import { parseStoreUrl } from './url.ts'

describe('store URL', () => {
  it.each([
    ['redis://localhost', { kind: 'standalone', addresses: [{ host: 'localhost', port: 6379 }], tls: false, db: 0 }],
    [
      'redis://:p%40ss@[::1]:7000/3',
      { addresses: [{ host: '::1', port: 7000 }], username: '', password: 'p@ss', db: 3 },
    ],
    ['rediss://u:p@h:1', { kind: 'standalone', username: 'u', password: 'p', tls: true }],
    [
      'redis-sentinel://u:p@a,b:26380/main/2?tls=true&sentinelPassword=s',
      {
        kind: 'sentinel',
        addresses: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 26380 },
        ],
        masterName: 'main',
        db: 2,
        tls: true,
        sentinelPassword: 's',
      },
    ],
    ['redis-cluster://a:1,b:2', { kind: 'cluster', addresses: [{ port: 1 }, { port: 2 }], tls: false }],
  ])('reads %s', (url, expected) => {
    expect(parseStoreUrl(url)).toMatchObject(expected)
  })

  it.each([
    ['http://h', 'expected redis://'],
    ['redis://', 'expected redis://'],
    ['redis://h:0', 'host:port'],
    ['redis://h:99999', 'host:port'],
    ['redis://h/x', 'database number'],
    ['redis-cluster://h/1', 'database 0'],
    ['redis-sentinel://h', 'name of the master'],
    ['redis://:%zz@h', 'percent-encoded'],
  ])('refuses %s with a sentence', (url, sentence) => {
    expect(() => parseStoreUrl(url)).toThrow(sentence)
  })

  it('never repeats a password', () => {
    expect(() => parseStoreUrl('redis://:s3cret@h:0')).toThrow(/^(?!.*s3cret)/)
  })
})

describe('slots', () => {
  it.each([
    ['123456789', 0x31c3],
    ['foo', 12_182],
    ['e', 15_363],
  ])('has the slot of %s', (tag, slot) => {
    expect(slotOfTag(tag)).toBe(slot)
  })
})

describe('packed values', () => {
  it.each([
    ['c0', null],
    ['c2', false],
    ['c3', true],
    ['7f', 127],
    ['ff', -1],
    ['ccff', 255],
    ['cd0100', 256],
    ['ce00010000', 65_536],
    ['cf0000018bcfe56800', 1_700_000_000_000],
    ['d080', -128],
    ['d1ff00', -256],
    ['d2ffff0000', -65_536],
    ['d3ffffffffffffff00', -256],
    ['ca3fc00000', 1.5],
    ['cb3ff8000000000000', 1.5],
    ['a2c3bc', 'ü'],
    ['d90161', 'a'],
    ['da000161', 'a'],
    ['db0000000161', 'a'],
    ['c40161', 'a'],
    ['9201a162', [1, 'b']],
    ['dc000101', [1]],
    ['81a16101', { a: 1 }],
    ['de0001a16101', { a: 1 }],
  ])('reads %s', (hex, expected) => {
    expect(unpack(Buffer.from(hex, 'hex'))).toEqual(expected)
  })

  it.each(['', 'a5', 'cd01', '92', 'c1', 'c7'])('throws for %s', (hex) => {
    expect(() => unpack(Buffer.from(hex, 'hex'))).toThrow(RangeError)
  })

  it('reads what is packed for scripts', () => {
    const words = ['', 'calls', 'Zürich', 0, 127, 128, -1, Number.MAX_SAFE_INTEGER, 'x'.repeat(300)]
    const bytes = Buffer.from(pack(words))
    expect(unpack(bytes)).toEqual(words)
  })

  it('orders versions as streams order their ids', () => {
    expect(versionOf('0-0')).toBe(0n)
    expect(versionOf('1700000000000-1')).toBeGreaterThan(versionOf('1700000000000-0'))
    expect(versionOf('1700000000001-0')).toBeGreaterThan(versionOf('1700000000000-9999'))
  })
})

describe('bindings in few bytes', () => {
  const uuid = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'

  it.each([
    ['', 0],
    ['a84b4c76e66710@pc33.example.com', 0],
    ['0123456789abcdef0123456789abcdef', -9],
    ['0123456789abcdef0', 0],
    ['0123456789abcde', 0],
    ['0123456789ABCDEF', 0],
    [uuid, -13],
    [`${uuid}x`, 0],
    [uuid.toUpperCase(), 0],
    ['\x03looks packed', 1],
  ])('a Call-ID comes back: %j', (id, growth) => {
    expect(unpackId(packId(id))).toBe(id)
    expect(packId(id).length - id.length).toBe(growth)
  })

  it.each([
    `flow:1;<urn:uuid:${uuid}>`,
    `flow:4294967295;<urn:uuid:${uuid}>`,
    `flow:1;<urn:uuid:${uuid.toUpperCase()}>`,
    `flow:1;<urn:uuid:${uuid}>;<urn:uuid:${uuid}>`,
    'flow:1;<urn:uuid:1>',
    'flow:2;<urn:gsma:imei:90420156-025763-0>',
    'sip:a@h;ob',
  ])('a key comes back: %s', (key) => {
    expect(unpackKey(packKey(key))).toBe(key)
  })

  it.each([
    [';methods="INVITE, ACK, BYE, UPDATE"', 6],
    [';methods="INVITE,ACK, BYE"', 6],
    [';methods="INVITEACK, BYE"', 26],
    [', INVITE, , ACK', 5],
    [';x="REGISTER, a, BYE"', 10],
  ])('parameters come back: %s', (params, length) => {
    const contact = {
      uriKey: 'k',
      uri: 'k',
      expiresS: 1,
      qMilli: 0,
      instanceId: '',
      regId: 0,
      flow: undefined,
      path: [],
    }
    const packed = packPayload({ ...contact, params }, '')
    expect(unpackPayload('k', packed).params).toBe(params)
    expect(packed.length).toBe(10 + length)
  })
})

const ABOUT_RESOURCES = new Set(['read-resource-base', 'fold-resources'])

describe('scripts', () => {
  it.each(SCRIPTS.map((script) => [script.name, script.source]))(
    '%s uses no KEYS, no SCAN, no cjson',
    (name, source) => {
      // Resources are read a page of one hash at a time, off the way of every call; what is decoded there are texts, no amounts.
      const forbidden = ABOUT_RESOURCES.has(name)
        ? /'KEYS'|'SCAN'|cjson\.encode|'WAIT/i
        : /'KEYS'|'H?SCAN'|cjson|'WAIT/i
      expect(source).not.toMatch(forbidden)
    },
  )

  it('has each script once', () => {
    expect(SCRIPTS.length).toBeGreaterThan(20)
    expect(new Set(SCRIPTS.map((script) => script.sha)).size).toBe(SCRIPTS.length)
  })
})

describe('backoff', () => {
  it('grows to half a second with jitter', () => {
    const waits = Array.from({ length: 50 }, () => backoffMs(100))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(250)
    expect(Math.max(...waits)).toBeLessThanOrEqual(500)
    expect(new Set(waits).size).toBeGreaterThan(5)
    expect(backoffMs(1)).toBeLessThanOrEqual(100)
  })
})
