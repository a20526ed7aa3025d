// SPDX-License-Identifier: MIT
// Declarative resources, as texts by key; what they say is the policy service's business. A log of revisions over a base: a revision is
// what it writes, staged in chunks and made the head by one comparison, so that three documents among 100,000 cost three. Revisions that
// fell out of the history are folded into the base, chunk by chunk. Whoever has a revision reads only what came after it.
// A reader sees whole revisions: base and log are read in parts, and what is written over while it reads comes again behind.

import type { Eventual } from './result.ts'

/** Documents of one chunk, and revisions and documents of the log, at most. */
export const RESOURCE_BOUNDS = {
  chunkWrites: 500,
  chunkBytes: 1024 * 1024,
  /** Of one text. */
  textBytes: 1024 * 1024,
  historyRevisions: 100,
  historyWrites: 500_000,
  /** A stage that is not committed is forgotten after this. */
  stageKeepMs: 10 * 60_000,
} as const

/** [key, text]; text '': there is none. */
export type ResourceWrite = readonly [key: string, text: string]

export interface ResourceHead {
  /** 0: nothing was ever committed. */
  readonly revision: number
  /** Of this revision and all before it; '' for none. */
  readonly hash: string
  /** By the store's clock; 0 for none. */
  readonly unixMs: number
  /** What was last said about the files that a cluster brings by itself; '' for nothing. */
  readonly files: string
  /** The revision that the base is at: the oldest that can be had. */
  readonly base: number
}

export interface ResourceRevision {
  readonly revision: number
  readonly hash: string
  readonly stage: string
  readonly unixMs: number
  readonly chunks: number
  readonly writes: number
  /** As it was given; opaque. */
  readonly note: string
}

export interface ResourceCommit {
  /** Names the attempt: a repeat commits once. Letters and digits. */
  readonly stage: string
  readonly chunks: number
  /** Documents in all chunks. */
  readonly writes: number
  /** The head that this builds on. */
  readonly expected: Pick<ResourceHead, 'revision' | 'hash'>
  readonly hash: string
  readonly note: string
  /** undefined: as it was. */
  readonly files?: string
  /** What its owner brings again at each start: an embedded store begins no file for it. */
  readonly isVolatile?: boolean
}

/** `conflict`: the head is another one. `torn`: a chunk is missing, stage again. */
export type ResourceCommitted =
  | { readonly outcome: 'committed' | 'conflict'; readonly head: ResourceHead }
  | { readonly outcome: 'torn'; readonly head: ResourceHead }

export interface ResourceBasePage {
  readonly base: number
  readonly baseHash: string
  readonly documents: readonly ResourceWrite[]
  /** '' after the last page. */
  readonly next: string
}

/** `gap`: that revision, or one after it, can not be had any more: begin with the base. */
export type ResourceLog =
  | { readonly outcome: 'gap' }
  | {
      readonly outcome: 'revisions'
      readonly revisions: readonly ResourceRevision[]
      /** The first chunk of the first revision that is not in the base yet. */
      readonly firstChunk: number
    }

export interface ResourceFollowing {
  /** When the head was last seen, monotonic milliseconds of this process. */
  readonly seenMs: number
  stop(): void
}

export interface ResourceStore {
  head(): Eventual<ResourceHead>
  /** One chunk of a revision to come; again is harmless. `invalid` beyond the bounds. */
  stage(stage: string, chunk: number, writes: readonly ResourceWrite[]): Eventual<void>
  commit(commit: ResourceCommit): Eventual<ResourceCommitted>
  abandon(stage: string, chunks: number): Eventual<void>
  /** Documents of the base, some of them twice. @param cursor '' for the first page */
  readBase(cursor: string): Eventual<ResourceBasePage>
  /** Texts in the base, '' where there is none; at most `chunkWrites`. */
  readBaseTexts(keys: readonly string[]): Eventual<string[]>
  /** Revisions after one, oldest first. @param after undefined: after the base */
  readLog(after: Pick<ResourceHead, 'revision' | 'hash'> | undefined): Eventual<ResourceLog>
  /** undefined: it is in the base by now. */
  readChunk(stage: string, chunk: number): Eventual<readonly ResourceWrite[] | undefined>
  /** Newest first. @param before 0 for the newest */
  history(before: number, limit: number): Eventual<ResourceRevision[]>
  /** Takes one chunk out of a log that is too long. True: there is more to take. */
  fold(): Eventual<boolean>
  /** Tells every head that is another than the one before it, and the first. */
  follow(onHead: (head: ResourceHead) => void): ResourceFollowing
}

export const NO_HEAD: ResourceHead = { revision: 0, hash: '', unixMs: 0, files: '', base: 0 }
