// SPDX-License-Identifier: MIT
// Steps over trunks: attempts that begin, end, are told of twice or never, probes, trial calls, looks, work and states.
import type { AttemptHealth } from '../../trunk-store.ts'
import { endOf } from '../trunks.ts'
import { ended, type Step, type Walk } from './walk.ts'

const TRUNKS = ['carrier', 'other']
const HOSTS = ['a:5060', 'b:5060']
const HEALTH: readonly AttemptHealth[] = ['good', 'bad', 'bad', 'neutral']
const REFS = 12
const WINDOW_MS = 60_000
const BREAKER = { failures: 3, windowMs: 8_000, openMs: 2_000, probeFailures: 2 }

const refOf = (walk: Walk): string => `call-${walk.int(REFS)}`

export function beginAttemptStep(walk: Walk): Step {
  const begin = {
    trunk: walk.pick(TRUNKS),
    ref: refOf(walk),
    attempt: walk.int(3),
    maxCalls: walk.pick([undefined, 4, 8]),
    callsPerSecond: walk.pick([undefined, 2]),
    leaseMs: walk.pick([200, 6_000, 60_000]),
  }
  return { text: `attempt ${JSON.stringify(begin)}`, run: (side) => ended(side.store.trunks.beginAttempt(begin)) }
}

export function endAttemptStep(walk: Walk): Step {
  const answered = walk.chance(0.3)
  const end = endOf(walk.pick(TRUNKS), refOf(walk), {
    host: walk.pick(HOSTS),
    attempt: walk.int(3),
    keeps: answered,
    seized: walk.chance(0.8),
    answered,
    effective: walk.chance(0.5),
    pddMs: walk.pick([undefined, 5, 100]),
    health: walk.pick(HEALTH),
    breaker: BREAKER,
    windowMs: WINDOW_MS,
  })
  return { text: `end of attempt ${JSON.stringify(end)}`, run: (side) => ended(side.store.trunks.endAttempt(end)) }
}

export function endCallStep(walk: Walk): Step {
  const [trunk, ref, talkMs] = [walk.pick(TRUNKS), refOf(walk), walk.pick([undefined, 7])]
  return {
    text: `end of call ${ref} at ${trunk}`,
    run: (side) => ended(side.store.trunks.endCall(trunk, ref, talkMs, WINDOW_MS)),
  }
}

export function probeStep(walk: Walk): Step {
  const good = walk.chance(0.5)
  const what = { good, status: good ? 200 : 0, tookMs: walk.int(9), breaker: BREAKER }
  const probe = { trunk: walk.pick(TRUNKS), host: walk.pick(HOSTS), ...what }
  return { text: `probe ${JSON.stringify(probe)}`, run: (side) => ended(side.store.trunks.noteProbe(probe)) }
}

export function trialStep(walk: Walk): Step {
  const [trunk, host, leaseMs] = [walk.pick(TRUNKS), walk.pick(HOSTS), walk.pick([200, 6_000])]
  return {
    text: `trial of ${host} at ${trunk}`,
    run: (side) => ended(side.store.trunks.claimTrial(trunk, host, leaseMs)),
  }
}

export function lookStep(walk: Walk): Step {
  const [trunk, leaseMs] = [walk.pick(TRUNKS), walk.pick([200, 6_000])]
  return {
    text: `look at ${trunk}`,
    run: (side) =>
      ended(side.store.trunks.lookAt(trunk, WINDOW_MS, leaseMs, 1_000), (view) => ({
        ...view,
        due: [...view.due].sort(),
        hosts: [...view.hosts].sort((a, b) => (a.host < b.host ? -1 : 1)),
      })),
  }
}

export function workStep(walk: Walk): Step {
  const keys = TRUNKS.filter(() => walk.chance(0.7))
  const [leaseMs, inMs] = [walk.pick([200, 6_000]), walk.pick([0, 300, 9_000])]
  const [key] = keys
  if (key === undefined || walk.chance(0.5)) {
    return { text: `claim ${keys}`, run: (side) => ended(side.store.trunks.claimWork(keys, leaseMs)) }
  }
  return { text: `plan ${key}`, run: (side) => ended(side.store.trunks.planWork(key, inMs)) }
}

export function stateStep(walk: Walk): Step {
  const [trunk, version, text] = [walk.pick(TRUNKS), walk.int(4), walk.pick(['', 'one', 'two words'])]
  if (walk.chance(0.4)) return { text: `state of ${trunk}`, run: (side) => ended(side.store.trunks.readState(trunk)) }
  return {
    text: `state of ${trunk} after ${version}: ${text}`,
    run: (side) => ended(side.store.trunks.writeState(trunk, version, text)),
  }
}
