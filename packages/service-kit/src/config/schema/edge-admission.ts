// SPDX-License-Identifier: MIT
//
// `edge.admission`: what an edge does when more is asked than the cluster can do.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const admission = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Limit new requests while their latency is above the target; without it only the bounds refuse.'),
    targetLatencyMs: durationMs(5, 10_000)
      .default(100)
      .describe(
        'Time from the arrival of a request that begins something to its answer or decision, above which less is let in. Well above what policy and the store take without load, and below T1 (500 ms), after which UDP phones repeat.',
      ),
    minRatePerSecond: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(200)
      .describe('Requests a second that an edge lets in however long they take.'),
    maxRatePerSecond: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(100_000)
      .describe('The most that it lets in while it limits.'),
    retryAfterSpreadMs: durationMs(0, 600_000)
      .default(4_000)
      .describe('Retry-After of the first who are refused: from 1 s to so much more, by chance, in whole seconds.'),
    retryAfterMaxMs: durationMs(1_000, 3_600_000)
      .default(600_000)
      .describe('Longest Retry-After, however many are to come back.'),
    emergencyNumbers: z
      .array(z.string().regex(/^\+?[0-9*#]{2,16}$/, 'expected a number as it is dialled'))
      .max(100)
      .default(['112', '911', '999', '000'])
      .describe('User parts of Request-URIs, and tel numbers, that are never refused; as is urn:service:sos.'),
    trustedSources: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .max(1_000)
      .default([])
      .describe('Networks whose Resource-Priority (RFC 4412) is believed: such requests are never refused either.'),
    resourcePriorities: z
      .array(z.string().regex(/^[a-z0-9-]{1,32}$/, 'expected a namespace in lower case'))
      .max(100)
      .default(['esnet', 'ets', 'wps'])
      .describe('Namespaces of Resource-Priority that count.'),
  })
  .prefault({})
