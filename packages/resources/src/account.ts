// SPDX-License-Identifier: MIT
//
// Account: who answers for the calls of its subscribers. Today its name stands in call records; balances and charging
// are not part of this version, and the schema has no keys for them, so that nobody relies on a limit that is not kept.
import { z } from 'zod'
import { API_VERSION, clusterMetadata } from './envelope.ts'

export const accountSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Account'),
  metadata: clusterMetadata,
  spec: z.strictObject({ description: z.string().max(512).optional() }).prefault({}),
})
export type Account = z.infer<typeof accountSchema>
