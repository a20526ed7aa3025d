// SPDX-License-Identifier: MIT
//
// Contacts that an operator writes down: where somebody is reached without registering, or is sent to by a redirect.
import { z } from 'zod'

/** A SIP or SIPS URI with a host; nothing that could end a name-addr or a header line. [RFC3261-19.1.1] */
const SIP_URI =
  /^sips?:([^\s@<>",\\?]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:\d{1,5})?(;[^\s<>",\\?]+)?$/i

export const contactUri = z
  .string()
  .max(512)
  .regex(SIP_URI, 'expected a SIP URI without headers, such as sip:1000@192.0.2.10:5080;transport=tcp')

/** Preference from 0 to 1 with up to three decimals, as in a Contact. [RFC3261-20.10] */
const preference = z
  .number()
  .min(0)
  .max(1)
  .refine((q) => Math.abs(q * 1000 - Math.round(q * 1000)) < 1e-9, 'expected at most three decimals')

export const redirectContact = z.strictObject({ uri: contactUri, q: preference.optional() })

export const staticContact = z.strictObject({
  uri: contactUri,
  q: preference.optional(),
  /** Proxies to pass on the way, nearest first. [RFC3327-5.4] */
  path: z.array(contactUri).max(8).optional(),
})

/** User part of a URI that `contactUri` took, '' for none. */
export const contactUser = (uri: string): string => /^sips?:([^@]*)@/i.exec(uri)?.[1] ?? ''

/** Host of a URI that `contactUri` took, lower case, without port. */
export function contactHost(uri: string): string {
  const rest = uri.slice(uri.indexOf(':') + 1).replace(/^[^@]*@/, '')
  return (/^(\[[^\]]*\]|[^:;]*)/.exec(rest)?.[0] ?? '').toLowerCase()
}

/** `q` in thousandths. */
export const milliOf = (q: number): number => Math.round(q * 1000)
