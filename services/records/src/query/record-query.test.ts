// SPDX-License-Identifier: MIT
//
// Questions, and what the files answer. PostgreSQL's answers: sinks/postgres/postgres.test.ts.
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { recordsFromFiles } from './from-files.ts'
import { matches, parseRecordQuery } from './record-query.ts'

const parse = (text: string) => parseRecordQuery(new URLSearchParams(text))

describe('parseRecordQuery', () => {
  it('asks for the newest 20 where nothing is said, for all where a time is', () => {
    expect(parse('').limit).toBe(20)
    expect(parse('since=5').limit).toBe(Number.POSITIVE_INFINITY)
    expect(parse('since=5&limit=3').limit).toBe(3)
    expect(parse('since=2026-11-22T00:00:00Z').sinceMs).toBe(Date.UTC(2026, 10, 22))
  })

  it.each([
    'limit=0',
    'limit=10001',
    'limit=x',
    'since=soon',
    'until=',
    'colour=red',
    'from=nowhere',
    `account=${'a'.repeat(600)}`,
  ])('refuses %s', (text) => {
    expect(() => parse(text)).toThrow(RangeError)
  })
})

const LINE = {
  end_time: '2026-11-22T10:00:00.000Z',
  account: 'demo',
  call_id: 'x@y',
  ingress_trunk: 'in',
  egress_trunk: 'out',
  outcome: 'answered',
  from_uri: 'sip:Alice@example.test',
  to_uri: 'sip:4930@example.test',
}

describe('matches', () => {
  it.each([
    ['', true],
    ['since=2026-11-22T10:00:00Z', true],
    ['since=2026-11-22T10:00:00.001Z', false],
    ['until=2026-11-22T10:00:00Z', false],
    ['until=2026-11-22T10:00:00.001Z', true],
    ['account=demo', true],
    ['account=dem', false],
    ['trunk=in', true],
    ['trunk=out', true],
    ['trunk=other', false],
    ['callId=x@y', true],
    ['caller=alice', true],
    ['caller=4930', false],
    ['callee=493', true],
    ['failed=true', false],
    ['caller=alice&callee=bob', false],
  ])('%s: %s', (text, expected) => {
    expect(matches(LINE, parse(text))).toBe(expected)
  })

  it('takes the set-up of what has no end, and nothing in place of both', () => {
    expect(matches({ end_time: null, setup_time: '2026-11-22T10:00:00Z' }, parse('since=2026-11-22'))).toBe(true)
    expect(matches({}, parse('since=2026-11-22'))).toBe(false)
  })
})

describe('recordsFromFiles', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tandem-query-'))
    path = join(folder, 'cdr.ndjson')
  })
  afterEach(() => rm(folder, { recursive: true }))

  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => {
      const n = from + index
      return `${JSON.stringify({ n, account: n % 2 ? 'odd' : 'even', end_time: new Date(n * 3_600_000).toISOString() })}\n`
    }).join('')

  async function ask(text: string): Promise<number[]> {
    const found: number[] = []
    for await (const line of recordsFromFiles(path, parse(text))) found.push((JSON.parse(line) as { n: number }).n)
    return found
  }

  async function put(name: string, content: string | Buffer, hour: number): Promise<void> {
    await writeFile(join(folder, name), content)
    await utimes(join(folder, name), hour * 3_600, hour * 3_600)
  }

  /** Hours 0 to 30, in four files; an unfinished line and a foreign one among them. */
  async function fill(): Promise<void> {
    await put('cdr.ndjson.19700101T100000Z.gz', gzipSync(lines(0, 10)), 10)
    await put('cdr.ndjson.19700101T200000Z', `${lines(10, 20)}# a note\n`, 20)
    await put('cdr.ndjson-19700102', lines(20, 25), 25)
    await put('cdr.ndjson', `${lines(25, 30)}{"n":30,"end`, 30)
  }

  it.each([
    ['limit=3', [27, 28, 29]],
    ['limit=7', [23, 24, 25, 26, 27, 28, 29]],
    ['since=0', Array.from({ length: 30 }, (_, n) => n)],
    [`since=${26 * 3_600_000}`, [26, 27, 28, 29]],
    [`since=${8 * 3_600_000}&until=${12 * 3_600_000}`, [8, 9, 10, 11]],
    ['account=odd&limit=4', [23, 25, 27, 29]],
    ['account=odd&limit=14', [3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29]],
    ['account=none&limit=5', []],
    [`since=0&account=even&limit=2`, [26, 28]],
  ])('%s', async (text, expected) => {
    await fill()
    expect(await ask(text)).toEqual(expected)
  })

  it('is empty where there is no file', async () => {
    expect(await ask('')).toEqual([])
    expect(await ask('since=0')).toEqual([])
    expect(await ask('account=x')).toEqual([])
  })
})
