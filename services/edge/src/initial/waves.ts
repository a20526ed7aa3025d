// SPDX-License-Identifier: MIT
//
// Waves (proto/tandem/policy/v1, Step.wave_size): groups of a step that join those that ring already, each after the ring time of the one
// before it. A branch rings from its own wave to the end of the last one.
//
// Invariant: those that ring together share the Max-Breadth of the request [RFC5393-5.3.3]: each wave leaves their part to those that are
// to come. Race: where all that ring have failed the next wave comes at once, and the time of the last one counts for nothing.

import type { policy } from '@tandem/rpc'
import type { ProxyContext } from '@tandem/sip'
import type { TargetQueue } from './target-queue.ts'
import type { Candidate } from './targets.ts'

/** Targets of a wave; 0: the step has none. */
export const waveSizeOf = ({ waveSize = 0 }: policy.Step): number => waveSize

export class Waves {
  /** Of the last one that has begun to ring. */
  private number = 0

  /** @returns their share of what is free */
  begin(group: readonly Candidate[], waiting: number, free: number): number {
    this.number += 1
    for (const candidate of group) candidate.wave = this.number
    return Math.max(group.length, Math.floor((free * group.length) / (group.length + waiting)))
  }

  /** Others of the same wave may have said so before, or a later one has begun since. */
  isLast(candidate: Candidate | undefined): boolean {
    return candidate?.wave === this.number
  }
}

/** What those that ring, or are about to, leave of Max-Breadth. */
export function freeBreadth(
  breadth: number,
  { branches }: ProxyContext,
  { sent }: TargetQueue,
  planned: readonly Candidate[],
): number {
  let left = breadth
  for (const [k, one] of sent.entries()) if (branches[k]?.final === 0) left -= one.breadth
  for (const one of planned) left -= one.breadth
  return Math.max(0, left)
}
