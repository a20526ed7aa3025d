// SPDX-License-Identifier: MIT
//
// Number: a telephone number of ours, or a pattern of such, and where its calls go. Reached by every way: from trunks, from
// users of any domain, from strangers whom the domain lets in.
import { z } from 'zod'
import { destination } from '../destination.ts'
import { API_VERSION, clusterMetadata, hostName, resourceName } from '../envelope.ts'
import { e164Number, numberPattern } from './number-pattern.ts'

export const numberSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Number'),
  metadata: clusterMetadata,
  spec: z
    .strictObject({
      /** In E.164. */
      number: e164Number.optional(),
      /** Several: `+4930123xxx`, or `+4930123*` with whatever is dialled behind. */
      pattern: numberPattern.optional(),
      /** Name of the Domain to which it belongs: names in `to` are of this domain. */
      domain: hostName,
      to: destination,
      /** Names of Trunks: only calls that come by them reach it; unset: all. */
      trunks: z.array(resourceName).min(1).max(64).optional(),
    })
    .refine(({ number, pattern }) => (number === undefined) !== (pattern === undefined), {
      error: 'expected either number or pattern',
    }),
})
export type PhoneNumberResource = z.infer<typeof numberSchema>
