// SPDX-License-Identifier: MIT
//
// `policy.trunks`: how trunks are counted and judged.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const policyTrunks = z.strictObject({
  withoutStore: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .describe(
      'While the store can not say whether a trunk with `maxCalls` or `callsPerSecond` has room: the attempt is refused and the next trunk is tried, or it goes on uncounted.',
    ),
  qualityWindowMs: durationMs(60_000, 86_400_000)
    .default(900_000)
    .describe('Attempts and calls of this long make up the quality of a trunk (ASR, NER, ACD, PDD).'),
})
