// SPDX-License-Identifier: MIT
//
// Lists of source addresses: single addresses and CIDR ranges of both families. An IPv4 address that comes mapped into
// IPv6 counts as IPv4.
import { BlockList, isIP } from 'node:net'
import { z } from 'zod'

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

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

/** Answers whether an address, written without brackets, is in the list. */
export interface AddressList {
  has(address: string): boolean
}

/** undefined for an empty list, so that whoever trusts nobody does not even look. */
export function addressList(ranges: readonly string[]): AddressList | undefined {
  if (ranges.length === 0) return undefined
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    if (bits === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(bits), familyOf(address))
  }
  return { has: (address) => isIP(address) !== 0 && list.check(address, familyOf(address)) }
}
