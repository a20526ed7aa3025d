// SPDX-License-Identifier: MIT
//
// A key ring, as the cluster file or a file of its own has it.
import { z } from 'zod'

export const keyRingSchema = z
  .array(
    z.strictObject({
      id: z.int().min(0).max(255).describe('Key id, carried by branches, tokens and nonces.'),
      secret: z.string().min(16).describe('At least 16 characters; the same on every node.'),
    }),
  )
  .min(1)
  .max(8)
  .refine((keys) => new Set(keys.map((key) => key.id)).size === keys.length, 'expected distinct key ids')
