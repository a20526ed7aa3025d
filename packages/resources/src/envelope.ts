// SPDX-License-Identifier: MIT
//
// What all resources have in common: `apiVersion: tandem/v1`, `kind`, `metadata{name, domain, labels}`, `spec`.
// Every object is strict: an unknown key is refused, so that a misspelt setting never goes unnoticed.
import { z } from 'zod'

export const API_VERSION = 'tandem/v1'

/** Names of resources: what fits in a file name, a label and a URL alike. */
export const resourceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected a name of letters, digits, ".", "_" and "-"')

/** A host as it may stand in a SIP URI: a domain name, an IPv4 address, or an IPv6 address in brackets; lower case. */
export const hostName = z
  .string()
  .max(253)
  .regex(/^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/, 'expected a host name or an IP address')
  .transform((host) => host.toLowerCase())

/** The user part of an address-of-record, escapes undone. [RFC3261-25.1] */
export const userName = z
  .string()
  .regex(/^[A-Za-z0-9\-_.!~*'()&=+$,/?]{1,128}$/, "expected a SIP user of letters, digits and -_.!~*'()&=+$,/?")

export const labels = z.record(z.string().max(128), z.string().max(256)).default({})

/** Metadata of a resource that belongs to no domain. */
export const clusterMetadata = z.strictObject({ name: resourceName, labels })

/** Metadata of a resource of one domain; `domain` is the name of its Domain resource. */
export const domainMetadata = z.strictObject({ name: resourceName, domain: hostName, labels })
