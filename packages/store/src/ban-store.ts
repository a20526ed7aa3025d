// SPDX-License-Identifier: MIT
// Who fails to prove who he is, and who is banned for it. Failures are counted in windows: each is a member that expires, so that no count
// drifts or stays. A ban is an entry of one list for the whole cluster, with a revision, so that every policy node reads what is new.
// A source is what bans/source-key.ts of policy makes of an address; a user is his name in a realm. All times are the store's.
import type { Eventual } from './result.ts'

/** `pair`: this user from this source. */
export type BanKind = 'source' | 'user' | 'pair'

export interface BanTarget {
  readonly kind: BanKind
  /** '' for a user. */
  readonly source: string
  /** '' for a source. */
  readonly user: string
}

export type BanCause = 'failures' | 'admin' | 'lifted'

export interface Ban extends BanTarget {
  /** 0 for a first one; each that follows soon is one higher. */
  readonly level: number
  readonly cause: BanCause
  readonly sinceMs: number
  /** Milliseconds; 0: over, or lifted. */
  readonly leftMs: number
  /** Grows with each change of the list, over a lost master too. */
  readonly revision: number
}

export interface Failure {
  readonly user: string
  readonly source: string
  /** Names the attempt: a repeat counts once. */
  readonly attempt: string
}

export interface BanTerms {
  /** Length of a first ban; each further one is twice as long, up to maxMs. */
  readonly firstMs: number
  readonly maxMs: number
  /** After a ban has ended, so long the next one is the next in the row. */
  readonly forgetMs: number
  /** Entries of the list; beyond it those go that would be forgotten first. */
  readonly maxBans: number
  /** As long as this whatever came before, also where there is one: by a person. */
  readonly exactMs?: number
}

export interface BanChanges {
  readonly bans: readonly Ban[]
  readonly hasMore: boolean
}

export interface BanStore {
  /** Failures within the window, this one too: of the user from the source, and of the user from anywhere. */
  noteUserFailure(failure: Failure, windowMs: number): Eventual<{ readonly pair: number; readonly user: number }>
  /**
   * Failures from the source within the window, this one too.
   * @param cap where somebody proved himself there within keepMs, one user counts for no more than `perUser`
   */
  noteSourceFailure(
    failure: Failure,
    windowMs: number,
    cap: { readonly perUser: number; readonly keepMs: number },
  ): Eventual<number>
  /** Somebody proved himself. To be repeated within keepMs; `mark` is a source, or a user and a source. */
  noteGood(mark: string, keepMs: number): Eventual<void>
  isGood(mark: string, keepMs: number): Eventual<boolean>
  /** Bans, or leaves the ban that there is. */
  ban(target: BanTarget, terms: BanTerms): Eventual<Ban>
  /** Ends a ban and forgets that there was one, and the failures that led to it. False: there was none. */
  lift(target: BanTarget): Eventual<boolean>
  /** Bans of a higher revision, in its order; lifted ones and ended ones too as long as they are remembered. */
  readBans(afterRevision: number, limit: number): Eventual<BanChanges>
}

/** Members of one count, at most: thresholds are below it. */
export const MAX_FAILURES = 512
/** A lifted ban is told to all who read the list within this time. */
export const LIFTED_KEEP_MS = 600_000
/** Levels beyond this one change nothing. */
export const MAX_LEVEL = 30

/** What may stand in a target. */
export const isBanName = (text: string): boolean => text.length <= 200 && !/[|\n]/.test(text)

export const targetId = ({ kind, source, user }: BanTarget): string => `${kind}|${source}|${user}`

export function parseTargetId(id: string): BanTarget {
  const [kind = '', source = '', user = ''] = id.split('|')
  return { kind: kind as BanKind, source, user }
}

export function banLengthMs(level: number, { firstMs, maxMs, exactMs }: BanTerms): number {
  return exactMs ?? Math.min(maxMs, firstMs * 2 ** level)
}
