// SPDX-License-Identifier: MIT
//
// BlockList: calls that are not put through, by who is called or who calls. A call is stopped where it is in the list's
// direction and scope, and fits each of `callees` and `callers` that the list has. Emergency calls are never stopped.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, hostName, resourceName } from '../envelope.ts'
import { numberPattern } from './number-pattern.ts'

const patterns = z.array(numberPattern).max(10_000).default([])
const lists = z.array(resourceName).max(32).default([])

const subscriberName = z
  .string()
  .max(384)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*@[^@\s]+$/, 'expected NAME@DOMAIN of a Subscriber')

const callees = z
  .strictObject({
    /** Numbers in E.164 where the caller's number plan gives it, else as dialled. */
    patterns,
    /** Names of NumberLists. */
    lists,
    /** But not these. */
    except: patterns,
  })
  .refine((c) => c.patterns.length + c.lists.length > 0, 'expected patterns or lists')

const callers = z
  .strictObject({
    patterns,
    lists,
    /** `sip:user@host`, or a host for all its users. */
    addresses: z.array(z.string().min(1).max(384)).max(10_000).default([]),
    /** Who shows no number and no name. */
    anonymous: z.boolean().default(false),
    except: patterns,
  })
  .refine((c) => c.patterns.length + c.lists.length + c.addresses.length > 0 || c.anonymous, {
    error: 'expected patterns, lists, addresses or anonymous',
  })

export const blockListSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('BlockList'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      /** `outbound`: calls of our users to anywhere. `inbound`: calls to our users by anybody. */
      direction: z.enum(['inbound', 'outbound', 'both']),
      /** Whose calls; neither: everybody's. */
      domains: z.array(hostName).max(256).default([]),
      subscribers: z.array(subscriberName).max(10_000).default([]),
      callees: callees.optional(),
      callers: callers.optional(),
      status: z.int().min(400).max(699).default(403),
      reason: z.string().max(128).default(''),
    })
    .refine((spec) => spec.callees !== undefined || spec.callers !== undefined, 'expected callees, callers or both'),
})
export type BlockList = z.infer<typeof blockListSchema>
