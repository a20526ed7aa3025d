// SPDX-License-Identifier: MIT
//
// Whether a contact over UDP is reached where it says, or only where its REGISTER came from: a phone behind a NAT names an address
// that means something in its own network alone. A public address is believed, whoever registers it: a REGISTER may bind any
// contact [RFC3261-10.2].
// Leaves out a NAT that the phone's Via shows and its Contact does not.
import { BlockList, SocketAddress } from 'node:net'
import { numericHost } from '@tandem/transport'

/** Addresses that mean something in their own network only: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. */
const OWN_NETWORK = new BlockList()
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const) {
  OWN_NETWORK.addSubnet(network, bits, 'ipv4')
}
OWN_NETWORK.addSubnet('fc00::', 7, 'ipv6')
OWN_NETWORK.addSubnet('fe80::', 10, 'ipv6')
OWN_NETWORK.addAddress('::1', 'ipv6')

/** @param contactHost as the URI has it, IPv6 in brackets @param sourceAddress of its REGISTER, without brackets */
export function isBehindNat(contactHost: string, sourceAddress: string): boolean {
  if (contactHost === sourceAddress) return false
  const address = numericHost(contactHost)
  // No host at all, or digits and dots that are no address: only the source is left.
  if (address === undefined) return contactHost.endsWith('.invalid') || /^[0-9.]+$/.test(contactHost)
  return OWN_NETWORK.check(address, familyOf(address)) && !isSameAddress(address, sourceAddress)
}

/** IPv6 has many texts for one address [RFC5952-1]; sources come in the shortest. */
function isSameAddress(contact: string, source: string): boolean {
  if (!contact.includes(':') || !source.includes(':')) return contact === source
  return new SocketAddress({ address: contact, family: 'ipv6' }).address === source
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}
