// SPDX-License-Identifier: MIT
// Counters of rules against fraud in Redis: arguments and replies of their scripts. Those of an account lie in `{a:<account>}`, those of
// any other subject in `{f:<scope>:<subject>}`.

import { areCounters, isSlot } from '../fraud-rules.ts'
import type {
  FraudBegin,
  FraudBegun,
  FraudCancel,
  FraudCheck,
  FraudCounter,
  FraudEnd,
  FraudFinding,
  FraudRenewal,
  FraudSlot,
  FraudStore,
} from '../fraud-store.ts'
import { notStored, type Stored } from '../result.ts'
import type { Argument, Reply } from './batcher.ts'
import { pack } from './msgpack.ts'
import { listOf, numberOf, textOf } from './reply.ts'
import type { Runner } from './runner.ts'
import { FRAUD_BEGIN, FRAUD_CANCEL, FRAUD_END, FRAUD_LIVE, FRAUD_RENEW } from './scripts/fraud.ts'
import type { Script } from './scripts/script.ts'

const INVALID = notStored('invalid', 'a subject, counter or member that can not be a key, or too many of them')

export class RedisFraud implements FraudStore {
  readonly #runner: Runner

  constructor(runner: Runner) {
    this.#runner = runner
  }

  begin({ slot, ref, leaseMs, checks }: FraudBegin): Promise<Stored<FraudBegun>> {
    return this.#run(FRAUD_BEGIN, slot, checks, [ref, leaseMs, packChecks(checks)], (reply) => {
      const [stopped, nowMs, found, undo] = listOf(reply)
      return readBegun(numberOf(stopped) === 1, numberOf(nowMs), found, undo, checks.length)
    })
  }

  cancel({ slot, ref, counters, undo, begunMs }: FraudCancel): Promise<Stored<void>> {
    const each = packAll(counters, (one, i) => pack([...wordsOf(one), undo[i] ?? '']))
    return this.#run(FRAUD_CANCEL, slot, counters, [ref, begunMs, each], () => undefined)
  }

  renew({ slot, ref, counters, leaseMs }: FraudRenewal): Promise<Stored<bigint[]>> {
    const each = packAll(counters, (one) => pack(wordsOf(one)))
    return this.#run(FRAUD_RENEW, slot, counters, [ref, leaseMs, each], (reply) =>
      listOf(reply).map((value) => BigInt(textOf(value))),
    )
  }

  end({ slot, ref, counters, talkMs, price, short }: FraudEnd): Promise<Stored<boolean>> {
    const each = packAll(counters, (one, i) => pack([...wordsOf(one), amountOf(one, price, short[i])]))
    return this.#run(FRAUD_END, slot, counters, [ref, Math.round(talkMs), each], (reply) => numberOf(reply) === 1)
  }

  live(slot: FraudSlot, counter: string, limit: number): Promise<Stored<string[]>> {
    if (!isSlot(slot)) return Promise.resolve(INVALID)
    const tag = fraudTag(slot)
    return this.#runner.run(FRAUD_LIVE, tag, [`{${tag}}:f:${counter}`], [limit], (reply) => listOf(reply).map(textOf))
  }

  #run<T>(
    script: Script,
    slot: FraudSlot,
    counters: readonly FraudCounter[],
    args: readonly Argument[],
    read: (reply: Reply) => T,
  ): Promise<Stored<T>> {
    if (!isSlot(slot) || !areCounters(counters)) return Promise.resolve(INVALID)
    const tag = fraudTag(slot)
    return this.#runner.run(script, tag, fraudKeys(tag, counters), args, read)
  }
}

const fraudTag = ({ scope, subject }: FraudSlot): string =>
  scope === 'account' ? `a:${subject}` : `f:${scope}:${subject}`

/** Of `seen` and of each counter. */
export const fraudKeys = (tag: string, counters: readonly FraudCounter[]): string[] => [
  `{${tag}}:f`,
  ...counters.map(({ counter }) => `{${tag}}:f:${counter}`),
]

const wordsOf = ({ kind, windowMs, member }: FraudCounter): (string | number)[] => [kind, windowMs, member]

/** An array of arrays in one argument, as scripts/fraud.ts says. */
function packAll<T>(all: readonly T[], packed: (one: T, index: number) => Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0xdc, all.length >> 8, all.length & 0xff), ...all.map(packed)])
}

/** By check; those that are made for one call are not kept. */
const packed = new WeakMap<FraudCheck, Uint8Array>()

function packCheck(check: FraudCheck): Uint8Array {
  const known = packed.get(check)
  if (known !== undefined) return known
  const stops = (check.warningStops ? 1 : 0) + (check.criticalStops ? 2 : 0)
  const levels = [boundOf(check.warning), boundOf(check.critical), stops, Number(check.amount)]
  const bytes = pack([...wordsOf(check), ...levels])
  if (Object.isFrozen(check)) packed.set(check, bytes)
  return bytes
}

/** A trial has -1: a level that every value is above. */
const UNSET = -2

/** Below 2^53 by contract; nobody reaches what is not there. */
const boundOf = (bound: bigint | undefined): number => (bound === undefined ? UNSET : Number(bound))

export const packChecks = (checks: readonly FraudCheck[]): Uint8Array => packAll(checks, packCheck)

export function readBegun(
  stopped: boolean,
  nowMs: number,
  found: Reply | undefined,
  undo: Reply | undefined,
  count: number,
): FraudBegun {
  const flat = listOf(found)
  const findings: FraudFinding[] = []
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const level = numberOf(flat[i + 1]) === 2 ? 'critical' : 'warning'
    findings.push({ index: numberOf(flat[i]), level, value: BigInt(textOf(flat[i + 2])) })
  }
  return { stopped, findings, undo: undoOf(listOf(undo), count), nowMs }
}

/** One for each check, or none where nothing was counted; empty ones at the end are not sent. */
function undoOf(told: readonly Reply[], count: number): string[] {
  const undo = told.map(textOf)
  while (told.length > 0 && undo.length < count) undo.push('')
  return undo
}

function amountOf({ kind }: FraudCounter, price: bigint, short: boolean | undefined): string {
  if (kind === 'spend') return String(price)
  if (kind !== 'short' || short === undefined) return ''
  return short ? '1' : '0'
}
