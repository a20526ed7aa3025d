// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { type PacketSource, responseTarget, type ViaTarget } from './response-target.ts'

const UDP: ViaTarget = { transport: 'udp', host: '192.0.2.1', port: -1, rport: -1 }
const SOURCE: PacketSource = { address: '198.51.100.7', port: 40_000 }

interface Row {
  name: string
  cite: string
  via: ViaTarget
  source?: PacketSource
  target: string
}

const ROWS: Row[] = [
  { name: 'sent-by, default port', cite: 'RFC3261-18.2.2h', via: UDP, target: 'udp 192.0.2.1:5060' },
  { name: 'sent-by with port', cite: 'RFC3261-18.2.2h', via: { ...UDP, port: 5070 }, target: 'udp 192.0.2.1:5070' },
  {
    name: 'source address, sent-by port',
    cite: 'RFC3261-18.2.2f',
    via: { ...UDP, port: 5070 },
    source: SOURCE,
    target: 'udp 198.51.100.7:5070',
  },
  {
    name: 'received',
    cite: 'RFC3261-18.2.2f',
    via: { ...UDP, received: '203.0.113.9' },
    target: 'udp 203.0.113.9:5060',
  },
  {
    name: 'received and rport',
    cite: 'RFC3581-4c',
    via: { ...UDP, port: 5070, received: '203.0.113.9', rport: 1234 },
    target: 'udp 203.0.113.9:1234',
  },
  {
    name: 'rport without value, source at hand',
    cite: 'RFC3581-4c',
    via: { ...UDP, rport: 0 },
    source: SOURCE,
    target: 'udp 198.51.100.7:40000',
  },
  {
    name: 'the source overrides a forged received',
    cite: 'RFC3261-18.2.1f',
    via: { ...UDP, received: '203.0.113.9', rport: 9 },
    source: SOURCE,
    target: 'udp 198.51.100.7:40000',
  },
  {
    name: 'rport without value, stateless',
    cite: 'RFC3581-4c',
    via: { ...UDP, port: 5070, received: '203.0.113.9', rport: 0 },
    target: 'udp 203.0.113.9:5070',
  },
  {
    name: 'maddr before received',
    cite: 'RFC3261-18.2.2d',
    via: { ...UDP, maddr: '233.252.0.1', received: '203.0.113.9' },
    target: 'udp 233.252.0.1:5060',
  },
  {
    name: 'a name without port is left to SRV',
    cite: 'RFC3261-18.2.2h',
    via: { ...UDP, host: 'pc.example.test' },
    target: 'udp pc.example.test:-1 name',
  },
  {
    name: 'a name with port',
    cite: 'RFC3261-18.2.2h',
    via: { ...UDP, host: 'pc.example.test', port: 5070 },
    target: 'udp pc.example.test:5070 name',
  },
  {
    name: 'IPv6 in brackets',
    cite: 'RFC3261-25.1',
    via: { ...UDP, host: '[2001:db8::1]' },
    target: 'udp 2001:db8::1:5060',
  },
  {
    name: 'TCP: received, sent-by port, never rport',
    cite: 'RFC3261-18.2.2b',
    via: { ...UDP, transport: 'tcp', port: 5070, received: '203.0.113.9', rport: 1234 },
    target: 'tcp 203.0.113.9:5070',
  },
  {
    name: 'TLS default port',
    cite: 'RFC3261-18.2.2b RFC3263-5',
    via: { ...UDP, transport: 'tls' },
    source: SOURCE,
    target: 'tls 198.51.100.7:5061',
  },
]

describe('responseTarget', () => {
  it.each(ROWS)('$cite: $name', ({ via, source, target }) => {
    const found = responseTarget(via, source)
    expect(`${found.transport} ${found.host}:${found.port}${found.isNumeric ? '' : ' name'}`).toBe(target)
  })

  it('leaves maddr alone where told to', () => {
    const via = { ...UDP, maddr: '203.0.113.1' }
    expect(responseTarget(via, SOURCE, { ignoreMaddr: true }).host).toBe(SOURCE.address)
  })
})
