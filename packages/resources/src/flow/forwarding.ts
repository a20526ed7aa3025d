// SPDX-License-Identifier: MIT
//
// Forwarding of a Subscriber: always, or by what became of ringing his own phones. Of calls alone: messages and subscriptions are not
// forwarded. Members of a group ring whatever forwardings they have.
import { z } from 'zod'
import { destination } from '../destination.ts'
import type { NamedResource } from '../fraud-references.ts'
import { destinationReferences } from '../planner/resolve-destination.ts'
import { wayOn } from './overflow.ts'

export const forwarding = z
  .strictObject({
    /** Instead of his own phones, which do not ring. */
    always: destination.optional(),
    busy: wayOn.optional(),
    noAnswer: z
      .strictObject({
        to: wayOn,
        /** How long his own phones ring. */
        afterMs: z.int().min(1_000).max(180_000).default(20_000),
      })
      .optional(),
    unreachable: wayOn.optional(),
  })
  .refine((spec) => Object.keys(spec).length > 0, 'expected always, busy, noAnswer or unreachable')
  .refine((spec) => spec.always === undefined || Object.keys(spec).length === 1, {
    error: 'expected always alone: beside it nothing else ever counts',
  })
export type Forwarding = z.infer<typeof forwarding>

export function* forwardingReferences(
  { always, busy, noAnswer, unreachable }: Forwarding,
  domain: string,
): Generator<NamedResource> {
  const path = 'spec.forwarding'
  if (always !== undefined) yield* destinationReferences(always, domain, `${path}.always`)
  if (busy !== undefined) yield* destinationReferences(busy, domain, `${path}.busy`)
  if (noAnswer !== undefined) yield* destinationReferences(noAnswer.to, domain, `${path}.noAnswer.to`)
  if (unreachable !== undefined) yield* destinationReferences(unreachable, domain, `${path}.unreachable`)
}
