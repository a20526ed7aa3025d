// SPDX-License-Identifier: MIT
// What all nodes share of a trunk: the places that its calls take, how its hosts fare, how good its calls are, and what it has
// registered. Everything of one trunk lies in one slot, so that attempts that come at once can't overrun a bound.
// A place is a member of a set, named by call and attempt, with a lease: a lease that is over does not free the place by itself, it has whoever comes by look
// whether the call still lives. So nothing drifts, a release that was lost heals, and a store that was away frees nobody's place.
// Which trunk has which bounds is not the store's business. All times are the store's.

import type { Eventual } from './result.ts'

export interface AttemptBegin {
  readonly trunk: string
  readonly ref: string
  /** 0 to MAX_ATTEMPTS - 1; the same for a repeat. */
  readonly attempt: number
  /** undefined: no bound. */
  readonly maxCalls: number | undefined
  readonly callsPerSecond: number | undefined
  /** Until somebody looks whether the call lives. */
  readonly leaseMs: number
}

/** `over`: the attempt or its call has ended. */
export type AttemptRefusal = '' | 'calls' | 'rate' | 'over'

export interface AttemptBegun {
  readonly refused: AttemptRefusal
  /** Places that are taken. */
  readonly calls: number
}

export interface BreakerTerms {
  /** Failures in a row within windowMs that open the breaker; 0: calls never do. */
  readonly failures: number
  readonly windowMs: number
  readonly openMs: number
  /** Failed probes in a row that open it. */
  readonly probeFailures: number
}

/** `bad` counts towards the breaker, `good` ends a row of failures, `neutral` says nothing. */
export type AttemptHealth = 'good' | 'bad' | 'neutral'

export interface AttemptEnd {
  readonly trunk: string
  readonly host: string
  readonly ref: string
  readonly attempt: number
  /** It was answered: the place is kept until the call ends. */
  readonly keeps: boolean
  /** It counts for the ratios. */
  readonly seized: boolean
  readonly answered: boolean
  /** The network did its part: answered, busy, nobody there, ... */
  readonly effective: boolean
  /** Until it rang; undefined: it did not. */
  readonly pddMs: number | undefined
  readonly health: AttemptHealth
  readonly breaker: BreakerTerms
  /** Of quality. */
  readonly windowMs: number
}

export interface AttemptNoted {
  /** False: this end was noted before. */
  readonly isFirst: boolean
  /** A breaker opened, closed, or stays open longer: tell() it. */
  readonly changed: boolean
  readonly calls: number
}

export interface ProbeNote {
  readonly trunk: string
  readonly host: string
  readonly good: boolean
  /** Final status; 0 for none. */
  readonly status: number
  readonly tookMs: number
  readonly breaker: BreakerTerms
}

export interface HostHealth {
  readonly host: string
  /** `half`: it was open long enough; a probe or one trial call says what comes. */
  readonly state: 'closed' | 'open' | 'half'
  /** Of an open one. */
  readonly leftMs: number
  /** In a row, of calls. */
  readonly failures: number
  /** How often it opened. */
  readonly opened: number
  /** undefined: never probed. */
  readonly probe:
    | { readonly agoMs: number; readonly good: boolean; readonly status: number; readonly tookMs: number }
    | undefined
}

/** Sums over the window. */
export interface TrunkQuality {
  readonly seized: number
  readonly answered: number
  readonly effective: number
  /** Calls that ended, and their talk. */
  readonly ended: number
  readonly talkMs: number
  /** Attempts that rang, and how long that took. */
  readonly rang: number
  readonly pddMs: number
}

export interface TrunkView {
  readonly calls: number
  readonly hosts: readonly HostHealth[]
  readonly quality: TrunkQuality
  /** References of calls whose places nobody has looked at for a lease; the next lease has begun, each once. */
  readonly due: readonly string[]
}

export interface TrunkState {
  /** 0: there is none. */
  readonly version: number
  readonly text: string
}

export interface TrunkNews {
  readonly revision: number
  readonly trunks: readonly string[]
}

export interface TrunkStore {
  /** Takes a place where the bounds let it. A repeat takes none. */
  beginAttempt(begin: AttemptBegin): Eventual<AttemptBegun>
  /** Frees the place unless `keeps`, and counts, once. */
  endAttempt(end: AttemptEnd): Eventual<AttemptNoted>
  /** Frees every place of the call. @param talkMs undefined: not known. False: that was done before. */
  endCall(trunk: string, ref: string, talkMs: number | undefined, windowMs: number): Eventual<boolean>
  /** True: a breaker opened, closed, or stays open longer. */
  noteProbe(probe: ProbeNote): Eventual<boolean>
  /** One call may try a host whose breaker is half open; nobody else for leaseMs. */
  claimTrial(trunk: string, host: string, leaseMs: number): Eventual<boolean>
  /** How it stands, and up to `limit` places to look at, each again after leaseMs. */
  lookAt(trunk: string, windowMs: number, leaseMs: number, limit: number): Eventual<TrunkView>

  /** All nodes shall look at this trunk. */
  tell(trunk: string): Eventual<void>
  /** Trunks to look at, told of after that revision and within NEWS_KEEP_MS. */
  readNews(after: number): Eventual<TrunkNews>

  /** Of these pieces of work those that are due, for the asker alone for leaseMs. What was never planned is due. */
  claimWork(keys: readonly string[], leaseMs: number): Eventual<string[]>
  planWork(key: string, inMs: number): Eventual<void>

  /** What a trunk has registered; opaque. */
  readState(trunk: string): Eventual<TrunkState>
  /** False: somebody else has written since `version`. @param text '' forgets it */
  writeState(trunk: string, version: number, text: string): Eventual<boolean>
  listStates(): Eventual<string[]>

  /** How often this nonce was used, this time too. */
  countNonce(trunk: string, nonceId: string, keepMs: number): Eventual<number>
}
