// SPDX-License-Identifier: MIT
// Contract: resources. There is one head for all tests, and for all worlds of one server: each builds on the head that it finds.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  RESOURCE_BOUNDS,
  type ResourceCommit,
  type ResourceCommitted,
  type ResourceHead,
  type ResourceStore,
  type ResourceWrite,
} from '../resource-store.ts'
import { value, type World } from './world.ts'

const word = (): string => randomBytes(12).toString('hex')

type Changes = Partial<Pick<ResourceCommit, 'note' | 'files' | 'expected' | 'stage'>>

async function write(
  store: ResourceStore,
  chunks: readonly (readonly ResourceWrite[])[],
  changes: Changes = {},
): Promise<ResourceCommitted> {
  const stage = changes.stage ?? word()
  for (const [n, chunk] of chunks.entries()) await value(store.stage(stage, n, chunk))
  const expected = changes.expected ?? (await value(store.head()))
  const writes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return value(store.commit({ note: '{}', ...changes, stage, chunks: chunks.length, writes, expected, hash: word() }))
}

/** Everything as a reader without a revision finds it. */
async function readAll(store: ResourceStore): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  let cursor = ''
  do {
    const page = await value(store.readBase(cursor))
    for (const [key, text] of page.documents) found.set(key, text)
    cursor = page.next
  } while (cursor !== '')
  await readAfter(store, undefined, found)
  return found
}

async function readAfter(store: ResourceStore, after: ResourceHead | undefined, into: Map<string, string>) {
  const log = await value(store.readLog(after))
  if (log.outcome === 'gap') throw new Error('a gap')
  for (const [at, { stage, chunks }] of log.revisions.entries()) {
    for (let n = at === 0 ? log.firstChunk : 0; n < chunks; n++) {
      const writes = await value(store.readChunk(stage, n))
      for (const [key, text] of writes ?? []) into.set(key, text)
    }
  }
  for (const [key, text] of into) if (after === undefined && text === '') into.delete(key)
}

export function resourceContract(at: () => World): void {
  const store = () => at().store.resources
  const key = () => `Subscriber/example.test/${at().name('user')}`

  it('MUST make what was staged the next revision, and keep order within it', async () => {
    const before = await value(store().head())
    const [one, two] = [key(), key()]
    const written = await write(store(), [
      [[one, '{"a":1}']],
      [
        [two, 'ä"\n'],
        [one, '{"a":2}'],
      ],
    ])
    expect(written.outcome).toBe('committed')
    expect(written.head).toMatchObject({ revision: before.revision + 1 })
    expect(written.head.hash).not.toBe(before.hash)
    expect(await value(store().head())).toEqual(written.head)
    const all = await readAll(store())
    expect([all.get(one), all.get(two)]).toEqual(['{"a":2}', 'ä"\n'])
  })

  it('MUST give a reader only what came after its revision', async () => {
    const [one, two] = [key(), key()]
    const before = (await write(store(), [[[one, 'x']]])).head
    await write(store(), [[[two, 'y']]])
    await write(store(), [[[one, '']]])
    const changes = new Map<string, string>()
    await readAfter(store(), before, changes)
    expect([...changes].sort()).toEqual(
      [
        [one, ''],
        [two, 'y'],
      ].sort(),
    )
    expect((await readAll(store())).has(one)).toBe(false)
  })

  it('MUST let one of two writers win, and tell the other', async () => {
    const head = await value(store().head())
    const results = await Promise.all([
      write(store(), [[[key(), '1']]], { expected: head }),
      write(store(), [[[key(), '2']]], { expected: head }),
    ])
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['committed', 'conflict'])
    expect((await value(store().head())).revision).toBe(head.revision + 1)
  })

  it('MUST refuse a head of the same number and another hash', async () => {
    const head = await value(store().head())
    const other = { revision: head.revision, hash: word() }
    expect((await write(store(), [[[key(), '1']]], { expected: other })).outcome).toBe('conflict')
  })

  it('MUST commit once, however often it is asked', async () => {
    const [stage, expected] = [word(), await value(store().head())]
    const commit = { stage, expected, chunks: 1, writes: 1, hash: word(), note: '{}' }
    await value(store().stage(stage, 0, [[key(), 'z']]))
    const first = await value(store().commit(commit))
    expect(await value(store().commit(commit))).toEqual(first)
    expect(first).toMatchObject({ outcome: 'committed', head: { revision: expected.revision + 1 } })
  })

  it('MUST write nothing of a stage that is torn, abandoned or forgotten', async () => {
    const expected = await value(store().head())
    const commit = { expected, chunks: 2, writes: 2, hash: word(), note: '{}' }
    const stage = word()
    await value(store().stage(stage, 1, [[key(), 'z']]))
    expect(await value(store().commit({ ...commit, stage }))).toEqual({ outcome: 'torn', head: expected })
    await value(store().stage(stage, 0, [[key(), 'z']]))
    await value(store().abandon(stage, 2))
    expect((await value(store().commit({ ...commit, stage }))).outcome).toBe('torn')
    expect(await value(store().head())).toEqual(expected)
  })

  it('MUST not take back what was committed when it is abandoned', async () => {
    const [name, stage] = [key(), word()]
    await write(store(), [[[name, 'stays']]], { stage })
    await value(store().abandon(stage, 1))
    expect((await readAll(store())).get(name)).toBe('stays')
  })

  it('MUST refuse chunks beyond the bounds', async () => {
    const many = Array.from({ length: RESOURCE_BOUNDS.chunkWrites + 1 }, (_, n): ResourceWrite => [`a/${n}`, 'x'])
    expect(await store().stage(word(), 0, many)).toMatchObject({ state: 'notStored', reason: 'invalid' })
    const large: ResourceWrite = ['a/b', 'x'.repeat(RESOURCE_BOUNDS.textBytes + 1)]
    expect(await store().stage(word(), 0, [large])).toMatchObject({ state: 'notStored', reason: 'invalid' })
    expect(await store().stage('no such:name', 0, [])).toMatchObject({ state: 'notStored', reason: 'invalid' })
  })

  it('MUST remember what was said of the files until it is said anew', async () => {
    const mark = word()
    await write(store(), [], { files: mark })
    expect((await write(store(), [[[key(), '1']]])).head.files).toBe(mark)
    expect((await write(store(), [], { files: '' })).head.files).toBe('')
  })

  it('MUST tell the history, newest first, in pages', async () => {
    const first = await write(store(), [[[key(), '1']]], { note: '{"author":"ä b"}' })
    const second = await write(store(), [
      [
        [key(), '1'],
        [key(), '2'],
      ],
    ])
    const [newest, older] = await value(store().history(0, 2))
    expect(newest).toMatchObject({ revision: second.head.revision, hash: second.head.hash, chunks: 1, writes: 2 })
    expect(older).toMatchObject({ revision: first.head.revision, note: '{"author":"ä b"}', unixMs: first.head.unixMs })
    const page = await value(store().history(second.head.revision, 1))
    expect(page.map(({ revision }) => revision)).toEqual([first.head.revision])
  })

  it('MUST tell followers the head, and each that follows', async () => {
    const seen: ResourceHead[] = []
    const following = store().follow((head) => seen.push(head))
    try {
      const { head } = await write(store(), [[[key(), '1']]])
      await at().until(async () => seen.some(({ hash }) => hash === head.hash))
      expect(following.seenMs).toBeLessThanOrEqual(performance.now())
      expect(following.seenMs).toBeGreaterThan(performance.now() - 60_000)
    } finally {
      following.stop()
    }
  })

  describe('folding', () => {
    it('MUST keep a bounded history and lose no document', async () => {
      const [gone, kept, late] = [key(), key(), key()]
      const old = (await write(store(), [[[gone, 'x']], [[kept, 'first']]])).head
      await write(store(), [[[gone, '']], [[kept, 'second']]])
      for (let n = 0; n < RESOURCE_BOUNDS.historyRevisions; n++) await write(store(), [[[late, String(n)]]])
      for (let n = 0; n < 1_000 && (await value(store().fold())); n++);
      const head = await value(store().head())
      expect(head.revision - head.base).toBe(RESOURCE_BOUNDS.historyRevisions)
      expect(await value(store().readBaseTexts([kept, gone]))).toEqual(['second', ''])
      const all = await readAll(store())
      expect([all.get(gone), all.get(kept), all.get(late)]).toEqual([undefined, 'second', '99'])
      expect(await value(store().readLog(old))).toEqual({ outcome: 'gap' })
      expect((await value(store().history(0, 200))).length).toBe(RESOURCE_BOUNDS.historyRevisions)
    }, 60_000)

    it('MUST give a reader of the base what was folded while it read', async () => {
      const name = key()
      await write(store(), [[[name, 'a']], [[key(), 'b']]])
      for (let n = 0; n < RESOURCE_BOUNDS.historyRevisions; n++) await write(store(), [])
      // One chunk of two: the revision is in both, in part.
      await value(store().fold())
      expect((await readAll(store())).get(name)).toBe('a')
      for (let n = 0; n < 1_000 && (await value(store().fold())); n++);
      expect((await readAll(store())).get(name)).toBe('a')
    }, 60_000)
  })
}
