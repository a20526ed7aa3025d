// SPDX-License-Identifier: MIT
//
// Reads resources out of the store: everything, or what came after a revision. The result is one whole revision: the list of what is in the log
// is taken first, then the base, then the log's chunks. A chunk that is gone by then was folded into a base that was read in parts: begin again.
import type { Eventual, ResourceHead, ResourceRevision, ResourceStore, ResourceWrite, Stored } from '@tandem/store'

/** A revision as it was read. */
export interface ReadRevision {
  readonly revision: number
  readonly hash: string
  /** Everything there is, not only what changed. */
  readonly isWhole: boolean
  /** By key; '' in changes for what is gone. */
  readonly texts: ReadonlyMap<string, string>
}

export type At = Pick<ResourceHead, 'revision' | 'hash'>

/** The store did not answer. */
export class StoreSilent extends Error {}

const TRIES = 5
/** Chunks that are asked for at once. */
const CHUNKS_AT_ONCE = 8

export async function storedValue<T>(result: Eventual<T>): Promise<T> {
  const ended: Stored<T> = await result
  if (ended.state === 'stored') return ended.value
  throw new StoreSilent(ended.detail)
}

/** False: some chunk is gone. */
async function readChunks(
  store: ResourceStore,
  revisions: readonly ResourceRevision[],
  firstChunk: number,
  into: Map<string, string>,
): Promise<boolean> {
  const places = revisions.flatMap(({ stage, chunks }, n) =>
    Array.from({ length: chunks }, (_, chunk) => ({ stage, chunk })).slice(n === 0 ? firstChunk : 0),
  )
  for (let at = 0; at < places.length; at += CHUNKS_AT_ONCE) {
    const asked = places.slice(at, at + CHUNKS_AT_ONCE)
    const found = await Promise.all(asked.map(({ stage, chunk }) => storedValue(store.readChunk(stage, chunk))))
    for (const writes of found) {
      if (writes === undefined) return false
      for (const [key, text] of writes) into.set(key, text)
    }
  }
  return true
}

async function readBase(store: ResourceStore, into: Map<string, string>): Promise<At> {
  let at: At | undefined
  let cursor = ''
  do {
    const page: { base: number; baseHash: string; documents: readonly ResourceWrite[]; next: string } =
      await storedValue(store.readBase(cursor))
    at ??= { revision: page.base, hash: page.baseHash }
    for (const [key, text] of page.documents) into.set(key, text)
    cursor = page.next
  } while (cursor !== '')
  return at
}

async function readWhole(store: ResourceStore): Promise<ReadRevision | undefined> {
  const log = await storedValue(store.readLog(undefined))
  if (log.outcome === 'gap') return undefined
  const texts = new Map<string, string>()
  const base = await readBase(store, texts)
  if (!(await readChunks(store, log.revisions, log.firstChunk, texts))) return undefined
  for (const [key, text] of texts) if (text === '') texts.delete(key)
  const { revision, hash } = log.revisions.at(-1) ?? base
  return { revision, hash, isWhole: true, texts }
}

async function readAfter(store: ResourceStore, at: At): Promise<ReadRevision | undefined> {
  const log = await storedValue(store.readLog(at))
  if (log.outcome === 'gap') return undefined
  const texts = new Map<string, string>()
  if (!(await readChunks(store, log.revisions, 0, texts))) return undefined
  const { revision, hash } = log.revisions.at(-1) ?? at
  return { revision, hash, isWhole: false, texts }
}

/** Throws `StoreSilent`. @param at what the reader has; undefined: nothing */
export async function readRevision(store: ResourceStore, at: At | undefined): Promise<ReadRevision> {
  const changes = at && (await readAfter(store, at))
  if (changes !== undefined) return changes
  for (let tries = 0; tries < TRIES; tries++) {
    const whole = await readWhole(store)
    if (whole !== undefined) return whole
  }
  throw new StoreSilent('the resources change faster than they can be read')
}

/** What changed since a revision, as it was then; "" for what was not there. undefined: that revision can not be had any more. Throws `StoreSilent`. */
export async function readTextsAt(
  store: ResourceStore,
  revision: number,
): Promise<{ readonly changed: ReadonlyMap<string, string> } | undefined> {
  const log = await storedValue(store.readLog(undefined))
  const head = await storedValue(store.head())
  if (
    log.outcome === 'gap' ||
    revision > head.revision ||
    revision < head.base ||
    (revision === head.base && log.firstChunk > 0)
  )
    return undefined
  const before = new Map<string, string>()
  const after = new Map<string, string>()
  const upTo = log.revisions.filter((one) => one.revision <= revision)
  const since = log.revisions.filter((one) => one.revision > revision)
  const first = upTo.length > 0 ? log.firstChunk : 0
  if (!(await readChunks(store, upTo, first, before)) || !(await readChunks(store, since, 0, after))) return undefined
  const unknown = [...after.keys()].filter((key) => !before.has(key))
  for (let at = 0; at < unknown.length; at += 500) {
    const keys = unknown.slice(at, at + 500)
    const texts = await storedValue(store.readBaseTexts(keys))
    for (const [n, key] of keys.entries()) before.set(key, texts[n] ?? '')
  }
  const now = await storedValue(store.head())
  if (now.base > revision) return undefined
  return { changed: new Map([...after.keys()].map((key) => [key, before.get(key) ?? ''])) }
}
