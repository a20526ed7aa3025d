// SPDX-License-Identifier: MIT
// RFC 3263 over a resolver made of a table. Not tested here: node:dns itself (node-resolver.test.ts).
import { createRandom, FakeClock } from '@tandem/test-kit'
import { describe, expect, it } from 'vitest'
import { type LocateResult, type LocateTarget, type LocatorOptions, ServerLocator } from './locate-server.ts'
import type { DnsResolver } from './resolver.ts'

interface Zone {
  naptr?: Record<string, [order: number, service: string, replacement: string, flags?: string][]>
  srv?: Record<string, [priority: number, port: number, name: string][]>
  a?: Record<string, string[]>
  aaaa?: Record<string, string[]>
  fail?: string[]
  silent?: string[]
  ttl?: number
}

function resolverOf(zone: Zone): DnsResolver & { asked: string[] } {
  const asked: string[] = []
  const answer = async <T>(kind: string, name: string, records: T[] | undefined): Promise<T[]> => {
    asked.push(`${kind} ${name}`)
    if (zone.silent?.includes(`${kind} ${name}`)) await new Promise(() => {})
    if (zone.fail?.includes(`${kind} ${name}`)) throw new Error('SERVFAIL')
    return records ?? []
  }
  const withTtl = (addresses?: string[]) => addresses?.map((address) => ({ address, ttl: zone.ttl ?? 60 }))
  return {
    asked,
    naptr: (name) =>
      answer(
        'naptr',
        name,
        zone.naptr?.[name]?.map(([order, service, replacement, flags]) => ({
          order,
          preference: 50,
          flags: flags ?? 's',
          service,
          regexp: '',
          replacement,
        })),
      ),
    srv: (name) =>
      answer(
        'srv',
        name,
        zone.srv?.[name]?.map(([priority, port, host]) => ({ priority, weight: 1, port, name: host })),
      ),
    a: (name) => answer('a', name, withTtl(zone.a?.[name])),
    aaaa: (name) => answer('aaaa', name, withTtl(zone.aaaa?.[name])),
  }
}

function locatorOf(zone: Zone, options: Partial<LocatorOptions> = {}) {
  const resolver = resolverOf(zone)
  const clock = new FakeClock()
  const random = createRandom(1)
  const locator = new ServerLocator({ resolver, transports: ['udp', 'tcp'], random, now: clock.now, ...options })
  return { resolver, clock, locator }
}

function shown(result: LocateResult): string {
  if (!result.found) return result.error
  return result.endpoints.map(({ transport, address, port }) => `${transport} ${address}:${port}`).join(', ')
}

const EXAMPLE: Zone = {
  naptr: {
    'example.com': [
      [100, 'SIP+D2U', '_sip._udp.example.com'],
      [50, 'SIPS+D2T', '_sips._tcp.example.com'],
      [90, 'SIP+D2T', '_sip._tcp.Example.com'],
      [10, 'E2U+sip', 'enum.example.com', 'u'],
    ],
    'sctp.test': [
      [20, 'SIPS+D2S', '_sips._sctp.sctp.test'],
      [50, 'SIP+D2S', '_sip._sctp.sctp.test'],
      [60, 'SIP+D2U', '_sip._udp.sctp.test'],
    ],
  },
  srv: {
    '_sip._udp.example.com': [[0, 5062, 's1.example.com']],
    '_sip._tcp.example.com': [
      [1, 5063, 's2.example.com'],
      [0, 5064, 's1.example.com'],
    ],
    '_sips._tcp.example.com': [[0, 5065, 's1.example.com']],
    '_sip._sctp.sctp.test': [[0, 5070, 's1.example.com']],
    '_sip._udp.sctp.test': [[0, 5060, 's2.example.com']],
    '_sip._sctp.plain.test': [[0, 5071, 's2.example.com']],
    '_sip._udp.srv.test': [[0, 5066, 's1.example.com']],
    '_sip._tcp.gone.test': [[0, 0, '.']],
    '_sip._udp.gone.test': [[0, 0, '.']],
  },
  a: { 'example.com': ['192.0.2.10', '192.0.2.11'], 's1.example.com': ['192.0.2.1'], 's2.example.com': ['192.0.2.2'] },
  aaaa: { 's1.example.com': ['2001:db8::1'] },
}

interface Row {
  name: string
  cite: string
  target: LocateTarget
  expected: string
  options?: Partial<LocatorOptions>
}

const ALL = { transports: ['tls', 'tcp', 'udp', 'ws', 'wss'] } as const
const SCTP = { transports: ['tls', 'tcp', 'udp', 'sctp'] } as const
const ROWS: Row[] = [
  {
    name: 'numeric host: UDP, 5060',
    cite: 'RFC3263-4.1b',
    target: { host: '192.0.2.9' },
    expected: 'udp 192.0.2.9:5060',
  },
  {
    name: 'numeric host with port',
    cite: 'RFC3263-4.1b',
    target: { host: '192.0.2.9', port: 5080 },
    expected: 'udp 192.0.2.9:5080',
  },
  {
    name: 'numeric host with transport',
    cite: 'RFC3263-4.1a',
    target: { host: '192.0.2.9', transport: 'TCP' },
    expected: 'tcp 192.0.2.9:5060',
  },
  { name: 'IPv6 reference', cite: 'RFC3263-4.1b', target: { host: '[2001:db8::9]' }, expected: 'udp 2001:db8::9:5060' },
  {
    name: 'sips numeric: TLS',
    cite: 'RFC3263-4.1b',
    target: { host: '192.0.2.9', isSecure: true },
    options: ALL,
    expected: 'tls 192.0.2.9:5061',
  },
  {
    name: 'sips with transport=tcp: TLS',
    cite: 'RFC3261-26.2.2c',
    target: { host: '192.0.2.9', isSecure: true, transport: 'tcp' },
    options: ALL,
    expected: 'tls 192.0.2.9:5061',
  },
  {
    name: 'sips with transport=udp',
    cite: 'RFC3261-26.2.2c RFC3261-19.1.1e',
    target: { host: '192.0.2.9', isSecure: true, transport: 'udp' },
    options: ALL,
    expected: 'transportUnsupported',
  },
  {
    name: 'sips without TLS here',
    cite: 'RFC3263-4.1',
    target: { host: 'example.com', isSecure: true },
    expected: 'transportUnsupported',
  },
  {
    name: 'unknown transport',
    cite: 'RFC3263-4.1',
    target: { host: '192.0.2.9', transport: 'dccp' },
    expected: 'transportUnsupported',
  },
  {
    name: 'SCTP where we have none',
    cite: 'RFC3263-4.1',
    target: { host: '192.0.2.9', transport: 'sctp' },
    expected: 'transportUnsupported',
  },
  {
    name: 'SCTP at a number',
    cite: 'RFC3263-4.1a',
    target: { host: '192.0.2.9', transport: 'SCTP' },
    options: SCTP,
    expected: 'sctp 192.0.2.9:5060',
  },
  {
    name: 'SCTP by its SRV',
    cite: 'RFC3263-4.1a',
    target: { host: 'sctp.test', transport: 'sctp' },
    options: SCTP,
    expected: 'sctp 192.0.2.1:5070',
  },
  {
    name: 'NAPTR: SCTP before UDP; TLS over SCTP is passed over',
    cite: 'RFC4168-6',
    target: { host: 'sctp.test' },
    options: SCTP,
    expected: 'sctp 192.0.2.1:5070, udp 192.0.2.2:5060',
  },
  {
    name: 'NAPTR with SCTP, where we have none: the next service',
    cite: 'RFC3263-4.1',
    target: { host: 'sctp.test' },
    expected: 'udp 192.0.2.2:5060',
  },
  {
    name: 'no NAPTR: SRV of SCTP too',
    cite: 'RFC3263-4.1',
    target: { host: 'plain.test' },
    options: SCTP,
    expected: 'sctp 192.0.2.2:5071',
  },
  {
    name: 'sips with transport=sctp: TLS over SCTP is left out',
    cite: 'RFC4168-6',
    target: { host: '192.0.2.9', isSecure: true, transport: 'sctp' },
    options: SCTP,
    expected: 'transportUnsupported',
  },
  {
    name: 'transport=tls-sctp',
    cite: 'RFC4168-4',
    target: { host: '192.0.2.9', transport: 'tls-sctp' },
    options: SCTP,
    expected: 'transportUnsupported',
  },
  {
    name: 'transport named like a member of Object',
    cite: 'RFC3263-4.1',
    target: { host: '192.0.2.9', transport: 'constructor' },
    expected: 'transportUnsupported',
  },
  {
    name: 'port: addresses only, UDP',
    cite: 'RFC3263-4.1c',
    target: { host: 'Example.com.', port: 5060 },
    expected: 'udp 192.0.2.10:5060, udp 192.0.2.11:5060',
  },
  {
    name: 'transport: its SRV by priority',
    cite: 'RFC3263-4.1a',
    target: { host: 'example.com', transport: 'tcp' },
    expected: 'tcp 192.0.2.1:5064, tcp 192.0.2.2:5063',
  },
  {
    name: 'transport without SRV: default port',
    cite: 'RFC3263-4.1a',
    target: { host: 's2.example.com', transport: 'tcp' },
    expected: 'tcp 192.0.2.2:5060',
  },
  {
    name: 'NAPTR by order, of our transports',
    cite: 'RFC3263-4.1dg',
    target: { host: 'example.com' },
    expected: 'tcp 192.0.2.1:5064, tcp 192.0.2.2:5063, udp 192.0.2.1:5062',
  },
  {
    name: 'NAPTR of sip keeps SIPS where we have TLS',
    cite: 'RFC3263-4.1f',
    target: { host: 'example.com' },
    options: ALL,
    expected: 'tls 192.0.2.1:5065, tcp 192.0.2.1:5064, tcp 192.0.2.2:5063, udp 192.0.2.1:5062',
  },
  {
    name: 'NAPTR of sips MUST discard the others',
    cite: 'RFC3263-4.1e',
    target: { host: 'example.com', isSecure: true },
    options: ALL,
    expected: 'tls 192.0.2.1:5065',
  },
  {
    name: 'no NAPTR: SRV of each transport',
    cite: 'RFC3263-4.1',
    target: { host: 'srv.test' },
    expected: 'udp 192.0.2.1:5066',
  },
  {
    name: 'no SRV: addresses, UDP',
    cite: 'RFC3263-4.1l',
    target: { host: 's2.example.com' },
    expected: 'udp 192.0.2.2:5060',
  },
  {
    name: 'both families in order',
    cite: 'RFC3263-4.2',
    target: { host: 's1.example.com', port: 5060 },
    options: { families: [6, 4] },
    expected: 'udp 2001:db8::1:5060, udp 192.0.2.1:5060',
  },
  { name: 'SRV target "."', cite: 'RFC 2782', target: { host: 'gone.test' }, expected: 'hostNotFound' },
  { name: 'nothing at all', cite: 'RFC3263-4.2', target: { host: 'nowhere.test' }, expected: 'hostNotFound' },
  { name: 'no host name', cite: 'RFC3261-25.1', target: { host: 'a b' }, expected: 'hostNotFound' },
  { name: 'empty host', cite: 'RFC3261-25.1', target: { host: '' }, expected: 'hostNotFound' },
]

describe('ServerLocator (RFC 3263)', () => {
  it.each(ROWS)('$cite: $name', async ({ target, expected, options }) => {
    expect(shown(await locatorOf(EXAMPLE, options).locator.locate(target))).toBe(expected)
  })

  it('answers a numeric host without a promise and without DNS', () => {
    const { locator, resolver } = locatorOf(EXAMPLE)
    expect(locator.locate({ host: '192.0.2.9' })).not.toBeInstanceOf(Promise)
    expect(resolver.asked).toEqual([])
  })

  it('goes on without NAPTR where that question fails', async () => {
    const { locator } = locatorOf({ ...EXAMPLE, fail: ['naptr example.com'] })
    expect(shown(await locator.locate({ host: 'example.com' }))).toContain('udp 192.0.2.1:5062')
  })

  it('does not take the address of the domain where its SRV question fails', async () => {
    const { locator } = locatorOf({ ...EXAMPLE, fail: ['srv _sip._tcp.example.com'] })
    expect(shown(await locator.locate({ host: 'example.com', transport: 'tcp' }))).toBe('dnsFailed')
  })

  it('fails where DNS is silent, after the time of one question', async () => {
    const { locator } = locatorOf({ silent: ['a slow.test'] }, { lookupTimeoutMs: 20 })
    expect(shown(await locator.locate({ host: 'slow.test', port: 5060 }))).toBe('dnsFailed')
    expect(locator.counters.timeouts).toBe(1)
  })

  it('returns at most 16 endpoints', async () => {
    const many = Array.from({ length: 40 }, (_, i) => `192.0.2.${i}`)
    const result = await locatorOf({ a: { 'many.test': many } }).locator.locate({ host: 'many.test', port: 5060 })
    expect(result.found && result.endpoints.length).toBe(16)
  })
})

describe('the cache', () => {
  it('asks again when the TTL is over, not before', async () => {
    const { locator, resolver, clock } = locatorOf({ a: { 'x.test': ['192.0.2.1'] }, ttl: 30 })
    const target = { host: 'x.test', port: 5060 }
    await locator.locate(target)
    clock.advance(29_999)
    await locator.locate(target)
    expect(resolver.asked).toHaveLength(1)
    clock.advance(1)
    await locator.locate(target)
    expect(resolver.asked).toHaveLength(2)
  })

  it('keeps what does not exist, and failures, for a short while only', async () => {
    const { locator, resolver, clock } = locatorOf({ fail: ['a bad.test'] }, { negativeTtlMs: 5_000 })
    for (const host of ['no.test', 'bad.test', 'no.test', 'bad.test']) await locator.locate({ host, port: 5060 })
    expect(resolver.asked).toEqual(['a no.test', 'a bad.test'])
    clock.advance(5_000)
    await locator.locate({ host: 'no.test', port: 5060 })
    expect(resolver.asked).toHaveLength(3)
  })

  it('shares one lookup between equal questions under way', async () => {
    const { locator, resolver } = locatorOf({ a: { 'x.test': ['192.0.2.1'] } })
    await Promise.all(Array.from({ length: 10 }, async () => locator.locate({ host: 'X.test', port: 5060 })))
    expect(resolver.asked).toEqual(['a x.test'])
    expect(locator.counters.joined).toBe(9)
  })

  it('is bounded: the least recently used goes first', async () => {
    const { locator, resolver } = locatorOf({}, { maxCacheEntries: 2 })
    for (const host of ['a.test', 'b.test', 'a.test', 'c.test', 'a.test']) await locator.locate({ host, port: 1 })
    expect(resolver.asked).toEqual(['a a.test', 'a b.test', 'a c.test'])
    expect(locator.cacheSize).toBe(2)
  })

  it('does not ask where too many questions are under way', async () => {
    const { locator } = locatorOf({ silent: ['a slow.test'] }, { maxInFlight: 1, lookupTimeoutMs: 20 })
    const slow = locator.locate({ host: 'slow.test', port: 5060 })
    expect(shown(await locator.locate({ host: 'other.test', port: 5060 }))).toBe('dnsFailed')
    await slow
    expect(locator.counters.rejected).toBe(1)
  })
})

describe('a share in place of chance [RFC3263-4.4ab]', () => {
  const HOSTS = ['s1.x', 's2.x', 's3.x']
  const SRV: [number, number, string][] = HOSTS.map((host) => [10, 5060, host])
  const A = { 's1.x': ['192.0.2.2', '192.0.2.1'], 's2.x': ['192.0.2.3'], 's3.x': ['192.0.2.4'] }
  const located = async (srv: [number, number, string][], a: Record<string, string[]>, share: number) => {
    const { locator } = locatorOf({ srv: { '_sip._udp.x': srv }, a })
    const result = await locator.locate({ host: 'x', transport: 'udp' }, share)
    return result.found ? result.endpoints.map((endpoint) => endpoint.address) : []
  }

  it.each([0, 0.3, 0.99])('%d: one order, in whichever order the records come', async (share) => {
    const turned = { ...A, 's1.x': ['192.0.2.1', '192.0.2.2'] }
    expect(await located(SRV.toReversed(), turned, share)).toEqual(await located(SRV, A, share))
  })

  it('spreads: not all begin with the same server', async () => {
    const firsts = await Promise.all([0, 0.5, 0.99].map(async (share) => (await located(SRV, A, share))[0]))
    expect(new Set(firsts).size).toBeGreaterThan(1)
  })
})
