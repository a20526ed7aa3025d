// SPDX-License-Identifier: MIT
//
// TrunkGroup: trunks that lead to the same places, and in which order they are tried. The next one is tried on the causes of
// the one that failed (Trunk `retryStatuses`).
import { z } from 'zod'
import { API_VERSION, clusterMetadata, resourceName } from '../envelope.ts'

const member = z.union(
  [
    resourceName.transform((trunk) => ({ trunk, priority: 0, weight: 1 })),
    z.strictObject({
      trunk: resourceName,
      /** Lower first. */
      priority: z.int().min(0).max(65_535).default(0),
      /** Share of the calls among those of one priority; 0: after the others. */
      weight: z.int().min(0).max(65_535).default(1),
    }),
  ],
  { error: 'expected the name of a Trunk, or {trunk, priority, weight}' },
)

export const trunkGroupSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('TrunkGroup'),
  metadata: clusterMetadata,
  spec: z.strictObject({
    trunks: z
      .array(member)
      .min(1)
      .max(32)
      .refine((list) => new Set(list.map(({ trunk }) => trunk)).size === list.length, 'expected each trunk once'),
    /**
     * Among trunks of one priority. `priority`: as they are written. `weight`: by lot. `leastCost`: the cheapest price of a minute in
     * the trunks' own rate plans, without one last. `quality`: the highest share of answered calls, then the shortest wait for ringing. `roundRobin`:
     * each call begins with the next one.
     */
    order: z.enum(['priority', 'weight', 'leastCost', 'quality', 'roundRobin']).default('priority'),
    /** Attempts of one call, hosts counted. */
    maxAttempts: z.int().min(1).max(32).default(8),
    /** `leastCost` only: what a trunk may cost more than the caller pays is not tried. */
    neverAtALoss: z.boolean().default(false),
  }),
})
export type TrunkGroup = z.infer<typeof trunkGroupSchema>
