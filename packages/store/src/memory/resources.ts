// SPDX-License-Identifier: MIT
// Resources in memory; with a file they outlive the process (resource-file.ts). A commit is written there first.

import { chunkObjection } from '../resource-rules.ts'
import {
  NO_HEAD,
  RESOURCE_BOUNDS,
  type ResourceBasePage,
  type ResourceCommit,
  type ResourceCommitted,
  type ResourceFollowing,
  type ResourceHead,
  type ResourceLog,
  type ResourceRevision,
  type ResourceStore,
  type ResourceWrite,
} from '../resource-store.ts'
import { type Eventual, notStored, type Stored, stored } from '../result.ts'
import type { MemoryContext } from './context.ts'
import type { ResourceFile } from './resource-file.ts'

interface Stage {
  readonly chunks: Map<number, readonly ResourceWrite[]>
  expiresMs: number
}

export interface LoggedRevision extends ResourceRevision {
  readonly files: string
  readonly content: readonly (readonly ResourceWrite[])[]
}

/** What a file holds: the base, and the revisions after it. */
export interface ResourceImage {
  readonly base: { readonly revision: number; readonly hash: string; readonly files: string }
  readonly documents: ReadonlyMap<string, string>
  readonly log: readonly LoggedRevision[]
}

const MAX_STAGES = 64

export class MemoryResources implements ResourceStore {
  readonly #context: MemoryContext
  readonly #file: ResourceFile | undefined
  readonly #stages = new Map<string, Stage>()
  readonly #documents = new Map<string, string>()
  #log: LoggedRevision[] = []
  #base = { revision: 0, hash: '', files: '' }
  #head = NO_HEAD
  readonly #followers = new Set<(head: ResourceHead) => void>()
  /** Commits one after the other while a file is written. */
  #writing: Promise<unknown> = Promise.resolve()

  constructor(context: MemoryContext, file?: ResourceFile) {
    this.#context = context
    this.#file = file
    const image = file?.load()
    if (image === undefined) return
    this.#base = image.base
    for (const [key, text] of image.documents) this.#documents.set(key, text)
    for (const one of image.log) this.#append(one)
    if (image.log.length === 0) this.#head = { ...NO_HEAD, ...image.base, base: image.base.revision }
  }

  head(): Stored<ResourceHead> {
    return stored(this.#head)
  }

  stage(name: string, chunk: number, writes: readonly ResourceWrite[]): Stored<void> {
    const objection = chunkObjection(name, writes)
    if (objection !== undefined) return objection
    const nowMs = this.#context.now()
    for (const [other, { expiresMs }] of this.#stages) if (expiresMs <= nowMs) this.#stages.delete(other)
    const known = this.#stages.get(name)
    if (known === undefined && this.#stages.size >= MAX_STAGES)
      return notStored('full', `${MAX_STAGES} stages are open`)
    const stage = known ?? { chunks: new Map(), expiresMs: 0 }
    stage.chunks.set(chunk, writes)
    stage.expiresMs = nowMs + RESOURCE_BOUNDS.stageKeepMs
    this.#stages.set(name, stage)
    return stored(undefined)
  }

  commit(commit: ResourceCommit): Eventual<ResourceCommitted> {
    if (this.#file === undefined || (commit.isVolatile === true && !this.#file.exists)) return this.#commit(commit)
    const file = this.#file
    const turn = this.#writing.then(() => this.#commitTo(file, commit))
    this.#writing = turn.catch(() => undefined)
    return turn
  }

  abandon(stage: string): Stored<void> {
    this.#stages.delete(stage)
    return stored(undefined)
  }

  readBase(): Stored<ResourceBasePage> {
    const { revision: base, hash: baseHash } = this.#base
    return stored({ base, baseHash, documents: [...this.#documents], next: '' })
  }

  readBaseTexts(keys: readonly string[]): Stored<string[]> {
    return stored(keys.map((key) => this.#documents.get(key) ?? ''))
  }

  readLog(after?: Pick<ResourceHead, 'revision' | 'hash'>): Stored<ResourceLog> {
    const from = after ?? this.#base
    const isThere =
      from.revision === this.#base.revision
        ? from.hash === this.#base.hash
        : this.#log.some(({ revision, hash }) => revision === from.revision && hash === from.hash)
    if (!isThere) return stored({ outcome: 'gap' })
    const revisions = this.#log.filter(({ revision }) => revision > from.revision).map(plain)
    return stored({ outcome: 'revisions', revisions, firstChunk: 0 })
  }

  readChunk(stage: string, chunk: number): Stored<readonly ResourceWrite[] | undefined> {
    return stored(this.#log.find((one) => one.stage === stage)?.content[chunk])
  }

  history(before: number, limit: number): Stored<ResourceRevision[]> {
    const older = this.#log.filter(({ revision }) => before === 0 || revision < before)
    return stored(older.slice(-limit).reverse().map(plain))
  }

  fold(): Stored<boolean> {
    const { historyRevisions, historyWrites } = RESOURCE_BOUNDS
    const total = this.#log.reduce((sum, { writes }) => sum + writes, 0)
    if (this.#log.length <= historyRevisions && (total <= historyWrites || this.#log.length <= 1)) return stored(false)
    const [oldest] = this.#log.splice(0, 1)
    if (oldest === undefined) return stored(false)
    for (const [key, text] of oldest.content.flat()) {
      if (text === '') this.#documents.delete(key)
      else this.#documents.set(key, text)
    }
    this.#base = { revision: oldest.revision, hash: oldest.hash, files: oldest.files }
    this.#head = { ...this.#head, base: oldest.revision }
    return stored(this.#log.length > historyRevisions || total - oldest.writes > historyWrites)
  }

  follow(onHead: (head: ResourceHead) => void): ResourceFollowing {
    this.#followers.add(onHead)
    queueMicrotask(() => this.#followers.has(onHead) && onHead(this.#head))
    return {
      get seenMs() {
        return performance.now()
      },
      stop: () => void this.#followers.delete(onHead),
    }
  }

  counts(): Record<string, number> {
    return { resourceRevisionCount: this.#log.length, resourceStageCount: this.#stages.size }
  }

  /** What it would be, or why not. */
  #judge(commit: ResourceCommit): LoggedRevision | ResourceCommitted['outcome'] {
    const { stage, chunks, expected, writes, hash, note } = commit
    if (this.#log.some((one) => one.stage === stage)) return 'committed'
    if (expected.revision !== this.#head.revision || expected.hash !== this.#head.hash) return 'conflict'
    const staged = this.#stages.get(stage)
    const content: (readonly ResourceWrite[])[] = []
    for (let chunk = 0; chunk < chunks; chunk++) {
      const found = staged !== undefined && staged.expiresMs > this.#context.now() && staged.chunks.get(chunk)
      if (!found) return 'torn'
      content.push(found)
    }
    const files = commit.files ?? this.#head.files
    const revision = expected.revision + 1
    return { revision, hash, stage, unixMs: this.#context.now(), chunks, writes, note, files, content }
  }

  #commit(commit: ResourceCommit): Stored<ResourceCommitted> {
    const judged = this.#judge(commit)
    if (typeof judged === 'string') return stored({ outcome: judged, head: this.#head })
    return this.#take(judged)
  }

  async #commitTo(file: ResourceFile, commit: ResourceCommit): Promise<Stored<ResourceCommitted>> {
    const judged = this.#judge(commit)
    if (typeof judged === 'string') return stored({ outcome: judged, head: this.#head })
    try {
      if (!file.exists) await file.begin({ base: this.#base, documents: this.#documents, log: this.#log })
      await file.append(judged)
    } catch (error) {
      return notStored('refused', error instanceof Error ? error.message : String(error))
    }
    return this.#take(judged)
  }

  #take(revision: LoggedRevision): Stored<ResourceCommitted> {
    this.#stages.delete(revision.stage)
    this.#append(revision)
    const head = this.#head
    for (const tell of this.#followers) queueMicrotask(() => tell(head))
    return stored({ outcome: 'committed', head })
  }

  #append(revision: LoggedRevision): void {
    this.#log.push(revision)
    const { hash, unixMs, files } = revision
    this.#head = { revision: revision.revision, hash, unixMs, files, base: this.#base.revision }
  }
}

function plain({ revision, hash, stage, unixMs, chunks, writes, note }: LoggedRevision): ResourceRevision {
  return { revision, hash, stage, unixMs, chunks, writes, note }
}
