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
    return this.#run(FRAUD_BEGIN, slot, checks, [ref, leaseMs, ...checkArguments(checks)], (reply) => {
      const [stopped, nowMs, found, undo] = listOf(reply)
      return readBegun(numberOf(stopped) === 1, numberOf(nowMs), found, undo)
    })
  }

  cancel({ slot, ref, counters, undo, begunMs }: FraudCancel): Promise<Stored<void>> {
    const each = counters.flatMap((one, i) => [...counterArguments(one), undo[i] ?? ''])
    return this.#run(FRAUD_CANCEL, slot, counters, [ref, begunMs, counters.length, ...each], () => undefined)
  }

  renew({ slot, ref, counters, leaseMs }: FraudRenewal): Promise<Stored<bigint[]>> {
    const each = counters.flatMap(counterArguments)
    return this.#run(FRAUD_RENEW, slot, counters, [ref, leaseMs, counters.length, ...each], (reply) =>
      listOf(reply).map((value) => BigInt(textOf(value))),
    )
  }

  end({ slot, ref, counters, talkMs, price, short }: FraudEnd): Promise<Stored<boolean>> {
    const each = counters.flatMap((one, i) => [...counterArguments(one), amountOf(one, price, short[i])])
    const args = [ref, Math.round(talkMs), counters.length, ...each]
    return this.#run(FRAUD_END, slot, counters, args, (reply) => numberOf(reply) === 1)
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

const counterArguments = ({ kind, windowMs, member }: FraudCounter): Argument[] => [kind, windowMs, member]

export function checkArguments(checks: readonly FraudCheck[]): Argument[] {
  return [
    checks.length,
    ...checks.flatMap((check) => [
      ...counterArguments(check),
      String(check.warning ?? ''),
      String(check.critical ?? ''),
      (check.warningStops ? 1 : 0) + (check.criticalStops ? 2 : 0),
      String(check.amount),
    ]),
  ]
}

export function readBegun(
  stopped: boolean,
  nowMs: number,
  found: Reply | undefined,
  undo: Reply | undefined,
): FraudBegun {
  const flat = listOf(found)
  const findings: FraudFinding[] = []
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const level = numberOf(flat[i + 1]) === 2 ? 'critical' : 'warning'
    findings.push({ index: numberOf(flat[i]), level, value: BigInt(textOf(flat[i + 2])) })
  }
  return { stopped, findings, undo: listOf(undo).map(textOf), nowMs }
}

function amountOf({ kind }: FraudCounter, price: bigint, short: boolean | undefined): string {
  if (kind === 'spend') return String(price)
  if (kind !== 'short' || short === undefined) return ''
  return short ? '1' : '0'
}
