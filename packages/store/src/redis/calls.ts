// SPDX-License-Identifier: MIT
// Mints, nonce counts and calls on record in Redis: arguments and replies of their scripts. A mint and its call lie on two
// slots: the mint comes first and decides the reference, opening the call is repeated by any replay and happens once.

import { hash } from 'node:crypto'
import { liveCallOf, livingDialogs } from '../call-record.ts'
import { type Billing, billingText, chargedOf } from '../charges.ts'
import { CORRECTIONS } from '../memory/late-facts.ts'
import { NONCE_USER_BYTES } from '../nonce-window.ts'
import type { NonceUse } from '../policy-store.ts'
import { mapStored, notStored, type Stored, stored } from '../result.ts'
import { shardOf, shardOfReference } from '../shard.ts'
import type {
  AnsweredReport,
  CallDescription,
  CallLimits,
  CallState,
  CallWork,
  DueCall,
  EndedReport,
  FailedReport,
  HangUpWish,
  LiveCall,
  LiveCalls,
  Minted,
  MintProposal,
  ProbeFinding,
  ReportOutcome,
  UpdatedReport,
} from '../types.ts'
import { userFailures } from './bans.ts'
import type { Argument, Reply } from './batcher.ts'
import { aboutArgs, callOf, descriptionArgs, dialogArgs } from './packed-call.ts'
import { bytesOf, listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { END_BY_SYSTEM, NOTE_LIFE, POSTPONE_HANG_UP, REQUEST_HANG_UP, TAKE_WORK, UPDATED } from './scripts/call-work.ts'
import { ANSWERED, CLAIM_DUE, ENDED, FAILED, LIST_LIVE, OPEN_CALL, READ_LIVE, SETTLE_DUE } from './scripts/calls.ts'
import { CHECKED, PLAN_CHARGE, SETTLED } from './scripts/charges.ts'
import { MINT, READ_MINT, RELEASE_MINT, USE_NONCE } from './scripts/mints.ts'
import type { Script } from './scripts/script.ts'
import { tagOf } from './slot.ts'

const NO_SHARD = notStored('invalid', 'the call reference carries no shard')

export class RedisMints {
  readonly #runner: Runner
  readonly #calls: RedisCalls

  constructor(runner: Runner, calls: RedisCalls) {
    this.#runner = runner
    this.#calls = calls
  }

  async mint(key: string, proposal: MintProposal, keepMs: number): Promise<Stored<Minted>> {
    if (shardOfReference(proposal.ref) < 0) return NO_SHARD
    const tag = tagOf('t', shardOf(key))
    const args: Argument[] = [proposal.ref, proposal.decision, keepMs]
    const minted = await this.#runner.run(MINT, tag, [`{${tag}}:mint:${key}`], args, (reply) =>
      readMint(reply, proposal, keepMs),
    )
    if (minted.state !== 'stored') return minted
    const { leftMs, ...value } = minted.value
    if (proposal.call === undefined) return stored(value)
    const { call, deadlineMs, limits } = proposal
    const opened = await this.#calls.open(value.ref, key, call, deadlineMs, leftMs, limits)
    return mapStored(opened, () => value)
  }

  read(key: string): Promise<Stored<Minted | undefined>> {
    const tag = tagOf('t', shardOf(key))
    return this.#runner.run(READ_MINT, tag, [`{${tag}}:mint:${key}`], [], (reply) => {
      const [ref, decision] = listOf(reply)
      return ref === null ? undefined : { ref: textOf(ref), decision: bytesOf(decision), replayed: true }
    })
  }

  release(key: string, keepMs: number): Promise<Stored<boolean>> {
    const tag = tagOf('t', shardOf(key))
    return this.#runner.run(RELEASE_MINT, tag, [`{${tag}}:mint:${key}`], [keepMs], (reply) => numberOf(reply) === 1)
  }

  useNonce({ nonceId, count, transactionKey, ttlMs, user, source }: NonceUse): Promise<Stored<'fresh' | 'replay'>> {
    const { tag, key } = userFailures(user)
    const by = hash('sha1', transactionKey, 'buffer').subarray(0, NONCE_USER_BYTES)
    by[0] = (by[0] as number) | 1 // eight zeros are a count that nobody used
    const keys = [`{${tag}}:nc:${nonceId}:${user}`, key]
    return this.#runner.run(USE_NONCE, tag, keys, [count, by, ttlMs, source], (reply) =>
      numberOf(reply) === 1 ? 'fresh' : 'replay',
    )
  }
}

export class RedisCalls {
  readonly #runner: Runner
  readonly #onFinished: (shard: number) => void
  #dropped = 0

  /** `onFinished` hears of each shard that got a record from here. */
  constructor(runner: Runner, onFinished: (shard: number) => void) {
    this.#runner = runner
    this.#onFinished = onFinished
  }

  open(
    ref: string,
    key: string,
    call: CallDescription,
    deadlineMs: number,
    keepMs: number,
    limits?: CallLimits,
  ): Promise<Stored<void>> {
    const args = [...this.#shared(ref), ...descriptionArgs(call), key, deadlineMs, keepMs, ...limitArgs(limits)]
    args.push(...aboutArgs(call, ''))
    const { tag, keys } = keysOf(ref)
    return this.#runner.run(OPEN_CALL, tag, keys, args, () => undefined)
  }

  answered(ref: string, report: AnsweredReport): Promise<Stored<ReportOutcome>> {
    const { ageMs, toTag, status, target, dialog, answerer } = report
    const event = [ageMs, toTag, status, target, ...dialogArgs(dialog), answerer ? JSON.stringify(answerer) : '']
    return this.#report(ANSWERED, ref, report.call, event, CORRECTIONS.a)
  }

  ended(ref: string, report: EndedReport): Promise<Stored<ReportOutcome>> {
    const { ageMs, fromTag, toTag, by, reason } = report
    return this.#report(ENDED, ref, report.call, [ageMs, fromTag, toTag, by, reason], CORRECTIONS.e)
  }

  failed(ref: string, report: FailedReport): Promise<Stored<ReportOutcome>> {
    const { ageMs, status, cause, reason, by = '' } = report
    return this.#report(FAILED, ref, report.call, [ageMs, status, cause, reason, by], CORRECTIONS.f)
  }

  updated(ref: string, report: UpdatedReport): Promise<Stored<ReportOutcome>> {
    const { ageMs, toTag, byCaller, cseq, callerTarget, calleeTarget } = report
    const event = [ageMs, toTag, byCaller ? 1 : 0, cseq, callerTarget, calleeTarget]
    return this.#report(UPDATED, ref, report.call, event, '')
  }

  requestHangUp(ref: string, { reason, inMs }: HangUpWish): Promise<Stored<CallState | ''>> {
    return this.#work(REQUEST_HANG_UP, ref, [reason, inMs], (reply) => textOf(reply) as CallState | '')
  }

  takeWork(ref: string, leaseMs: number): Promise<Stored<CallWork | undefined>> {
    return this.#work(TAKE_WORK, ref, [leaseMs], (reply) => readWork(ref, listOf(reply)))
  }

  postponeHangUp(ref: string, inMs: number, isUncounted: boolean): Promise<Stored<void>> {
    return this.#work(POSTPONE_HANG_UP, ref, [inMs, isUncounted ? 1 : 0], () => undefined)
  }

  noteLife(ref: string, found: ProbeFinding, reason: string): Promise<Stored<{ finished: boolean }>> {
    return this.#work(NOTE_LIFE, ref, [found, reason], (reply) => this.#readEnd(ref, reply))
  }

  endBySystem(ref: string, reason: string): Promise<Stored<{ finished: boolean }>> {
    return this.#work(END_BY_SYSTEM, ref, [reason], (reply) => this.#readEnd(ref, reply))
  }

  #readEnd(ref: string, reply: Reply): { finished: boolean } {
    return { finished: this.#read(ref, reply).step === 'finished' }
  }

  async #work<T>(script: Script, ref: string, event: Argument[], read: (reply: Reply) => T): Promise<Stored<T>> {
    if (shardOfReference(ref) < 0) return NO_SHARD
    const { tag, keys } = keysOf(ref)
    return this.#runner.run(script, tag, keys, [...this.#shared(ref), ...event], read)
  }

  claimDue(shard: number, leaseMs: number, limit: number): Promise<Stored<DueCall[]>> {
    const tag = tagOf('c', shard)
    const keys = [`{${tag}}:due`, `{${tag}}:beat`]
    return this.#runner.run(CLAIM_DUE, tag, keys, [leaseMs, limit, `{${tag}}:call:`], readDue)
  }

  planCharge(ref: string, inMs: number): Promise<Stored<CallState | ''>> {
    return this.#work(PLAN_CHARGE, ref, [inMs], (reply) => textOf(reply) as CallState | '')
  }

  settled(ref: string, billing: Billing, checkInMs: number | undefined): Promise<Stored<boolean>> {
    const event = [billingText(billing), checkInMs ?? '']
    return this.#work(SETTLED, ref, event, (reply) => this.#read(ref, reply).step === 'finished')
  }

  checked(ref: string): Promise<Stored<void>> {
    return this.#work(CHECKED, ref, [], () => undefined)
  }

  async settleDue(ref: string): Promise<Stored<{ finished: boolean }>> {
    if (shardOfReference(ref) < 0) return NO_SHARD
    const { tag, keys } = keysOf(ref)
    const result = await this.#runner.run(SETTLE_DUE, tag, keys, this.#shared(ref), (reply) => this.#read(ref, reply))
    return mapStored(result, ({ step }) => ({ finished: step === 'finished' }))
  }

  async listLive(limit: number): Promise<Stored<LiveCalls>> {
    const shards = await this.#runner.everyShard((shard) => {
      const tag = tagOf('c', shard)
      return this.#runner.run(LIST_LIVE, tag, [`{${tag}}:due`], [limit, `{${tag}}:call:`], readList)
    })
    return mapStored(shards, (lists) => {
      const calls = lists.flatMap((list) => list.calls).sort((a, b) => Number(b.setupUnixMs - a.setupUnixMs))
      const total = lists.reduce((sum, list) => sum + list.total, 0)
      return { calls: calls.slice(0, limit), truncated: total > limit }
    })
  }

  readLive(ref: string): Promise<Stored<LiveCall | undefined>> {
    if (shardOfReference(ref) < 0) return Promise.resolve(NO_SHARD)
    const { tag, keys } = keysOf(ref)
    return this.#runner.run(READ_LIVE, tag, keys.slice(0, 1), [], (reply) => {
      const [now, packed] = listOf(reply)
      return readLive(ref, bytesOf(packed), numberOf(now))
    })
  }

  counts(): Record<string, number> {
    return { recordsDropped: this.#dropped }
  }

  async #report(
    script: Script,
    ref: string,
    call: CallDescription,
    event: readonly Argument[],
    correction: string,
  ): Promise<Stored<ReportOutcome>> {
    if (shardOfReference(ref) < 0) return NO_SHARD
    const { tag, keys } = keysOf(ref)
    const args = [...this.#shared(ref), ...descriptionArgs(call), ...event, ...aboutArgs(call, correction)]
    const result = await this.#runner.run(script, tag, keys, args, (reply) => this.#read(ref, reply))
    return mapStored(result, ({ step, ...rest }) => ({
      result: step === 'finished' ? 'applied' : (step as ReportOutcome['result']),
      ...rest,
    }))
  }

  #read(ref: string, reply: Reply): Omit<ReportOutcome, 'result'> & { step: string } {
    const [step, state, transactionKey, full, workIn, now, packed, trunk, talkMs, answeredBy] = listOf(reply)
    this.#dropped += numberOf(full)
    if (textOf(step) === 'finished') this.#onFinished(shardOfReference(ref))
    const read = { step: textOf(step), state: textOf(state) as CallState, transactionKey: textOf(transactionKey) }
    const isCharged = packed !== undefined && textOf(packed) !== ''
    const charged = !isCharged ? undefined : chargedOf(callOf(ref, bytesOf(packed)), numberOf(now))
    const isPlanned = workIn !== undefined && textOf(workIn) !== ''
    const isByTrunk = trunk !== undefined && textOf(trunk) !== ''
    const at = isByTrunk ? { name: textOf(trunk), talkMs: numberOf(talkMs) } : undefined
    return {
      ...read,
      ...(isPlanned && { workInMs: numberOf(workIn) }),
      ...(charged && { charged }),
      ...(at && { trunk: at }),
      ...(answeredBy !== undefined && { answeredBy: textOf(answeredBy) }),
    }
  }

  #shared(ref: string): Argument[] {
    const { recordsMaxLen, finishedKeepMs, partialGraceMs, maxCallMs } = this.#runner.settings
    return [ref, recordsMaxLen, finishedKeepMs, partialGraceMs, maxCallMs]
  }
}

function keysOf(ref: string): { tag: string; keys: string[] } {
  const tag = tagOf('c', shardOfReference(ref))
  return { tag, keys: [`{${tag}}:call:${ref}`, `{${tag}}:due`, `{${tag}}:cdr`] }
}

/** '' for what there is none of. */
function limitArgs(limits: CallLimits | undefined): Argument[] {
  const { maxDurationMs = 0, maxDurationReason = '', warnMs = 0, livenessMs = 0 } = limits ?? {}
  return [maxDurationMs || '', maxDurationReason, warnMs || '', livenessMs || '']
}

function readWork(ref: string, [kind, now, packed, attempt, leftMs]: Reply[]): CallWork | undefined {
  if (kind === undefined) return undefined
  const call = callOf(ref, bytesOf(packed))
  const isHangUp = textOf(kind) === 'hangUp'
  return {
    kind: textOf(kind) as CallWork['kind'],
    call: liveCallOf(call, numberOf(now)),
    transactionKey: call.transactionKey,
    dialogs: livingDialogs(call.legs),
    reason: textOf(kind) === 'probe' ? '' : call.plan.hangUpReason,
    attempt: isHangUp ? numberOf(attempt) : 0,
    leftMs: numberOf(leftMs),
  }
}

function readDue(reply: Reply): DueCall[] {
  const [now, ...flat] = listOf(reply)
  const due: DueCall[] = []
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const ref = textOf(flat[i])
    const packed = bytesOf(flat[i + 2])
    const charged = packed.length === 0 ? undefined : chargedOf(callOf(ref, packed), numberOf(now))
    due.push({ ref, state: textOf(flat[i + 1]) as CallState, ...(charged && { charged }) })
  }
  return due
}

/** What was there before comes back as it is; of what was proposed, that it is there now. */
function readMint(reply: Reply, own: MintProposal, keepMs: number): Minted & { leftMs: number } {
  const [replayed, ref, decision, leftMs] = listOf(reply)
  if (numberOf(replayed) === 0) return { ref: own.ref, decision: own.decision, replayed: false, leftMs: keepMs }
  return { ref: textOf(ref), decision: bytesOf(decision), replayed: true, leftMs: Math.max(0, numberOf(leftMs)) }
}

function readList(reply: Reply): { total: number; calls: LiveCall[] } {
  const [now, total, ...flat] = listOf(reply)
  const calls: LiveCall[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const call = readLive(textOf(flat[i]), bytesOf(flat[i + 1]), numberOf(now))
    if (call !== undefined) calls.push(call)
  }
  return { total: numberOf(total), calls }
}

function readLive(ref: string, packed: Buffer, nowMs: number): LiveCall | undefined {
  if (packed.length === 0) return undefined
  const call = callOf(ref, packed)
  return call.state === 'setup' || call.state === 'answered' ? liveCallOf(call, nowMs) : undefined
}
