// SPDX-License-Identifier: MIT
// Facts that come after a record was made without them: nobody had reported the end (`recovered`), or the answer, or anything at all
// (`partial`). The call is kept, and what comes late makes a correction: the whole record anew under a name of its own.
// The Redis store does the same in redis/scripts/late-facts.ts; the contract suite holds the two together.
//
// A record that says what edges reported is final: late facts change nothing of it. What was charged stays as it was charged.

import type { CallOnRecord } from '../call-record.ts'
import type { Step } from './call-machine.ts'

/** Corrections of one call, at most. */
export const MAX_CORRECTIONS = 8

/** Why a correction was made, by the event that came late. */
export const CORRECTIONS = { a: 'late_answer', e: 'late_end', f: 'late_failure' } as const
export type EventKind = keyof typeof CORRECTIONS

/** Whether its record lacks something that an edge may still tell. */
export function lacksFacts({ completeness, outcome, finalStatus }: CallOnRecord): boolean {
  return completeness !== 'complete' && (outcome === 'answered' || finalStatus === 0)
}

/** A copy of the call as it was before it was closed. */
export function reopen(call: CallOnRecord): CallOnRecord {
  const legs = call.legs.map((leg) => ({ ...leg }))
  const endedMs = legs.reduce((latest, leg) => Math.max(latest, leg.endedMs), 0)
  const state = call.answeredMs > 0 ? 'answered' : 'setup'
  return {
    ...call,
    state,
    legs,
    endedMs,
    edges: call.edges.slice(),
    finalStatus: state === 'setup' ? 0 : call.finalStatus,
  }
}

/**
 * Closes a reopened call again after `step`.
 *
 * @param before what its record says
 * @returns whether it makes a correction now; what makes none is kept with the call
 */
export function closeAgain(call: CallOnRecord, before: CallOnRecord, step: Step, event: EventKind): boolean {
  const isOver = step === 'finished'
  if (!isOver) {
    call.state = 'finished'
    call.outcome = call.answeredMs > 0 ? 'answered' : before.outcome
    call.completeness = 'partial'
  }
  if (!isOver && call.outcome === before.outcome) return false
  call.corrections = before.corrections + 1
  call.correction = CORRECTIONS[event]
  return true
}
