// SPDX-License-Identifier: MIT
// The timer values of RFC 3261 table 4 with Timers L and M of RFC 6026 §8.11, by letter.
// Leaves out Timer C, which is the proxy core's (§16.6 item 11). All values are milliseconds.

export interface TimerValues {
  /** Estimate of the round-trip time; the first retransmission interval. */
  readonly t1Ms: number
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses. */
  readonly t2Ms: number
  /** Longest time that a message stays in the network. */
  readonly t4Ms: number
  /** Timer D over unreliable transports: at least 32 s whatever T1 is. [RFC3261-17.1.1.2] */
  readonly dMs: number
}

export const DEFAULT_TIMERS: TimerValues = { t1Ms: 500, t2Ms: 4000, t4Ms: 5000, dMs: 32_000 }

export type TimerLetter = 'A' | 'B' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M'

/** Timers that resend: they exist over unreliable transports only. */
export const RETRANSMIT_TIMERS: readonly TimerLetter[] = ['A', 'E', 'G']

/** Length of a timer at its first start; for A, E and G the length of the first interval. */
export const timerLengthMs = (letter: TimerLetter, values: TimerValues, reliable: boolean): number => {
  switch (letter) {
    case 'A':
    case 'E':
    case 'G':
      return values.t1Ms
    case 'D':
      return reliable ? 0 : values.dMs
    case 'I':
    case 'K':
      return reliable ? 0 : values.t4Ms
    case 'J':
      return reliable ? 0 : 64 * values.t1Ms
    default:
      return 64 * values.t1Ms // B, F, H, L, M: the same over every transport
  }
}

/** Interval number `step` (0 is the first) of A, E or G: A doubles without a cap, E and G stop at T2. */
export const backoffMs = (letter: TimerLetter, values: TimerValues, step: number): number => {
  const doubled = values.t1Ms * 2 ** step
  return letter === 'A' ? doubled : Math.min(doubled, values.t2Ms)
}

/** Intervals beyond this step are all equal or lie behind Timer B. */
export const MAX_BACKOFF_STEP = 7
