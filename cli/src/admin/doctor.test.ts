// SPDX-License-Identifier: MIT
//
// Judgements on facts. Reading the facts off a real server is tested end to end.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { loadSettings } from '../settings.ts'
import { checkAddresses, checkNode, examine, judgeRedis } from './doctor.ts'

const GOOD = {
  version: '7.2.4',
  maxmemoryPolicy: 'noeviction',
  appendOnly: true,
  savesSnapshots: true,
  replicas: 1,
  skewMs: 3,
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
  it('tells one address from several', () => {
    const several = checkAddresses(loadSettings({ edges: 2 }, { makeKeys: true }))
    expect(several.detail).toMatch(/127\.0\.0\.1:5060, 127\.0\.0\.1:5160/)
    const one = checkAddresses(loadSettings({ edges: 2, sharedAddress: true }, { makeKeys: true }))
    expect(one.detail).toMatch(/^one address, 127\.0\.0\.1:5060/)
  })
})

describe('examine', () => {
  it('names the port that is taken and the setting that moves it; a store that is not there fails', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    process.env.TANDEM_RECORDS_HTTP_PORT = String(port)
    try {
      const findings = await examine(loadSettings({ store: 'redis://127.0.0.1:1' }, { makeKeys: true }))
      const failed = findings.filter((finding) => finding.state === 'fail').map((finding) => finding.detail)
      expect(failed.some((text) => text.includes(`:${port} is taken`) && text.includes('records.httpPort'))).toBe(true)
      expect(failed.some((text) => text.includes("redis://127.0.0.1:1 can't be reached"))).toBe(true)
    } finally {
      delete process.env.TANDEM_RECORDS_HTTP_PORT
      server.close()
    }
  })
})
