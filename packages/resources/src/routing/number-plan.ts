// SPDX-License-Identifier: MIT
//
// NumberPlan: how people of a country, or behind one PBX, dial, and which numbers are for emergencies. A Domain names one in
// `numberPlan`. Emergency numbers have a way of their own: a call to one asks for no credentials beyond being of ours, for no balance, and is stopped by
// no list and no rule.
import { z } from 'zod'
import { API_VERSION, clusterMetadata, resourceName } from '../envelope.ts'
import { numberPlan } from '../phone-number.ts'

const emergency = z
  .strictObject({
    /** As they are dialled: `112`. */
    numbers: z
      .array(z.string().regex(/^[0-9]{2,8}$/, 'expected two to eight digits, such as 112'))
      .min(1)
      .max(64)
      .refine((list) => new Set(list).size === list.length, 'expected each number once'),
    /** Which way they go: one of the two. */
    trunkGroup: resourceName.optional(),
    trunk: resourceName.optional(),
  })
  .refine(({ trunkGroup, trunk }) => (trunkGroup === undefined) !== (trunk === undefined), {
    error: 'expected either trunkGroup or trunk',
  })

export const numberPlanSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('NumberPlan'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      ...numberPlan.shape,
      emergency: emergency.optional(),
    })
    .refine(({ national, international }) => national !== international, {
      error: 'expected another prefix than international',
      path: ['national'],
    }),
})
export type NumberPlanResource = z.infer<typeof numberPlanSchema>
