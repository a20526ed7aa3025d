// SPDX-License-Identifier: MIT
//
// `edge.locationCache`: bindings that an edge keeps.
import { z } from 'zod'
import { durationMs } from './values.ts'

export const locationCache = z
  .strictObject({
    mode: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'Whether the edge keeps bindings that it was told. `auto`: yes, unless location runs in the same process over the embedded store, where asking it is a function call.',
      ),
    maxEntries: z.int().min(1).max(10_000_000).default(50_000).describe('Addresses-of-record kept, at most.'),
    maxBytes: z
      .int()
      .min(65_536)
      .max(1 << 30)
      .default(33_554_432)
      .describe('Their size (estimated), at most. The one used longest ago goes first.'),
    maxAgeMs: durationMs(1_000, 86_400_000)
      .default(300_000)
      .describe(
        'What is kept is asked for again after this, though nothing changed: a bound for what is not told, as contacts by configuration that differ between location nodes.',
      ),
  })
  .prefault({})
