// SPDX-License-Identifier: MIT
//
// Which step of a plan comes after one that has failed: the next one, or where its exits lead (proto/tandem/policy/v1, Step and Exit).
// Pure: it looks at how the branches of the step went. A later step only, so that every plan ends.

import { policy } from '@tandem/rpc'
import type { ProxyBranch } from '@tandem/sip'

/** There is no step after this one. */
export const NO_STEP = -1

const { BUSY, NO_ANSWER, UNREACHABLE, FAILED } = policy.Exit_Condition

/** What became of a step. */
export interface StepOutcome {
  /** Best failure of its branches; of a step without any branch why it has none. */
  readonly status: number
  /** Of this step alone. */
  readonly branches: readonly ProxyBranch[]
}

/** @param at index of the step that has failed */
export function stepAfter(step: policy.Step, at: number, stepCount: number, outcome: StepOutcome): number {
  if (step.exits === undefined) return step.last === true ? NO_STEP : at + 1
  for (const exit of step.exits.exits) {
    if (exit.step > at && exit.step < stepCount && fits(exit, outcome)) return exit.step
  }
  return NO_STEP
}

function fits({ statuses, conditions }: policy.Exit, outcome: StepOutcome): boolean {
  return statuses.includes(outcome.status) || conditions.some((condition) => holds(condition, outcome))
}

function holds(condition: policy.Exit_Condition, { status, branches }: StepOutcome): boolean {
  switch (condition) {
    case BUSY:
      return status === 486 || status === 600
    case NO_ANSWER:
      return hasRung(branches) && (status === 408 || status === 480 || status === 487)
    case UNREACHABLE:
      return branches.every(isUnreached)
    case FAILED:
      return true
    default:
      return false
  }
}

const hasRung = (branches: readonly ProxyBranch[]): boolean => branches.some(({ provisional }) => provisional >= 180)

/** Nothing came from there, or its flow has failed. */
const isUnreached = ({ lost, provisional, final }: ProxyBranch): boolean =>
  provisional <= 100 && (lost || final === 0 || final === 408 || final === 430)
