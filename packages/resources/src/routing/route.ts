// SPDX-License-Identifier: MIT
//
// Route: numbers outside → the trunks that lead there. Of the routes that fit a call the one with the longest match counts; then the
// lowest `priority`; then the one with more conditions (caller, then schedule); then the name that comes first.
// Without `from` it is for users of ours alone: what comes by a trunk goes out by one only where a route names that trunk.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, hostName, resourceName } from '../envelope.ts'
import { numberPattern, numberPrefix } from './number-pattern.ts'

const labelValue = z.string().max(256)

const from = z
  .strictObject({
    /** Names of Domains: their users. */
    domains: z.array(hostName).min(1).max(256).optional(),
    /** Labels that the caller's Subscriber has, all of them. */
    labels: z
      .record(z.string().max(128), labelValue)
      .refine((labels) => Object.keys(labels).length > 0, 'expected a label')
      .optional(),
    /** Names of Trunks: calls that come by them. */
    trunks: z.array(resourceName).min(1).max(256).optional(),
  })
  .refine((c) => c.domains !== undefined || c.labels !== undefined || c.trunks !== undefined, {
    error: 'expected domains, labels or trunks',
  })
  .refine((c) => c.trunks === undefined || (c.domains === undefined && c.labels === undefined), {
    error: 'expected either trunks, or domains and labels: a call comes by a trunk or from a user',
  })

const WAYS = ['trunkGroup', 'trunk', 'reject'] as const

export const routeSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Route'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      /** The first digits, in E.164 where the caller's number plan gives it, else as dialled; `*`: all numbers. */
      prefix: numberPrefix.optional(),
      /** The whole number, with x, [2-9] and * at the end. */
      pattern: numberPattern.optional(),
      from: from.optional(),
      /** Name of a Schedule in whose hours it counts. */
      schedule: resourceName.optional(),
      /** Lower first. */
      priority: z.int().min(0).max(65_535).default(100),
      trunkGroup: resourceName.optional(),
      trunk: resourceName.optional(),
      reject: z.strictObject({ status: z.int().min(400).max(699), reason: z.string().max(128).default('') }).optional(),
      /** Name of a HeaderPolicy for what goes this way. */
      headerPolicy: resourceName.optional(),
    })
    .refine(({ prefix, pattern }) => (prefix === undefined) !== (pattern === undefined), {
      error: 'expected either prefix or pattern',
    })
    .refine((spec) => WAYS.filter((way) => spec[way] !== undefined).length === 1, {
      error: 'expected one of trunkGroup, trunk and reject',
    }),
})
export type Route = z.infer<typeof routeSchema>
