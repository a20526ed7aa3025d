// SPDX-License-Identifier: MIT
// Steps over the counters of rules against fraud: calls that begin, go on, end, are taken back, are told of twice or never.
import type { FraudCheck, FraudCounter, FraudKind, FraudSlot } from '../../fraud-store.ts'
import { ended, type Side, type Step, type Walk } from './walk.ts'

const SUBJECTS = ['192.0.2.1', '2001:db8::1']
const KINDS: readonly FraudKind[] = [
  'calls',
  'live',
  'sequence',
  'distinct',
  'countries',
  'talk',
  'spend',
  'short',
  'fresh',
]
const WINDOWS = [1_000, 8_000, 60_000]
/** Few enough that the same comes again. */
const REFS = 40

interface Begun {
  readonly slot: FraudSlot
  readonly ref: string
  readonly checks: readonly FraudCheck[]
}

/** Calls of the walk, the same for both; what each store gave back to undo them. */
const begun: Begun[] = []
const undone = new WeakMap<Side, Map<string, { readonly undo: readonly string[]; readonly begunMs: number }>>()

const slotOf = (walk: Walk): FraudSlot => ({ scope: 'source', subject: walk.pick(SUBJECTS) })

function checkOf(walk: Walk, kind: FraudKind): FraudCheck {
  const hasWindow = kind !== 'live' && kind !== 'countries'
  const windowMs = hasWindow ? walk.pick(WINDOWS) : 0
  const hasMember = kind === 'sequence' || kind === 'distinct' || kind === 'fresh' || kind === 'countries'
  const warning = walk.pick([undefined, 0n, 1n, 2n])
  return {
    counter: `${kind}.${windowMs}`,
    kind,
    windowMs,
    member: hasMember ? walk.pick(['+1', '+2', '+3']) : '',
    warning,
    critical: walk.pick([undefined, 3n, 4n, 6n, 20n]),
    warningStops: walk.chance(0.1),
    criticalStops: walk.chance(0.7),
    amount: kind === 'fresh' ? walk.pick([1n, 5n, 30n]) : walk.pick([0n, 1n, 3n]),
  }
}

const checksOf = (walk: Walk): FraudCheck[] => KINDS.filter(() => walk.chance(0.5)).map((kind) => checkOf(walk, kind))

export function beginStep(walk: Walk): Step {
  const slot = slotOf(walk)
  const ref = `ref-${walk.int(REFS)}`
  const checks = checksOf(walk)
  const leaseMs = walk.pick([200, 6_000, 60_000])
  begun.push({ slot, ref, checks })
  if (begun.length > REFS) begun.shift()
  return {
    text: `begin ${ref} ${JSON.stringify(checks, text)}`,
    run: (side) =>
      ended(side.store.fraud.begin({ slot, ref, leaseMs, checks }), (outcome) => {
        note(side, slot, ref, { undo: outcome.undo, begunMs: outcome.nowMs })
        return { ...outcome, undo: outcome.undo.length }
      }),
  }
}

const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

function note(side: Side, { subject }: FraudSlot, ref: string, of: { undo: readonly string[]; begunMs: number }): void {
  const known = undone.get(side) ?? new Map()
  if (of.undo.length > 0) known.set(`${subject} ${ref}`, of)
  undone.set(side, known)
}

const callOf = (walk: Walk): Begun =>
  begun.length === 0 || walk.chance(0.1)
    ? { slot: slotOf(walk), ref: `ref-${walk.int(REFS)}`, checks: checksOf(walk) }
    : walk.pick(begun)

export function cancelStep(walk: Walk): Step {
  const { slot, ref, checks: counters } = callOf(walk)
  return {
    text: `cancel ${ref}`,
    run: (side) => {
      const of = undone.get(side)?.get(`${slot.subject} ${ref}`)
      if (of === undefined || of.undo.length !== counters.length) return Promise.resolve('nothing')
      return ended(side.store.fraud.cancel({ slot, ref, counters, ...of }))
    },
  }
}

export function renewStep(walk: Walk): Step {
  const { slot, ref, checks } = callOf(walk)
  const counters: readonly FraudCounter[] = checks
  const leaseMs = walk.pick([200, 6_000, 60_000])
  return { text: `renew ${ref}`, run: (side) => ended(side.store.fraud.renew({ slot, ref, counters, leaseMs })) }
}

export function endStep(walk: Walk): Step {
  const { slot, ref, checks: counters } = callOf(walk)
  const short = counters.map(() => walk.pick([true, false, undefined]))
  const talkMs = walk.int(5)
  const price = BigInt(walk.int(5))
  return {
    text: `end ${ref}`,
    run: (side) => ended(side.store.fraud.end({ slot, ref, counters, talkMs, price, short })),
  }
}

export function liveStep(walk: Walk): Step {
  const slot = slotOf(walk)
  return {
    text: `live of ${slot.subject}`,
    run: (side) => ended(side.store.fraud.live(slot, 'live.0', 1_000), (refs) => [...refs].sort()),
  }
}
