// SPDX-License-Identifier: MIT
// The error registry and its table in docs/store.md say the same; references and shards keep their form.
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { STORE_ERRORS } from './errors.ts'
import { mapStored, notStored, stored, unknown, whenStored } from './result.ts'
import { createReference, SHARDS, shardOf, shardOfReference } from './shard.ts'

describe('error registry', () => {
  it('is what docs/store.md lists, both ways', async () => {
    const page = await readFile(new URL('../../../docs/store.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \| (\w+) \| (\w+) \| (.+) \|$/gm)]
    const documented = rows.map(([, code, sip, grpc, level, meaning]) => [code, Number(sip), grpc, level, meaning])
    const registered = Object.entries(STORE_ERRORS).map(([code, row]) => {
      return [code, row.sipStatus, row.grpcStatus, row.logLevel, row.meaning]
    })
    expect(documented).toEqual(registered)
  })
})

describe('references and shards', () => {
  it('carries a shard in at most 24 characters of base64url', () => {
    const refs = Array.from({ length: 500 }, createReference)
    expect(new Set(refs).size).toBe(500)
    for (const ref of refs) {
      expect(ref).toMatch(/^[A-Za-z0-9_-]{18}$/)
      expect(shardOfReference(ref)).toBe(Number.parseInt(ref.slice(0, 2), 16))
    }
    expect(['', 'zz12345678', '0a', '0a:12345678'].map(shardOfReference)).toEqual([-1, -1, -1, -1])
  })

  it('spreads keys over all shards', () => {
    const fill = new Array<number>(SHARDS).fill(0)
    for (let i = 0; i < 25_600; i++) count(fill, shardOf(`sip:1555${i}@example.test`))
    expect(Math.min(...fill)).toBeGreaterThan(50)
    expect(Math.max(...fill)).toBeLessThan(200)
  })
})

describe('results', () => {
  it('run on at once where they are there, and later where they come', async () => {
    expect(whenStored(stored(1), (result) => result)).toEqual(stored(1))
    expect(await whenStored(Promise.resolve(stored(1)), (result) => mapStored(result, (one) => one + 1))).toEqual(
      stored(2),
    )
    expect(mapStored(notStored('away', 'x'), () => 1)).toEqual(notStored('away', 'x'))
    expect(mapStored(unknown('x'), () => 1)).toEqual(unknown('x'))
  })
})

function count(fill: number[], shard: number): void {
  fill[shard] = (fill[shard] ?? 0) + 1
}
