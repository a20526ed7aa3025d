// SPDX-License-Identifier: MIT
//
// Judgements on facts. Reading the facts off a real server is tested end to end.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadSettings } from '../up/settings.ts'
import { checkAddresses, checkAdvertised, checkNode, examine } from './doctor.ts'
import { judgeRedis } from './judge-redis.ts'

const GOOD = {
  name: 'Valkey 8.1.1',
  version: '7.2.4',
  maxmemoryPolicy: 'noeviction',
  usedBytes: 100,
  maxBytes: 200,
  appendOnly: true,
  savesSnapshots: true,
  replicas: 1,
  minReplicasToWrite: 1,
  skewMs: 3,
  masters: 1,
  isWhole: true,
}
const stateOf = (facts: Partial<typeof GOOD>, check: string, durability: 'async' | 'replica' | 'fsync' = 'async') =>
  judgeRedis({ ...GOOD, ...facts }, durability).find((finding) => finding.check === check)?.state

describe('judgeRedis', () => {
  it('has nothing to say against a good one', () => {
    for (const durability of ['async', 'replica', 'fsync'] as const) {
      expect(judgeRedis(GOOD, durability).every((finding) => finding.state === 'ok')).toBe(true)
    }
  })

  it.each([
    ['store eviction', { maxmemoryPolicy: 'allkeys-lru' }, 'async', 'fail'],
    ['store persistence', { appendOnly: false, savesSnapshots: false }, 'async', 'warn'],
    ['store persistence', { appendOnly: false }, 'async', 'ok'],
    ['store replicas', { replicas: 0 }, 'async', 'ok'],
    ['store replicas', { replicas: 0 }, 'replica', 'fail'],
    ['store fsync', { version: '7.0.15' }, 'fsync', 'fail'],
    ['store fsync', { version: '8.0.0' }, 'fsync', 'ok'],
    ['store fsync', { appendOnly: false }, 'fsync', 'fail'],
    ['store version', { version: '6.0.16' }, 'async', 'fail'],
    ['store cluster', { masters: 3, isWhole: false }, 'async', 'fail'],
    ['store memory', { usedBytes: 170 }, 'async', 'warn'],
    ['store memory', { maxBytes: 0 }, 'async', 'ok'],
    ['store guard', { minReplicasToWrite: 0 }, 'replica', 'warn'],
    ['store guard', { minReplicasToWrite: -1 }, 'replica', undefined],
    ['store guard', { minReplicasToWrite: 0 }, 'async', undefined],
    ['store clock', { skewMs: -1_500 }, 'async', 'warn'],
  ] as const)('%s with %j and durability %s: %s', (check, facts, durability, state) => {
    expect(stateOf(facts, check, durability)).toBe(state)
  })
})

describe('checkNode', () => {
  it.each([
    ['20.20.2', 'fail'],
    ['22.17.0', 'fail'],
    ['22.18.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('%s: %s', (version, state) => {
    expect(checkNode(version).state).toBe(state)
  })
})

describe('checkAddresses', () => {
  const check = (flags: Parameters<typeof loadSettings>[0]) => checkAddresses(loadSettings(flags, { makeKeys: true }))
  afterEach(() => vi.unstubAllEnvs())

  it('several edges, each with its own', () => {
    const { state, detail } = check({ edges: 2 })
    expect(state).toBe('ok')
    expect(detail).toMatch(/^each edge has its own address \(127\.0\.0\.1:5060, 127\.0\.0\.1:5160\)/)
  })

  it.each([2, 1])('--shared-address with %i edges: one address, and what does not work with it', (edges) => {
    const { state, detail } = check({ edges, sharedAddress: true })
    expect(state).toBe('ok')
    expect(detail).toMatch(/^one shared address \(127\.0\.0\.1:5060\).*it is handed to that one\. A CANCEL .* is not/)
  })

  it('one edge by itself', () => {
    expect(check({}).detail).toBe('one edge, with its own address (127.0.0.1:5060)')
    expect(check({ bind: '::1' }).detail).toBe('one edge, with its own address ([::1]:5060)')
  })

  it('one of several edges behind an address that is not its own: says that both cases are possible', () => {
    vi.stubEnv('TANDEM_EDGE_ADVERTISED_ADDRESS', '203.0.113.10')
    const { state, detail } = check({ bind: '192.0.2.7' })
    expect(state).toBe('ok')
    expect(detail).toMatch(/binds 192\.0\.2\.7 and advertises 203\.0\.113\.10:5060\. If no other edge .* if others do/)
  })
})

describe('checkAdvertised', () => {
  const check = () => checkAdvertised(loadSettings({ bind: '192.0.2.7' }, { makeKeys: true }))
  afterEach(() => vi.unstubAllEnvs())

  it.each([
    [{}, '192.0.2.7 from the address that is bound, or the first one of the machine where that is a wildcard'],
    [{ TANDEM_EDGE_NODE_ADDRESS: '203.0.113.3' }, '203.0.113.3 from the address of the node (edge.nodeAddress)'],
    [
      { TANDEM_EDGE_ADVERTISED_ADDRESS: 'sip.test', TANDEM_EDGE_ADVERTISED_UDP: '203.0.113.3:30060' },
      'sip.test from edge.advertisedAddress; udp: 203.0.113.3:30060 from edge.advertised.udp',
    ],
  ])('says which was used: %j', async (env, detail) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    expect(await check()).toEqual({ check: 'advertised', state: 'ok', detail })
  })

  it('fails where the source that is asked for gives nothing', async () => {
    vi.stubEnv('TANDEM_EDGE_ADVERTISED_FROM', 'node')
    expect(await check()).toMatchObject({ state: 'fail', detail: expect.stringContaining('edge.nodeAddress') })
  })
})

describe('examine', () => {
  // No cluster of another run is asked whether it is this one.
  beforeEach(() => void vi.stubEnv('TANDEM_EDGE_HTTP_PORT', '1'))
  afterEach(() => vi.unstubAllEnvs())

  it.each([
    ['single', /^embedded, one store for location and policy/],
    ['many', /^embedded, one store in location .* and another in policy/],
  ])('says who holds the embedded store with --processes %s', async (processes, expected) => {
    const findings = await examine(loadSettings({ store: 'memory', processes, basePort: 30_060 }, { makeKeys: true }))
    expect(findings.find((finding) => finding.check === 'store')?.detail).toMatch(expected)
  })

  it('looks for the internal listener where it is: on TCP', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const findings = await examine(loadSettings({ basePort: port - 90 }, { makeKeys: true }))
      const failed = findings.filter((finding) => finding.state === 'fail').map((finding) => finding.detail)
      expect(failed).toContainEqual(expect.stringContaining(`internal/tcp 127.0.0.1:${port} is taken`))
    } finally {
      server.close()
    }
  })

  it('names the port that is taken and the setting that moves it; a store that is not there fails', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    vi.stubEnv('TANDEM_RECORDS_HTTP_PORT', String(port))
    try {
      const findings = await examine(loadSettings({ store: 'redis://127.0.0.1:1' }, { makeKeys: true }))
      const failed = findings.filter((finding) => finding.state === 'fail').map((finding) => finding.detail)
      expect(failed.some((text) => text.includes(`:${port} is taken`) && text.includes('records.httpPort'))).toBe(true)
      expect(failed.some((text) => text.includes("redis://127.0.0.1:1 can't be reached"))).toBe(true)
    } finally {
      server.close()
    }
  })
})
