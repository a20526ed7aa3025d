// SPDX-License-Identifier: MIT
// The directory of calls in set-up in memory: create-if-absent, compare-and-set on (owner, epoch), entries end by lease.
// Every initial INVITE passes here: no copies of bytes, no promises. Entries of ended calls stay for a minute, sixty for each of a second:
// they wait in a queue, and their times are whole milliseconds, which the engine keeps in place.

import { type Stored, stored } from '../result.ts'
import type {
  AdoptOutcome,
  BeginCallOutcome,
  Branch,
  CallAdoption,
  CallEnd,
  CallEntry,
  CallUpdate,
  NewCall,
} from '../types.ts'
import { full, type MemoryContext, SWEEP_PER_OPERATION } from './context.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import { ExpiryQueue } from './expiry-queue.ts'

interface Entry extends CallEntry, Timed {
  leaseMs: number
  isGone: boolean
}

const NO_BYTES = new Uint8Array(0)

export class MemoryDirectory {
  readonly #context: MemoryContext
  readonly #entries = new Map<string, Entry>()
  readonly #owned = new Map<string, Set<Entry>>()
  /** Of calls in set-up, by the end of their lease. */
  readonly #deadlines = new Deadlines<Entry>()
  /** Of calls that have ended. */
  readonly #ended = new ExpiryQueue<Entry>()
  #refused = 0

  constructor(context: MemoryContext) {
    this.#context = context
  }

  begin(call: NewCall): Stored<BeginCallOutcome> {
    const now = Math.floor(this.#context.now())
    this.#sweep(now, SWEEP_PER_OPERATION)
    const found = this.#live(call.transactionKey, now)
    if (found !== undefined) {
      const { owner, epoch, finalStatus } = found
      const repeated = owner === call.owner && finalStatus === 0
      return stored({ created: repeated, repeated, owner, epoch })
    }
    if (this.#entries.size >= this.#context.limits.maxTransactions) {
      this.#refused++
      return full('calls in set-up', this.#context.limits.maxTransactions)
    }
    this.#insert(entryOf(call, now))
    return stored({ created: true, repeated: false, owner: call.owner, epoch: 1 })
  }

  update(update: CallUpdate): Stored<{ held: boolean }> {
    const now = Math.floor(this.#context.now())
    const entry = this.#held(update.transactionKey, update.owner, update.epoch, now)
    if (entry === undefined) return stored({ held: false })
    entry.step = update.step
    for (const branch of update.branches) upsert(entry.branches, branch)
    if (entry.finalStatus === 0) this.#extend(entry, now + entry.leaseMs)
    return stored({ held: true })
  }

  end(end: CallEnd): Stored<{ held: boolean }> {
    const now = Math.floor(this.#context.now())
    const entry = this.#held(end.transactionKey, end.owner, end.epoch, now)
    if (entry === undefined) return stored({ held: false })
    if (entry.finalStatus === 0) {
      entry.finalStatus = end.finalStatus
      entry.plan = NO_BYTES
      entry.invite = NO_BYTES // nothing is forked any more: what is left to do needs no request
      entry.deadlineMs = now + end.keepMs
      this.#deadlines.remove(entry)
      this.#ended.push(entry)
      this.#disown(entry) // no timer is left to be run on
    }
    return stored({ held: true })
  }

  adopt(adoption: CallAdoption): Stored<AdoptOutcome> {
    const now = Math.floor(this.#context.now())
    const entry = this.#live(adoption.transactionKey, now)
    if (entry === undefined) return stored({ adopted: false, entry: undefined })
    const repeated = entry.owner === adoption.newOwner && entry.epoch === adoption.epoch + 1
    const adopted = repeated || (entry.owner === adoption.owner && entry.epoch === adoption.epoch)
    if (adopted && !repeated) {
      this.#disown(entry)
      entry.owner = adoption.newOwner
      entry.epoch++
      entry.leaseMs = adoption.leaseMs
      if (entry.finalStatus === 0) {
        this.#own(entry)
        this.#extend(entry, now + adoption.leaseMs)
      }
    }
    return stored({ adopted, entry: view(entry) })
  }

  read(transactionKey: string): Stored<CallEntry | undefined> {
    const entry = this.#live(transactionKey, Math.floor(this.#context.now()))
    return stored(entry && view(entry))
  }

  listOwned(owner: string, limit: number): Stored<{ transactionKey: string; deadlineInMs: number }[]> {
    const now = Math.floor(this.#context.now())
    const live = [...(this.#owned.get(owner) ?? [])].filter((entry) => entry.deadlineMs > now)
    live.sort((a, b) => a.deadlineMs - b.deadlineMs)
    return stored(
      live
        .slice(0, limit)
        .map(({ transactionKey, deadlineMs }) => ({ transactionKey, deadlineInMs: deadlineMs - now })),
    )
  }

  tick(): void {
    this.#sweep(Math.floor(this.#context.now()), 50_000)
  }

  counts(): Record<string, number> {
    return { transactionCount: this.#entries.size, transactionsRefused: this.#refused }
  }

  #live(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.deadlineMs > now) return entry
    this.#delete(entry)
    return undefined
  }

  #held(key: string, owner: string, epoch: number, now: number): Entry | undefined {
    const entry = this.#live(key, now)
    return entry !== undefined && entry.owner === owner && entry.epoch === epoch ? entry : undefined
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.transactionKey, entry)
    this.#own(entry)
    this.#deadlines.set(entry)
  }

  #extend(entry: Entry, deadlineMs: number): void {
    entry.deadlineMs = deadlineMs
    this.#deadlines.set(entry)
  }

  #own(entry: Entry): void {
    const owned = this.#owned.get(entry.owner)
    if (owned === undefined) this.#owned.set(entry.owner, new Set([entry]))
    else owned.add(entry)
  }

  #disown(entry: Entry): void {
    const owned = this.#owned.get(entry.owner)
    owned?.delete(entry)
    if (owned?.size === 0) this.#owned.delete(entry.owner)
  }

  #delete(entry: Entry): void {
    entry.isGone = true
    this.#entries.delete(entry.transactionKey)
    if (entry.finalStatus !== 0) return
    this.#deadlines.remove(entry)
    this.#disown(entry)
  }

  #sweep(now: number, limit: number): void {
    for (let i = 0; i < limit; i++) {
      const entry = this.#ended.take(now) ?? this.#deadlines.take(now)
      if (entry === undefined) return
      if (!entry.isGone) this.#delete(entry)
    }
  }
}

function entryOf(call: NewCall, now: number): Entry {
  return {
    transactionKey: call.transactionKey,
    owner: call.owner,
    epoch: 1,
    invite: call.invite,
    upstream: call.upstream,
    plan: call.plan,
    step: call.step,
    branches: call.branches.slice(),
    callRef: call.callRef,
    finalStatus: 0,
    leaseMs: call.leaseMs,
    deadlineMs: now + call.leaseMs,
    heapIndex: -1,
    isGone: false,
  }
}

function upsert(branches: Branch[], branch: Branch): void {
  const at = branches.findIndex((known) => known.id === branch.id)
  if (at < 0) branches.push(branch)
  else branches[at] = branch
}

function view(entry: Entry): CallEntry {
  const { leaseMs: _lease, deadlineMs: _deadline, heapIndex: _index, isGone: _gone, ...call } = entry
  return { ...call, branches: call.branches.slice() }
}
