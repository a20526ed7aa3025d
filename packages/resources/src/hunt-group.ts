// SPDX-License-Identifier: MIT
//
// HuntGroup: one user of a domain that rings several subscribers. Planned: `ring-all`, all members in one step.
import { z } from 'zod'
import { API_VERSION, domainMetadata, resourceName, userName } from './envelope.ts'

export const huntGroupSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('HuntGroup'),
  metadata: domainMetadata,
  spec: z.strictObject({
    /** User part that reaches the group; `metadata.name` unless set. */
    username: userName.optional(),
    strategy: z.literal('ring-all').default('ring-all'),
    /** Names of Subscribers of the same domain. */
    members: z
      .array(resourceName)
      .min(1)
      .max(100)
      .refine((list) => new Set(list).size === list.length, 'expected each member once'),
    /** How long the group rings; unset leaves the proxy's Timer C. */
    ringMs: z.int().min(1_000).max(180_000).optional(),
  }),
})
export type HuntGroup = z.infer<typeof huntGroupSchema>
