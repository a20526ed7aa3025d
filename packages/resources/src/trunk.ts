// SPDX-License-Identifier: MIT
//
// Trunk: a carrier or PBX reached by address. No plan chooses a trunk by number yet; it says whom to trust: what comes from
// a trusted trunk is believed, and what is relayed to its hosts may carry identities that are private. [RFC3325-5]
// One that is not trusted may still be let in by its address or certificate; what it says of callers is then not believed.
import { z } from 'zod'
import { sourceRange } from './addresses.ts'
import { API_VERSION, clusterMetadata, hostName } from './envelope.ts'

const trunkHost = z.strictObject({
  host: hostName,
  /** Unset: found by RFC 3263. */
  port: z.int().min(1).max(65_535).optional(),
  /** tls: its requests are known by the certificate of their connection, which must prove the host, and not by their address. */
  transport: z.enum(['udp', 'tcp', 'tls']).default('udp'),
})

export const trunkSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Trunk'),
  metadata: clusterMetadata,
  spec: z.strictObject({
    hosts: z.array(trunkHost).min(1).max(32),
    /** Within the trust domain, in both directions. */
    trusted: z.boolean().default(false),
    /** Where its requests come from, besides those of `hosts` that are addresses. */
    sources: z.array(sourceRange).max(256).default([]),
    /** Its calls into our domains need no credentials; unset: where it is trusted. */
    inbound: z.enum(['allow', 'refuse']).optional(),
  }),
})
export type Trunk = z.infer<typeof trunkSchema>
