// SPDX-License-Identifier: MIT
//
// Destination: where a call goes that was for somebody else: one key, and what it needs. Names of users are of the domain of the
// resource in which it stands, unless they are written as NAME@DOMAIN.
import { z } from 'zod'
import { contactUri, redirectContact } from './contact.ts'
import { resourceName } from './envelope.ts'
import { e164Number } from './routing/number-pattern.ts'

const nameInDomain = z
  .string()
  .max(384)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(@[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/,
    'expected NAME or NAME@DOMAIN',
  )
  .transform((name) => name.replace(/@.*$/, (domain) => domain.toLowerCase()))

const way = z.union([
  resourceName.transform((name): { name: string; number?: string | undefined } => ({ name })),
  z.strictObject({ name: resourceName, number: e164Number.optional() }),
])

const KEYS = [
  'subscriber',
  'huntGroup',
  'callFlow',
  'number',
  'uri',
  'trunkGroup',
  'trunk',
  'redirect',
  'reject',
] as const
export type DestinationKey = (typeof KEYS)[number]

export const destination = z
  .strictObject({
    /** Name of a Subscriber. */
    subscriber: nameInDomain.optional(),
    /** Name of a HuntGroup. */
    huntGroup: nameInDomain.optional(),
    /** Name of a CallFlow. */
    callFlow: nameInDomain.optional(),
    /** Through Number and Route like one that was dialled. */
    number: e164Number.optional(),
    uri: contactUri.optional(),
    /** Name of a TrunkGroup; `number` in the place of the one that was called. */
    trunkGroup: way.optional(),
    trunk: way.optional(),
    redirect: z
      .strictObject({
        status: z.union([z.literal(300), z.literal(301), z.literal(302)]).default(302),
        contacts: z.array(redirectContact).min(1).max(32),
      })
      .optional(),
    reject: z.strictObject({ status: z.int().min(400).max(699), reason: z.string().max(128).default('') }).optional(),
  })
  .refine((d) => KEYS.filter((key) => d[key] !== undefined).length === 1, {
    error: `expected one of ${KEYS.join(', ')}`,
  })
export type Destination = z.infer<typeof destination>
