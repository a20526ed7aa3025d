// SPDX-License-Identifier: MIT
//
// Where a call goes on when nobody answers it: Destinations by what became of it. What is refused or redirected can't stand here: a call
// that rings already gets its final answer from those who were called.
import { z } from 'zod'
import { type Destination, destination } from '../destination.ts'
import type { NamedResource } from '../fraud-references.ts'
import { destinationReferences } from '../planner/resolve-destination.ts'

export const wayOn = destination.refine(
  ({ reject, redirect }) => reject === undefined && redirect === undefined,
  'expected a destination that can be called; a call that rings is neither refused nor redirected',
)

export const overflow = z
  .strictObject({
    /** 486 or 600. */
    busy: wayOn.optional(),
    /** It rang, and nobody answered in time. */
    noAnswer: wayOn.optional(),
    /** Nobody is registered, or nothing responds. */
    unreachable: wayOn.optional(),
    /** Any failure that none of the others is for. */
    failed: wayOn.optional(),
  })
  .refine((ways) => Object.keys(ways).length > 0, 'expected busy, noAnswer, unreachable or failed')
export type Overflow = z.infer<typeof overflow>

export const CONDITIONS = ['busy', 'noAnswer', 'unreachable', 'failed'] as const

/** Every way with the name of its field. */
export function* waysOf(ways: Overflow | undefined): Generator<readonly [(typeof CONDITIONS)[number], Destination]> {
  if (ways === undefined) return
  for (const condition of CONDITIONS) {
    const to = ways[condition]
    if (to !== undefined) yield [condition, to]
  }
}

export function* overflowReferences(
  ways: Overflow | undefined,
  domain: string,
  path: string,
): Generator<NamedResource> {
  for (const [condition, to] of waysOf(ways)) yield* destinationReferences(to, domain, `${path}.${condition}`)
}
