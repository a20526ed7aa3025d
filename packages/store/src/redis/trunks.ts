// SPDX-License-Identifier: MIT
// Trunks in Redis: arguments and replies of scripts/trunks.ts.

import { createHash } from 'node:crypto'
import { notStored, type Stored } from '../result.ts'
import {
  areWork,
  type HostRecord,
  healthOf,
  isHost,
  isPlace,
  isRef,
  isTrunk,
  MAX_STATE_CHARS,
  qualityBucketMs,
} from '../trunk-rules.ts'
import type {
  AttemptBegin,
  AttemptBegun,
  AttemptEnd,
  AttemptNoted,
  AttemptRefusal,
  HostHealth,
  ProbeNote,
  TrunkNews,
  TrunkQuality,
  TrunkState,
  TrunkStore,
  TrunkView,
} from '../trunk-store.ts'
import type { Argument, Reply } from './batcher.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { LIST_FIELDS } from './scripts/plain.ts'
import type { Script } from './scripts/script.ts'
import {
  BEGIN_ATTEMPT,
  CLAIM_TRIAL,
  CLAIM_TRUNK_WORK,
  COUNT_TRUNK_NONCE,
  END_ATTEMPT,
  END_TRUNK_CALL,
  LOOK_AT_TRUNK,
  NOTE_PROBE,
  PLAN_TRUNK_WORK,
  READ_TRUNK_NEWS,
  READ_TRUNK_STATE,
  TELL_TRUNK,
  WRITE_TRUNK_STATE,
} from './scripts/trunks.ts'

const INVALID = notStored('invalid', 'a trunk, host, reference, attempt or state that can not be kept')
const FULL = notStored('full', 'the store holds as many registrations of trunks as it may')
const ALL_TAG = 'trunks'

const flag = (is: boolean): number => (is ? 1 : 0)

export class RedisTrunks implements TrunkStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  async beginAttempt(begin: AttemptBegin): Promise<Stored<AttemptBegun>> {
    const { trunk, ref, attempt, maxCalls, callsPerSecond, leaseMs } = begin
    if (!isTrunk(trunk) || !isPlace(ref, attempt)) return INVALID
    const args = [ref, attempt, maxCalls ?? '', callsPerSecond ?? '', leaseMs]
    return this.#of(trunk, BEGIN_ATTEMPT, ['p', 'r', 'o'], args, (reply) => {
      const [refused, calls] = listOf(reply)
      return { refused: textOf(refused) as AttemptRefusal, calls: numberOf(calls) }
    })
  }

  async endAttempt(end: AttemptEnd): Promise<Stored<AttemptNoted>> {
    const { trunk, host, ref, attempt, keeps, seized, answered, effective, pddMs, health, breaker, windowMs } = end
    if (!isTrunk(trunk) || !isPlace(ref, attempt) || !isHost(host)) return INVALID
    const pdd = pddMs === undefined ? '' : Math.round(pddMs)
    const counted = [flag(keeps), flag(seized), flag(answered), flag(effective), pdd, health]
    const args = [ref, attempt, host, ...counted, breaker.failures, breaker.windowMs, breaker.openMs]
    return this.#of(trunk, END_ATTEMPT, ['p', 'o', 'h', 'q'], [...args, qualityBucketMs(windowMs)], (reply) => {
      const [isFirst, changed, calls] = listOf(reply).map(numberOf)
      return { isFirst: isFirst === 1, changed: changed === 1, calls: calls ?? 0 }
    })
  }

  async endCall(trunk: string, ref: string, talkMs: number | undefined, windowMs: number): Promise<Stored<boolean>> {
    if (!isTrunk(trunk) || !isRef(ref)) return INVALID
    const args = [ref, talkMs === undefined ? '' : Math.round(talkMs), qualityBucketMs(windowMs)]
    return this.#of(trunk, END_TRUNK_CALL, ['p', 'o', 'q'], args, isOne)
  }

  async noteProbe({ trunk, host, good, status, tookMs, breaker }: ProbeNote): Promise<Stored<boolean>> {
    if (!isTrunk(trunk) || !isHost(host)) return INVALID
    const args = [host, flag(good), status, Math.round(tookMs), breaker.probeFailures, breaker.openMs]
    return this.#of(trunk, NOTE_PROBE, ['h'], args, isOne)
  }

  async claimTrial(trunk: string, host: string, leaseMs: number): Promise<Stored<boolean>> {
    if (!isTrunk(trunk) || !isHost(host)) return INVALID
    return this.#of(trunk, CLAIM_TRIAL, ['h'], [host, leaseMs], isOne)
  }

  async lookAt(trunk: string, windowMs: number, leaseMs: number, limit: number): Promise<Stored<TrunkView>> {
    if (!isTrunk(trunk)) return INVALID
    return this.#of(trunk, LOOK_AT_TRUNK, ['p', 'h', 'q'], [qualityBucketMs(windowMs), leaseMs, limit], readView)
  }

  async tell(trunk: string): Promise<Stored<void>> {
    if (!isTrunk(trunk)) return INVALID
    return this.#ofAll(TELL_TRUNK, 'news', [trunk], () => undefined)
  }

  readNews(after: number): Promise<Stored<TrunkNews>> {
    return this.#ofAll(READ_TRUNK_NEWS, 'news', [after], (reply) => {
      const flat = listOf(reply)
      const trunks = flat.filter((_, i) => i % 2 === 0).map(textOf)
      return { revision: trunks.length === 0 ? after : numberOf(flat.at(-1)), trunks }
    })
  }

  async claimWork(keys: readonly string[], leaseMs: number): Promise<Stored<string[]>> {
    if (!areWork(keys)) return INVALID
    return this.#ofAll(CLAIM_TRUNK_WORK, 'due', [leaseMs, ...keys], (reply) => listOf(reply).map(textOf))
  }

  async planWork(key: string, inMs: number): Promise<Stored<void>> {
    if (!areWork([key])) return INVALID
    return this.#ofAll(PLAN_TRUNK_WORK, 'due', [key, Math.round(inMs)], () => undefined)
  }

  readState(trunk: string): Promise<Stored<TrunkState>> {
    return this.#ofAll(READ_TRUNK_STATE, 'states', [trunk], (reply) => {
      const packed = textOf(reply)
      const space = packed.indexOf(' ')
      return { version: Number(packed.slice(0, Math.max(0, space))), text: packed.slice(space + 1) }
    })
  }

  async writeState(trunk: string, version: number, text: string): Promise<Stored<boolean>> {
    if (!isTrunk(trunk) || text.length > MAX_STATE_CHARS) return INVALID
    const written = await this.#ofAll(WRITE_TRUNK_STATE, 'states', [trunk, version, text], numberOf)
    if (written.state !== 'stored') return written
    return written.value === 2 ? FULL : { state: 'stored', value: written.value === 1 }
  }

  listStates(): Promise<Stored<string[]>> {
    return this.#ofAll(LIST_FIELDS, 'states', [], (reply) => listOf(reply).map(textOf).sort())
  }

  async countNonce(trunk: string, nonceId: string, keepMs: number): Promise<Stored<number>> {
    if (!isTrunk(trunk)) return INVALID
    const id = createHash('sha1').update(nonceId).digest('base64url')
    return this.#of(trunk, COUNT_TRUNK_NONCE, [`n:${id}`], [keepMs], numberOf)
  }

  #of<T>(
    trunk: string,
    script: Script,
    parts: readonly string[],
    args: readonly Argument[],
    read: (reply: Reply) => T,
  ): Promise<Stored<T>> {
    const tag = `k:${trunk}`
    const keys = parts.map((part) => `{${tag}}:${part}`)
    return this.#runner.run(script, tag, keys, args, read)
  }

  #ofAll<T>(script: Script, part: string, args: readonly Argument[], read: (reply: Reply) => T): Promise<Stored<T>> {
    return this.#runner.run(script, ALL_TAG, [`{${ALL_TAG}}:${part}`], args, read)
  }
}

const isOne = (reply: Reply): boolean => numberOf(reply) === 1

function readView(reply: Reply): TrunkView {
  const [now, calls, hosts, sums, due] = listOf(reply)
  const [seized = 0, answered = 0, effective = 0, ended = 0, talkMs = 0, rang = 0, pddMs = 0] =
    listOf(sums).map(numberOf)
  const quality: TrunkQuality = { seized, answered, effective, ended, talkMs, rang, pddMs }
  return {
    calls: numberOf(calls),
    hosts: readHosts(listOf(hosts), numberOf(now)),
    quality,
    due: listOf(due).map(textOf),
  }
}

function readHosts(flat: readonly Reply[], nowMs: number): HostHealth[] {
  const hosts: HostHealth[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    hosts.push(healthOf(textOf(flat[i]), hostRecordOf(textOf(flat[i + 1])), nowMs))
  }
  return hosts
}

function hostRecordOf(text: string): HostRecord {
  const [failures = 0, firstMs = 0, openUntilMs = 0, opened = 0, trialUntilMs = 0, ...probe] = text
    .split(' ')
    .map(Number)
  const [probeFailures = 0, probeMs = 0, probeGood = 0, probeStatus = 0, probeTookMs = 0] = probe
  const breaker = { failures, firstMs, openUntilMs, opened, trialUntilMs }
  return { ...breaker, probeFailures, probeMs, probeGood, probeStatus, probeTookMs }
}
