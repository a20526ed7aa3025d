// SPDX-License-Identifier: MIT
//
// In which order members of a group ring.
import { byLot } from '../routing/trunk-order.ts'

export interface Weighted {
  readonly weight: number
}

/** @param turn how many calls have taken a turn before */
export function byTurn<T>(members: readonly T[], turn: number): readonly T[] {
  const at = turn % members.length
  return at === 0 ? members : [...members.slice(at), ...members.slice(0, at)]
}

/** @param draw 0 <= draw < 1, of the call */
export const atRandom = <T>(members: readonly T[], draw: number): readonly T[] =>
  byLot(
    members.map((member) => ({ member, weight: 1 })),
    draw,
  ).map(({ member }) => member)

/** Those of weight 0 come last, as written. */
export const byWeight = <T extends Weighted>(members: readonly T[], draw: number): readonly T[] => byLot(members, draw)
