// SPDX-License-Identifier: MIT
// How the small integers of a transaction share one 31-bit field: state 3, backoff step 3, INVITE, reliable,
// method 6, last status 10.

export const BITS = {
  STATE_MASK: 7,
  STEP_SHIFT: 3,
  STEP_MASK: 7,
  INVITE: 1 << 6,
  RELIABLE: 1 << 7,
  METHOD_SHIFT: 8,
  METHOD_MASK: 63,
  STATUS_SHIFT: 14,
  STATUS_MASK: 1023,
} as const

export const stateOf = (bits: number): number => bits & BITS.STATE_MASK
export const stepOf = (bits: number): number => (bits >>> BITS.STEP_SHIFT) & BITS.STEP_MASK
export const withStep = (bits: number, step: number): number =>
  (bits & ~(BITS.STEP_MASK << BITS.STEP_SHIFT)) | (step << BITS.STEP_SHIFT)
export const withStatus = (bits: number, status: number): number =>
  (bits & ~(BITS.STATUS_MASK << BITS.STATUS_SHIFT)) | (status << BITS.STATUS_SHIFT)
