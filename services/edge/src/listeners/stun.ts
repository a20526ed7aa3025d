// SPDX-License-Identifier: MIT
//
// STUN keep-alives on the UDP ports of SIP (RFC 5626 sections 5.4 and 8; messages of RFC 5389 section 6): a Binding request
// gets a Binding response with XOR-MAPPED-ADDRESS, the address that it came from. Its first byte is 0 or 1, which no SIP
// message begins with.
// Left out: authentication, FINGERPRINT, indications and every other method: what is no Binding request is dropped and counted.
// A response is at most 44 bytes for a request of at least 20: it amplifies little, and goes to the source only.

const HEADER_BYTES = 20
const MAX_REQUEST_BYTES = 548
const BINDING_REQUEST = 0x0001
const BINDING_RESPONSE = 0x0101
const MAGIC_COOKIE = 0x2112a442
const XOR_MAPPED_ADDRESS = 0x0020
const FAMILY_IPV4 = 1
const FAMILY_IPV6 = 2

/** Longest response: IPv6. */
export const MAX_STUN_RESPONSE_BYTES = HEADER_BYTES + 4 + 4 + 16

/** Whether the bytes are STUN, well made or not: two zero bits first, and no SIP message begins so [RFC5626-8]. */
export function isStun(buf: Buffer, start: number, end: number): boolean {
  return start < end && (buf[start] as number) <= 1
}

/**
 * Writes the Binding response to `buf[start, end)` at the start of `out`; gives its length, 0 for what is no Binding request.
 *
 * @param address where the request came from: IPv4, or IPv6 without brackets
 */
export function encodeStunResponse(
  buf: Buffer,
  start: number,
  end: number,
  source: { readonly address: string; readonly port: number },
  out: Buffer,
): number {
  if (!isBindingRequest(buf, start, end)) return 0
  const address = addressBytes(source.address)
  if (address === undefined) return 0
  out.writeUInt16BE(BINDING_RESPONSE, 0)
  out.writeUInt16BE(8 + address.length, 2)
  buf.copy(out, 4, start + 4, start + HEADER_BYTES)
  out.writeUInt16BE(XOR_MAPPED_ADDRESS, 20)
  out.writeUInt16BE(4 + address.length, 22)
  out[24] = 0
  out[25] = address.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6
  out.writeUInt16BE(source.port ^ (MAGIC_COOKIE >>> 16), 26)
  // Cookie and transaction id are the mask of the address, byte for byte.
  for (let k = 0; k < address.length; k += 1) out[28 + k] = (address[k] as number) ^ (out[4 + k] as number)
  return 28 + address.length
}

function isBindingRequest(buf: Buffer, start: number, end: number): boolean {
  const size = end - start
  if (size < HEADER_BYTES || size > MAX_REQUEST_BYTES || size % 4 !== 0) return false
  const isWhole = buf.readUInt16BE(start + 2) === size - HEADER_BYTES
  return isWhole && buf.readUInt16BE(start) === BINDING_REQUEST && buf.readUInt32BE(start + 4) === MAGIC_COOKIE
}

function addressBytes(text: string): Uint8Array | undefined {
  return text.includes(':') ? ipv6Bytes(text) : ipv4Bytes(text)
}

function ipv4Bytes(text: string): Uint8Array | undefined {
  const parts = text.split('.').map(Number)
  return parts.length === 4 && parts.every((part) => part >= 0 && part <= 255) ? Uint8Array.from(parts) : undefined
}

/** As a socket names it: no zone but behind '%', an IPv4 tail in dots. */
function ipv6Bytes(text: string): Uint8Array | undefined {
  const [plain = ''] = text.split('%')
  const [head = '', tail] = plain.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const missing = 16 - left.length - right.length
  if (missing < 0 || (tail === undefined && missing > 0)) return undefined
  return Uint8Array.from([...left, ...new Array<number>(missing).fill(0), ...right])
}

function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...(ipv4Bytes(group) ?? [])]
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
