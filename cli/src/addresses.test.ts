// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest'
import { hostPort, listenersOf } from './addresses.ts'
import { aorOf } from './admin/locate.ts'
import { parseTarget } from './parts/callers.ts'
import { loadSettings } from './up/settings.ts'

const listeners = (flags: Parameters<typeof loadSettings>[0]) => {
  const config = loadSettings(flags, { makeKeys: true })
  return listenersOf(config).map(({ part, protocol, port }) => `${part} ${protocol} ${port}`)
}

describe('listenersOf', () => {
  it('has the ports of DESIGN §9', () => {
    expect(listeners({ edges: 2 })).toEqual([
      'edge-0 sip/udp 5060',
      'edge-0 sip/tcp 5060',
      'edge-0 sip/tls 5061',
      'edge-0 sip/ws 5066',
      'edge-0 sip/wss 5067',
      'edge-0 internal/tcp 5150',
      'edge-0 http 9464',
      'edge-1 sip/udp 5160',
      'edge-1 sip/tcp 5160',
      'edge-1 sip/tls 5161',
      'edge-1 sip/ws 5166',
      'edge-1 sip/wss 5167',
      'edge-1 internal/tcp 5250',
      'edge-1 http 9465',
      'location grpc 50051',
      'location http 9564',
      'policy grpc 50052',
      'policy http 9565',
      'records http 9566',
      'console http 8080',
      'console grpc 8081',
      'console http 9567',
    ])
  })

  it('has SCTP at the SIP port, where it is on', () => {
    const config = loadSettings({}, { makeKeys: true })
    const edge = { ...config.edge, listeners: { ...config.edge.listeners, sctp: true } }
    const own = listenersOf({ ...config, edge }).filter(({ protocol }) => protocol === 'sip/sctp')
    expect(own).toEqual([
      { part: 'edge-0', protocol: 'sip/sctp', host: '127.0.0.1', port: 5060, setting: 'edge.listeners.sctp' },
    ])
  })

  it('moves the SIP ports with the base, and those alone', () => {
    expect(listeners({ basePort: 7_000 }).slice(0, 7)).toEqual([
      'edge-0 sip/udp 7000',
      'edge-0 sip/tcp 7000',
      'edge-0 sip/tls 7001',
      'edge-0 sip/ws 7006',
      'edge-0 sip/wss 7007',
      'edge-0 internal/tcp 7090',
      'edge-0 http 9464',
    ])
  })
})

describe('host and port', () => {
  it.each([
    ['127.0.0.1', 1, '127.0.0.1:1'],
    ['::1', 5_060, '[::1]:5060'],
    ['location', 50_051, 'location:50051'],
  ])('%s %i ↔ %s', (host, port, text) => {
    expect(hostPort(host, port)).toBe(text)
    expect(parseTarget(text)).toEqual({ host, port })
  })
})

describe('aorOf', () => {
  it.each([
    ['bob@Example.TEST', 'sip:bob@example.test'],
    ['SIP:Bob@Example.test', 'sip:Bob@example.test'],
    ['sips:bob@a', 'sip:bob@a'],
    ['sip:%62ob@a.test:5062;user=phone?x=1', 'sip:bob@a.test'],
    ['+49-30 1234@a.test'.replace(' ', '.'), 'sip:+49301234@a.test'],
    ['bob@[::1]:5060', 'sip:bob@[::1]'],
    ['%zz@a', 'sip:%zz@a'],
  ])('%s → %s', async (text, aor) => {
    expect(await aorOf(text)).toBe(aor)
  })

  it.each(['bob', 'sip:bob', ''])('%s has no domain: says what was expected', async (text) => {
    await expect(aorOf(text)).rejects.toThrow(`${text} is no address-of-record: expected user@domain.`)
  })
})
