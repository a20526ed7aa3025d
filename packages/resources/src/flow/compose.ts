// SPDX-License-Identifier: MIT
//
// Plans put together: one after another, and one where another has failed. Exits of a step are indices, so they move with it. After a step
// that has exits, or that is the last, the plan ends unless an exit fits: such steps are the open ends, where another plan is attached.
import type { PlanCondition, PlanExit, PlanReason, PlanStep } from '../plan-verdict.ts'

/** Of the wire. */
export const MAX_STEPS = 64
const MAX_EXITS = 16

/** `exits` of the step leave nothing open. */
const isClosed = ({ exits }: PlanStep): boolean =>
  exits?.some(({ conditions }) => conditions.includes('failed')) === true

function isOpenEnd(step: PlanStep, at: number, steps: readonly PlanStep[]): boolean {
  return (at === steps.length - 1 || step.exits !== undefined || step.last === true) && !isClosed(step)
}

function moved(step: PlanStep, by: number): PlanStep {
  if (step.exits === undefined || by === 0) return step
  return { ...step, exits: step.exits.map((exit) => ({ ...exit, step: exit.step + by })) }
}

/** A plan that follows, and after what. */
export interface Attached {
  readonly condition: PlanCondition
  readonly steps: readonly PlanStep[]
}

const ended = (step: PlanStep): PlanStep => (step.exits === undefined ? { ...step, last: true } : step)

/** `main`, and where one of its open ends fails, what fits of `ways`; those that do not fit into a plan are left out. */
export function attach(main: readonly PlanStep[], ways: readonly Attached[]): readonly PlanStep[] {
  const steps: PlanStep[] = [...main]
  const exits: PlanExit[] = []
  for (const { condition, steps: added } of ways) {
    if (added.length === 0 || steps.length + added.length > MAX_STEPS) continue
    exits.push({ conditions: [condition], statuses: [], step: steps.length })
    steps.push(...added.map((step) => moved(step, steps.length)))
    steps.push(ended(steps.pop() as PlanStep))
  }
  if (exits.length === 0) return main
  for (const [i, step] of main.entries()) {
    if (!isOpenEnd(step, i, main)) continue
    steps[i] = { ...step, exits: [...(step.exits ?? []), ...exits].slice(0, MAX_EXITS) }
  }
  return steps
}

/** Steps of each part, tried when the parts before it have failed; what is too much is left out. */
export function inTurn(parts: readonly (readonly PlanStep[])[]): readonly PlanStep[] {
  const steps: PlanStep[] = []
  let from = 0
  for (const part of parts) {
    if (part.length === 0 || steps.length + part.length > MAX_STEPS) continue
    const next = steps.length
    for (let i = from; i < next; i++) {
      const step = steps[i] as PlanStep
      const isPlain = step.exits === undefined && step.last !== true && step.retryStatuses.length === 0
      if (!isOpenEnd(step, i, steps) || isPlain) continue
      const exit: PlanExit = { conditions: ['failed'], statuses: [], step: next }
      steps[i] = { ...step, exits: [...(step.exits ?? []), exit].slice(-MAX_EXITS) }
    }
    steps.push(...part.map((step) => moved(step, next)))
    from = next
  }
  return steps
}

/** Further below what led to them. */
export const deeper = (reasons: readonly PlanReason[]): readonly PlanReason[] =>
  reasons.map((one) => ({ ...one, depth: (one.depth ?? 0) + 1 }))
