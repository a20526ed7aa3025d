// SPDX-License-Identifier: MIT
//
// HuntGroup: one user of a domain that rings several others, all at once, one after another, by turn, by lot, by who has been idle longest, or in
// waves, and goes on elsewhere when nobody answers. Members may log in and out.
import { z } from 'zod'
import { destination } from './destination.ts'
import { API_VERSION, domainMetadata, resourceName, userName } from './envelope.ts'
import { overflow, overflowReferences } from './flow/overflow.ts'
import type { NamedResource } from './fraud-references.ts'
import { destinationReferences } from './planner/resolve-destination.ts'

const ringMs = z.int().min(1_000).max(180_000)

const described = z.strictObject({
  /** Subscriber, hunt group, number or URI. */
  to: destination.refine(
    ({ subscriber, huntGroup, number, uri }) => (subscriber ?? huntGroup ?? number ?? uri) !== undefined,
    'expected a member by subscriber, huntGroup, number or uri',
  ),
  /** For `weighted`: how often it comes first, beside the others. */
  weight: z.int().min(0).max(1_000).default(1),
  /** How long this one rings where it rings alone. */
  ringMs: ringMs.optional(),
})

/** A name is a Subscriber of the same domain. */
const member = z.union([resourceName, described], {
  error: 'expected the name of a Subscriber, or an object with `to`',
})
export type HuntGroupMember = z.infer<typeof member>

const STRATEGIES = ['ring-all', 'sequential', 'round-robin', 'random', 'weighted', 'longest-idle', 'waves'] as const

const textOf = (one: HuntGroupMember): string =>
  typeof one === 'string' ? JSON.stringify({ subscriber: one }) : JSON.stringify(one.to)

export const huntGroupSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('HuntGroup'),
  metadata: domainMetadata,
  spec: z
    .strictObject({
      /** User part that reaches the group; `metadata.name` unless set. */
      username: userName.optional(),
      /** Name of the Account that pays for members and overflow that are reached by a trunk; unset: that of the domain. */
      account: resourceName.optional(),
      strategy: z.enum(STRATEGIES).default('ring-all'),
      members: z
        .array(member)
        .min(1)
        .max(100)
        .refine((list) => new Set(list.map(textOf)).size === list.length, 'expected each member once'),
      /** Subscribers ring only while they are logged in: by feature code, by the API or by `tandem group`. */
      login: z.boolean().default(false),
      /** How long each step rings: all at once, one member, or one wave; unset leaves the proxy's Timer C. */
      ringMs: ringMs.optional(),
      /** Members of a wave; each wave rings together with those before it. */
      waveSize: z.int().min(1).max(100).optional(),
      /** How often the whole is done: keeps ringing one, or goes round. */
      rounds: z.int().min(1).max(20).default(1),
      /** Where the call goes when the last round is over. */
      overflow: overflow.optional(),
    })
    .refine(({ strategy, waveSize }) => (strategy === 'waves') === (waveSize !== undefined), {
      error: 'expected waveSize with the strategy waves, and with no other',
    })
    .refine(({ strategy, ringMs: all, rounds, members }) => {
      const needs = rounds > 1 || (strategy !== 'ring-all' && members.length > 1)
      const each = (one: HuntGroupMember) => typeof one !== 'string' && one.ringMs !== undefined
      return !needs || all !== undefined || (strategy !== 'waves' && members.every(each))
    }, 'expected ringMs: without it the first of them would ring for ever'),
})
export type HuntGroup = z.infer<typeof huntGroupSchema>

export function* huntGroupReferences({ metadata: { domain }, spec }: HuntGroup): Generator<NamedResource> {
  for (const [i, one] of spec.members.entries()) {
    if (typeof one === 'string') yield { key: `Subscriber/${domain}/${one}`, path: `spec.members[${i}]` }
    else yield* destinationReferences(one.to, domain, `spec.members[${i}].to`)
  }
  yield* overflowReferences(spec.overflow, domain, 'spec.overflow')
}
