// SPDX-License-Identifier: MIT
//
// Trunk: a carrier or PBX reached by address. Validated and listed; no plan names a trunk yet, so a number that matches
// no user of the domain gets 404 and no call leaves the cluster through it.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, hostName } from './envelope.ts'

const trunkHost = z.strictObject({
  host: hostName,
  /** Unset: found by RFC 3263. */
  port: z.int().min(1).max(65_535).optional(),
  transport: z.enum(['udp', 'tcp']).default('udp'),
})

export const trunkSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Trunk'),
  metadata: clusterMetadata,
  spec: z.strictObject({ hosts: z.array(trunkHost).min(1).max(32) }),
})
export type Trunk = z.infer<typeof trunkSchema>
