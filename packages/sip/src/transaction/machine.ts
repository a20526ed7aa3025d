// SPDX-License-Identifier: MIT
// A transaction machine as data: rows [from, event, to, actions, cite], compiled once into one integer per
// state and event. The machine only says what to do; `client-transactions.ts` and `server-transactions.ts` do it.
// Invariant: a state and event without a row means "stay and count", nothing else.
import type { TimerLetter } from './timers.ts'

export const STATE = {
  INITIAL: 0,
  CALLING: 1,
  TRYING: 2,
  PROCEEDING: 3,
  ACCEPTED: 4,
  COMPLETED: 5,
  CONFIRMED: 6,
  TERMINATED: 7,
} as const

export type StateName = keyof typeof STATE

export const EVENT = {
  START: 0,
  REQUEST: 1,
  ACK: 2,
  TU_100: 3,
  TU_101_199: 4,
  TU_2XX: 5,
  TU_300_699: 6,
  TU_408: 7,
  RX_1XX: 8,
  RX_2XX: 9,
  RX_300_699: 10,
  TRANSPORT_ERROR: 11,
  TIMER_A: 12,
  TIMER_B: 13,
  TIMER_D: 14,
  TIMER_E: 15,
  TIMER_F: 16,
  TIMER_G: 17,
  TIMER_H: 18,
  TIMER_I: 19,
  TIMER_J: 20,
  TIMER_K: 21,
  TIMER_L: 22,
  TIMER_M: 23,
} as const

export type EventName = keyof typeof EVENT

/** Each machine has at most four timers; a letter is one slot of its machine and never shares it. */
export const TIMER_SLOTS = 4
/** A, E and G lie in slot 0 of their machines. */
export const RETRANSMIT_SLOT = 0

/** What a row asks for. Bits 8 to 11 start the timer of a slot, bits 12 to 15 stop it. */
export const ACTION = {
  NONE: 0,
  /** Send the message that the transaction user gave. */
  SEND: 1 << 0,
  /** Send the kept message again (nothing is sent while nothing is kept). */
  RESEND: 1 << 1,
  /** Build the ACK of a failure, send it, and keep it instead of the INVITE. */
  ACK: 1 << 2,
  /** Keep a copy of the message that the user gave, instead of what was kept before. */
  KEEP: 1 << 3,
  /** Forget the kept message. */
  DROP: 1 << 4,
  /** Pass the received message up. */
  TO_TU: 1 << 5,
  /** Tell the user that nobody answered. */
  TIMEOUT: 1 << 6,
  /** Tell the user that the transport failed. */
  TRANSPORT: 1 << 7,
  /** Start the retransmission timer again with its next, doubled interval. */
  RESTART: 1 << 16,
  /** Start the retransmission timer again with T2. */
  RESTART_T2: 1 << 17,
} as const

export const START_SHIFT = 8
export const STOP_SHIFT = 12
export const startSlot = (slot: number): number => 1 << (START_SHIFT + slot)
export const stopSlot = (slot: number): number => 1 << (STOP_SHIFT + slot)

export type Row = readonly [from: StateName, event: EventName, to: StateName, actions: number, cite: string]

export interface Machine {
  readonly name: string
  /** Letters by slot. */
  readonly timers: readonly TimerLetter[]
  readonly states: readonly StateName[]
  readonly rows: readonly Row[]
}

export interface CompiledMachine {
  readonly machine: Machine
  /** `table[state << 5 | event]`: 0 for no row, else ROW | to << 24 | actions. */
  readonly table: Uint32Array
  /** Event number of each slot's timer. */
  readonly timerEvents: readonly number[]
}

export const EVENT_BITS = 5
export const ROW = 1 << 30
export const TO_SHIFT = 24
export const ACTION_MASK = (1 << TO_SHIFT) - 1

export const compileMachine = (machine: Machine): CompiledMachine => {
  const table = new Uint32Array(8 << EVENT_BITS)
  for (const [from, event, to, actions] of machine.rows) {
    table[(STATE[from] << EVENT_BITS) | EVENT[event]] = ROW | (STATE[to] << TO_SHIFT) | actions
  }
  return { machine, table, timerEvents: machine.timers.map((letter) => EVENT[`TIMER_${letter}`]) }
}

const ACTION_NAMES: readonly (readonly [number, string])[] = [
  [ACTION.SEND, 'send'],
  [ACTION.RESEND, 'send again'],
  [ACTION.ACK, 'send ACK'],
  [ACTION.KEEP, 'keep'],
  [ACTION.DROP, 'forget'],
  [ACTION.TO_TU, 'pass up'],
  [ACTION.TIMEOUT, 'report timeout'],
  [ACTION.TRANSPORT, 'report transport error'],
]

/** The actions of a row in words, for the generated page. */
export const actionWords = (machine: Machine, actions: number): string[] => {
  const words = ACTION_NAMES.filter(([bit]) => (actions & bit) !== 0).map(([, word]) => word)
  machine.timers.forEach((letter, slot) => {
    if ((actions & stopSlot(slot)) !== 0) words.push(`stop ${letter}`)
    if ((actions & startSlot(slot)) !== 0) words.push(`start ${letter}`)
  })
  if ((actions & ACTION.RESTART) !== 0) words.push(`start ${machine.timers[RETRANSMIT_SLOT]} doubled`)
  if ((actions & ACTION.RESTART_T2) !== 0) words.push(`start ${machine.timers[RETRANSMIT_SLOT]} with T2`)
  return words
}
