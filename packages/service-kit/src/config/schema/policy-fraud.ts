// SPDX-License-Identifier: MIT
//
// `policy.fraud`: how rules against fraud are carried out.
import { z } from 'zod'

export const policyFraud = z.strictObject({
  dryRun: z
    .boolean()
    .default(false)
    .describe('Rules against fraud make events only: none refuses, blocks or ends anything.'),
  withoutStore: z
    .enum(['refuse', 'admit'])
    .default('refuse')
    .describe(
      'A call whose counters the store does not answer for: 503, or it goes on without them. What an account holds is always refused.',
    ),
  emergencyNumbers: z
    .array(z.string().regex(/^[0-9]{2,8}$/, 'expected digits'))
    .max(64)
    .default(['112', '911'])
    .describe('Numbers as they are dialled that no rule, no block and no balance stops, and nothing is charged for.'),
})
