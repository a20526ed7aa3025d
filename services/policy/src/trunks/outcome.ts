// SPDX-License-Identifier: MIT
//
// What the end of an attempt says of the trunk: for its breaker, and for the ratios that it is judged by (ITU-T E.425). ASR counts answers; NER counts
// everything in which the network did its part, whatever the callee then did. An attempt that the caller gave up says neither.
import type { policy } from '@tandem/rpc'
import type { AttemptEnd, AttemptHealth } from '@tandem/store'

export type AttemptVerdict = Pick<AttemptEnd, 'keeps' | 'seized' | 'answered' | 'effective' | 'pddMs' | 'health'>

/** The far network works; what came is the callee's doing. */
const CALLEES: ReadonlySet<number> = new Set([404, 410, 480, 484, 486, 487, 488, 600, 603, 604, 606, 607, 608])
/** 5xx that say something of the request and not of the trunk. */
const REQUESTS: ReadonlySet<number> = new Set([501, 505, 513, 555, 580])

function healthOf(status: number, lost: boolean): AttemptHealth {
  if (lost || status === 0) return 'bad'
  if (status >= 200 && status < 300) return 'good'
  if (CALLEES.has(status)) return 'good'
  return status >= 500 && status < 600 && !REQUESTS.has(status) ? 'bad' : 'neutral'
}

export function judgeAttempt({ status, lost, cancelled, pddMs }: policy.TrunkAttemptEnd): AttemptVerdict {
  const answered = status >= 200 && status < 300
  if (cancelled && !answered) {
    return { keeps: false, seized: false, answered: false, effective: false, pddMs, health: 'neutral' }
  }
  const effective = !lost && ((status >= 200 && status < 400) || CALLEES.has(status))
  return { keeps: answered, seized: true, answered, effective, pddMs, health: healthOf(status, lost) }
}

/** Who answers OPTIONS at all is there, unless it says that it can't. */
export const isAlive = (status: number): boolean =>
  status > 0 && status !== 408 && !(status >= 500 && !REQUESTS.has(status))
