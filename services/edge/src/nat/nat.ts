// SPDX-License-Identifier: MIT
//
// Whether a NAT stands between a phone and us (docs/nat.md): what the phone says of itself, in Contact and Via, against where its
// packets come from. A public Contact that is nobody's here is believed, whoever registers it: a REGISTER may bind any contact
// [RFC3261-10.2].
// Leaves out names, but for those that mean something at home only: they are not looked up for this.
import { BlockList, SocketAddress } from 'node:net'
import { isTextAt as isBytesAt, type SipMessage } from '@tandem/sip'
import { numericHost } from '@tandem/transport'

/** Networks whose addresses mean something inside only: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. */
const OWN_NETWORKS: readonly BlockList[] = (
  [
    ['10.0.0.0', 8, 'ipv4'],
    ['172.16.0.0', 12, 'ipv4'],
    ['192.168.0.0', 16, 'ipv4'],
    ['100.64.0.0', 10, 'ipv4'],
    ['169.254.0.0', 16, 'ipv4'],
    ['127.0.0.0', 8, 'ipv4'],
    ['fc00::', 7, 'ipv6'],
    ['fe80::', 10, 'ipv6'],
    ['::1', 128, 'ipv6'],
  ] as const
).map(([network, bits, family]) => {
  const list = new BlockList()
  list.addSubnet(network, bits, family)
  return list
})

/** Which of them an address belongs to; -1 for an address of the whole world. */
function ownNetworkOf(address: string): number {
  const family = address.includes(':') ? 'ipv6' : 'ipv4'
  return OWN_NETWORKS.findIndex((list) => list.check(address, family))
}

/** @param contactHost as the URI has it, IPv6 in brackets @param sourceAddress of its REGISTER, without brackets */
export function isBehindNat(contactHost: string, sourceAddress: string): boolean {
  if (contactHost === sourceAddress) return false
  const address = numericHost(contactHost)
  if (address === undefined) return isNameAtHome(contactHost) && !isLoopback(contactHost, sourceAddress)
  return ownNetworkOf(address) >= 0 && !isSameAddress(address, sourceAddress)
}

/** No host that anybody else could find (RFC 6761, RFC 6762, RFC 8375), or digits and dots that are no address. */
function isNameAtHome(host: string): boolean {
  return /^[0-9.]+$/.test(host) || /(?:^|\.)(?:invalid|local|localhost|lan|home\.arpa)\.?$/i.test(host)
}

/** `localhost` means what it says to whoever sends from there. */
function isLoopback(contactHost: string, sourceAddress: string): boolean {
  return /^localhost\.?$/i.test(contactHost) && /^(?:127\.|::1$)/.test(sourceAddress)
}

/** Where a request came from, as its socket says. */
export interface Source {
  readonly address: string
  readonly port: number
}

/**
 * Whether the topmost Via names another place than the packet came from [RFC3261-18.2.1] [RFC3581-4]. Another port alone counts
 * where rport asks for it: who does not ask may listen at the port of its Via only.
 */
export function viaShowsNat(msg: SipMessage, { address, port }: Source): boolean {
  if (isTextAt(msg, msg.viaHostStart, msg.viaHostEnd, address)) {
    return msg.viaRportStart >= 0 && (msg.viaPort < 0 ? DEFAULT_PORT : msg.viaPort) !== port
  }
  const host = msg.text(msg.viaHostStart, msg.viaHostEnd)
  const numeric = numericHost(host)
  return numeric === undefined ? isNameAtHome(host) : !isSameAddress(numeric, address)
}

const DEFAULT_PORT = 5060

/**
 * Whether a binding over UDP is reached where its REGISTER came from and nowhere else. A Contact that is the phone's own picture of
 * itself, the same as in its Via, is no better than that; one that stands where the packets come from is behind the NAT's own address.
 */
export function isBoundBehindNat(msg: SipMessage, contactHost: string, source: Source): boolean {
  if (isBehindNat(contactHost, source.address)) return true
  if (!viaShowsNat(msg, source)) return false
  const address = numericHost(contactHost) ?? contactHost
  if (isSameAddress(address, source.address)) return true
  return contactHost.toLowerCase() === msg.text(msg.viaHostStart, msg.viaHostEnd).toLowerCase()
}

/**
 * Whether a Contact names a network of its own that is not that of the place where the peer was reached. Two addresses of one
 * network are believed: within it each can be reached.
 */
export function isContactElsewhere(contactHost: string, reachedAt: string): boolean {
  if (contactHost === reachedAt) return false
  const address = numericHost(contactHost)
  if (address === undefined) return isNameAtHome(contactHost) && !isLoopback(contactHost, reachedAt)
  const network = ownNetworkOf(address)
  return network >= 0 && network !== ownNetworkOf(reachedAt)
}

/** Whether these bytes are this text, compared as they stand; brackets of IPv6 around them are passed over. */
export function isTextAt(msg: SipMessage, start: number, end: number, text: string): boolean {
  const skip = msg.buf[start] === OPEN_BRACKET ? 1 : 0
  return isBytesAt(msg.buf, start + skip, end - skip, text)
}

const OPEN_BRACKET = 0x5b

/** IPv6 has many texts for one address [RFC5952-1]; sources come in the shortest. */
function isSameAddress(contact: string, source: string): boolean {
  if (!contact.includes(':') || !source.includes(':')) return contact === source
  return new SocketAddress({ address: contact, family: 'ipv6' }).address === source
}
