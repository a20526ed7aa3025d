// SPDX-License-Identifier: MIT
//
// Lists of source addresses: single addresses and CIDR ranges of both families. An IPv4 address that comes mapped into
// IPv6 counts as IPv4.
import { isIP } from 'node:net'
import { z } from 'zod'
import { PrefixTable } from './prefix-table.ts'

function isRange(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32)
}

/** `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`; no names, which anybody could point elsewhere. */
export const addressRange = z
  .string()
  .refine(isRange, 'expected an IP address or a range such as 192.0.2.0/24 or 2001:db8::/32')

export const SOURCE_TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss', 'sctp'] as const
export type SourceTransport = (typeof SOURCE_TRANSPORTS)[number]

/** Where requests come from, and over what; no transports: over any. */
export interface SourceRange {
  readonly range: string
  readonly transports: readonly SourceTransport[]
}

/** `192.0.2.0/24`, or `{ range: 192.0.2.0/24, transports: [tcp, tls] }`. */
export const sourceRange = z.union(
  [
    addressRange.transform((range): SourceRange => ({ range, transports: [] })),
    z.strictObject({
      range: addressRange,
      transports: z.array(z.enum(SOURCE_TRANSPORTS)).min(1).max(SOURCE_TRANSPORTS.length),
    }),
  ],
  {
    error:
      'expected an IP address or a range such as 192.0.2.0/24 or 2001:db8::/32, or {range: RANGE, transports: [tcp, tls]}',
  },
)

/** Answers whether an address, written without brackets, is in the list. */
export interface AddressList {
  has(address: string): boolean
}

/** undefined for an empty list, so that whoever trusts nobody does not even look. */
export function addressList(ranges: readonly string[]): AddressList | undefined {
  if (ranges.length === 0) return undefined
  const table = new PrefixTable(ranges.map((range) => [range, true] as const))
  return { has: (address) => table.find(address) !== undefined }
}
