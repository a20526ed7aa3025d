// SPDX-License-Identifier: MIT
//
// Redirect: one user of a domain whose callers are told where else to go, instead of being connected. [RFC3261-8.3]
import { z } from 'zod'
import { redirectContact } from './contact.ts'
import { API_VERSION, domainMetadata, resourceName, userName } from './envelope.ts'

const spec = z
  .strictObject({
    /** User part that is redirected; `metadata.name` unless set. */
    username: userName.optional(),
    /** 305 is for user agents alone to give [RFC3261-21.3.4]; 380 describes services that nobody here has. */
    status: z
      .literal([300, 301, 302], { error: 'expected 300, 301 or 302; 305 and 380 are not for a redirect server' })
      .default(302),
    /** Where to go; highest `q` first, then in this order. */
    contacts: z.array(redirectContact).max(32).default([]),
    /** Name of a Subscriber of the same domain, whose registered contacts follow. */
    subscriber: resourceName.optional(),
  })
  .refine((s) => s.contacts.length > 0 || s.subscriber !== undefined, {
    error: 'expected contacts, a subscriber or both: a redirect without a goal leads nowhere',
  })

export const redirectSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Redirect'),
  metadata: domainMetadata,
  spec,
})
export type Redirect = z.infer<typeof redirectSchema>
