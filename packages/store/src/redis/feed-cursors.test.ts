// SPDX-License-Identifier: MIT
// What a reading of the change streams says. Not tested here: the readings themselves (the store's contract, on real servers).
import { describe, expect, it } from 'vitest'
import { stored } from '../result.ts'
import { SHARDS } from '../shard.ts'
import { DEFAULT_SETTINGS } from '../store.ts'
import type { Reply } from './batcher.ts'
import { FeedCursors } from './feed-cursors.ts'
import { Runner } from './runner.ts'

const batcher = {
  run: async (_script: unknown, _tag: string, _keys: unknown, _args: unknown, read: (reply: Reply) => unknown) =>
    stored(read([Buffer.from('5-0'), 0, []])),
}

async function cursors(changesMaxLen = 4): Promise<FeedCursors> {
  const made = new FeedCursors(new Runner(batcher as never, { ...DEFAULT_SETTINGS, changesMaxLen }))
  expect(await made.moveToEnd()).toBe(true)
  return made
}

const bytes = (...words: string[]): Reply => words.map((word) => Buffer.from(word))

/** As XREAD has it: a stream with its entries. */
function stream(shard: number, ...entries: (readonly [id: string, aor: string])[]): Reply {
  return [
    Buffer.from(`{l${shard}}:changes`),
    entries.map(([id, aor]) => [
      Buffer.from(id),
      bytes('kind', 'add', 'aor', aor, 'contact', 'c', 'cause', 'register'),
    ]),
  ]
}

describe('a reading of the change streams', () => {
  it('begins at the end of each', async () => {
    const made = await cursors()
    expect(made.keys).toHaveLength(SHARDS)
    expect([made.idOf(0), made.idOf(255)]).toEqual(['5-0', '5-0'])
  })

  it('tells each address once, and goes on behind the last entry', async () => {
    const made = await cursors()
    expect(made.take([stream(3, ['6-0', 'a'], ['6-1', 'a'], ['7-0', 'b']), stream(9, ['6-5', 'c'])])).toEqual([
      'a',
      'b',
      'c',
    ])
    expect([made.idOf(3), made.idOf(9), made.idOf(4)]).toEqual(['7-0', '6-5', '5-0'])
    expect(made.take([])).toEqual([])
  })

  it('as many new entries as a stream keeps: some may have been trimmed unread', async () => {
    const made = await cursors(3)
    expect(made.take([stream(3, ['6-0', 'a'], ['6-1', 'a'])])).toEqual(['a'])
    expect(made.take([stream(3, ['7-0', 'a'], ['7-1', 'a'], ['7-2', 'a'])])).toBeUndefined()
    expect(made.idOf(3)).toBe('7-2')
  })
})
