// SPDX-License-Identifier: MIT
// The adapter against a DNS server of this test's own on loopback: one UDP socket that knows a handful of names.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNodeResolver } from './node-resolver.ts'
import type { DnsResolver } from './resolver.ts'

const TYPE = { A: 1, AAAA: 28, SRV: 33, NAPTR: 35 }
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
const text = (value: string): Buffer => Buffer.from([value.length, ...Buffer.from(value)])
const domain = (name: string): Buffer => Buffer.concat([...name.split('.').map(text), Buffer.from([0])])

const RECORDS: Record<string, Buffer> = {
  [`${TYPE.A} host.test`]: Buffer.from([192, 0, 2, 1]),
  [`${TYPE.AAAA} host.test`]: Buffer.from('20010db8000000000000000000000001', 'hex'),
  [`${TYPE.SRV} _sip._udp.host.test`]: Buffer.concat([u16(10), u16(20), u16(5062), domain('host.test')]),
  [`${TYPE.NAPTR} host.test`]: Buffer.concat([
    u16(50),
    u16(60),
    text('s'),
    text('SIP+D2U'),
    text(''),
    domain('_sip._udp.host.test'),
  ]),
}

/** An answer with the record, NXDOMAIN without one, SERVFAIL for names that begin with "fail". */
function answer(query: Buffer): Buffer {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const name = labels.join('.').toLowerCase()
  const type = query.readUInt16BE(at + 1)
  const question = query.subarray(12, at + 5)
  const data = RECORDS[`${type} ${name}`]
  const code = name.startsWith('fail') ? 2 : data === undefined ? 3 : 0
  const head = Buffer.concat([query.subarray(0, 2), u16(0x8180 | code), u16(1), u16(data ? 1 : 0), u16(0), u16(0)])
  if (data === undefined) return Buffer.concat([head, question])
  const ttl = Buffer.from([0, 0, 0, 42])
  return Buffer.concat([head, question, Buffer.from([0xc0, 12]), u16(type), u16(1), ttl, u16(data.length), data])
}

let server: Socket
let resolver: DnsResolver
beforeAll(async () => {
  server = createSocket('udp4', (query, source) => server.send(answer(query), source.port, source.address))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  resolver = createNodeResolver({ servers: [`127.0.0.1:${server.address().port}`], timeoutMs: 500 })
})
afterAll(() => server.close())

describe('createNodeResolver', () => {
  it('gives addresses with their TTL', async () => {
    expect(await resolver.a('host.test')).toEqual([{ address: '192.0.2.1', ttl: 42 }])
    expect(await resolver.aaaa('host.test')).toEqual([{ address: '2001:db8::1', ttl: 42 }])
  })

  it('gives SRV and NAPTR records', async () => {
    const [srv] = await resolver.srv('_sip._udp.host.test')
    expect(srv).toMatchObject({ priority: 10, weight: 20, port: 5062, name: 'host.test' })
    const [naptr] = await resolver.naptr('host.test')
    expect(naptr).toMatchObject({ order: 50, preference: 60, flags: 's', service: 'SIP+D2U' })
    expect(naptr?.replacement).toBe('_sip._udp.host.test')
  })

  it('gives nothing for what does not exist', async () => {
    expect(await resolver.a('none.test')).toEqual([])
    expect(await resolver.srv('_sip._tcp.host.test')).toEqual([])
    expect(await resolver.naptr('none.test')).toEqual([])
  })

  it('rejects where the server failed', async () => {
    await expect(resolver.srv('fail.test')).rejects.toThrow(/SERVFAIL/)
  })

  it('knows localhost without asking', async () => {
    expect(await resolver.a('localhost')).toMatchObject([{ address: '127.0.0.1' }])
    expect(await resolver.aaaa('localhost')).toMatchObject([{ address: '::1' }])
  })
})
