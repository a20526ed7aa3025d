// SPDX-License-Identifier: MIT
// Which timer list each timer of a machine goes to, worked out once: by slot, by transport, and by backoff step.
import { ACTION, type CompiledMachine, RETRANSMIT_SLOT, START_SHIFT, STOP_SHIFT, TIMER_SLOTS } from './machine.ts'
import type { TimerLists } from './timer-lists.ts'
import {
  backoffMs,
  MAX_BACKOFF_STEP,
  RETRANSMIT_TIMERS,
  type TimerLetter,
  type TimerValues,
  timerLengthMs,
} from './timers.ts'
import { BITS, stepOf, withStep } from './transaction-bits.ts'

/** The timer does not exist over a reliable transport. */
const NEVER = -1
/** The timer lasts zero: it fires as soon as the event that started it is done. */
const ZERO = -2

export interface TimerPlan {
  /** List, NEVER or ZERO of each slot; the second half is for reliable transports. */
  readonly starts: readonly number[]
  /** List of each interval of the retransmission timer. */
  readonly steps: readonly number[]
  readonly t2: number
}

export interface Timed {
  readonly id: number
  bits: number
}

/** Every length that this machine's timers can have. */
export const timerLengths = ({ machine }: CompiledMachine, values: TimerValues): number[] => {
  const lengths = machine.timers.flatMap((letter) => [
    timerLengthMs(letter, values, false),
    timerLengthMs(letter, values, true),
  ])
  for (let step = 0; step <= MAX_BACKOFF_STEP; step++) {
    for (const letter of machine.timers) if (isRetransmit(letter)) lengths.push(backoffMs(letter, values, step))
  }
  return [...lengths, values.t2Ms].filter((length) => length > 0)
}

export const planTimers = ({ machine }: CompiledMachine, values: TimerValues, lists: TimerLists): TimerPlan => {
  const starts: number[] = new Array(2 * TIMER_SLOTS).fill(NEVER)
  machine.timers.forEach((letter, slot) => {
    starts[slot] = listOf(lists, timerLengthMs(letter, values, false))
    if (isRetransmit(letter)) return
    starts[TIMER_SLOTS + slot] = listOf(lists, timerLengthMs(letter, values, true))
  })
  const letter = machine.timers[RETRANSMIT_SLOT]
  const steps: number[] = []
  for (let step = 0; step <= MAX_BACKOFF_STEP && letter !== undefined && isRetransmit(letter); step++) {
    steps.push(lists.listOf(backoffMs(letter, values, step)))
  }
  return { starts, steps, t2: lists.listOf(values.t2Ms) }
}

const isRetransmit = (letter: TimerLetter): boolean => RETRANSMIT_TIMERS.includes(letter)

const listOf = (lists: TimerLists, length: number): number => (length === 0 ? ZERO : lists.listOf(length))

/** Carries out the timer part of a row; gives the slot of a timer that lasts zero, else -1. */
export const applyTimers = (lists: TimerLists, plan: TimerPlan, tx: Timed, actions: number): number => {
  const offset = (tx.bits & BITS.RELIABLE) !== 0 ? TIMER_SLOTS : 0
  let zero = -1
  for (let slot = 0; slot < TIMER_SLOTS; slot++) {
    if ((actions & (1 << (STOP_SHIFT + slot))) !== 0) lists.stop(tx.id, slot)
    if ((actions & (1 << (START_SHIFT + slot))) === 0) continue
    const list = plan.starts[offset + slot] as number
    if (list >= 0) lists.start(tx.id, slot, list)
    else if (list === ZERO) zero = slot
  }
  if ((actions & ACTION.RESTART) !== 0) restart(lists, plan, tx)
  if ((actions & ACTION.RESTART_T2) !== 0) lists.start(tx.id, RETRANSMIT_SLOT, plan.t2)
  return zero
}

const restart = (lists: TimerLists, plan: TimerPlan, tx: Timed): void => {
  const step = Math.min(stepOf(tx.bits) + 1, MAX_BACKOFF_STEP)
  tx.bits = withStep(tx.bits, step)
  lists.start(tx.id, RETRANSMIT_SLOT, plan.steps[step] as number)
}
