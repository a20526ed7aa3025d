// SPDX-License-Identifier: MIT
//
// Messages as a file that Wireshark and tshark read: libpcap format, link type RAW (101): IP packets without a frame. Each message is one UDP datagram
// between its two places, those of TCP, TLS and WebSocket too: what was encrypted can be read, and what was a stream has no segments.
import { isIPv4, isIPv6 } from 'node:net'
import type { CallMessage, Place } from './call-messages.ts'

const MAGIC = 0xa1b2c3d4
const LINK_RAW = 101
const SNAP_BYTES = 262_144
const UDP = 17
const HOPS = 64
const MAX_PAYLOAD = 65_507

/** The whole file. */
export function pcapOf(messages: readonly CallMessage[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(MAGIC, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(SNAP_BYTES, 16)
  header.writeUInt32LE(LINK_RAW, 20)
  return Buffer.concat([header, ...messages.flatMap(recordOf)])
}

function recordOf(message: CallMessage): Buffer[] {
  const packet = packetOf(message)
  const header = Buffer.alloc(16)
  const us = Math.round(message.atMs * 1_000)
  header.writeUInt32LE(Math.floor(us / 1_000_000), 0)
  header.writeUInt32LE(us % 1_000_000, 4)
  header.writeUInt32LE(packet.length, 8)
  header.writeUInt32LE(packet.length, 12)
  return [header, packet]
}

function packetOf({ text, fromPlace, toPlace }: CallMessage): Buffer {
  const payload = Buffer.from(text, 'latin1').subarray(0, MAX_PAYLOAD)
  const udp = Buffer.alloc(8)
  udp.writeUInt16BE(fromPlace.port, 0)
  udp.writeUInt16BE(toPlace.port, 2)
  udp.writeUInt16BE(8 + payload.length, 4)
  const is6 = isIPv6(fromPlace.address) || isIPv6(toPlace.address)
  const from = is6 ? address6(fromPlace) : address4(fromPlace)
  const to = is6 ? address6(toPlace) : address4(toPlace)
  const length = udp.length + payload.length
  const pseudo = is6 ? pseudo6(from, to, length) : pseudo4(from, to, length)
  udp.writeUInt16BE(checksum(Buffer.concat([pseudo, udp, payload])) || 0xffff, 6)
  return Buffer.concat([is6 ? header6(from, to, length) : header4(from, to, length), udp, payload])
}

function header4(from: Buffer, to: Buffer, length: number): Buffer {
  const ip = Buffer.alloc(20)
  ip[0] = 0x45
  ip.writeUInt16BE(20 + length, 2)
  ip[8] = HOPS
  ip[9] = UDP
  from.copy(ip, 12)
  to.copy(ip, 16)
  ip.writeUInt16BE(checksum(ip), 10)
  return ip
}

function header6(from: Buffer, to: Buffer, length: number): Buffer {
  const ip = Buffer.alloc(40)
  ip[0] = 0x60
  ip.writeUInt16BE(length, 4)
  ip[6] = UDP
  ip[7] = HOPS
  from.copy(ip, 8)
  to.copy(ip, 24)
  return ip
}

function pseudo4(from: Buffer, to: Buffer, length: number): Buffer {
  return Buffer.concat([from, to, Buffer.of(0, UDP, length >> 8, length & 0xff)])
}

function pseudo6(from: Buffer, to: Buffer, length: number): Buffer {
  return Buffer.concat([from, to, Buffer.of(0, 0, length >> 8, length & 0xff, 0, 0, 0, UDP)])
}

/** [RFC1071-1] Of 16-bit words; an odd byte counts as one with a zero behind it. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let k = 0; k + 1 < bytes.length; k += 2) sum += bytes.readUInt16BE(k)
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] as number) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** A name has no number: zeros stand for it. */
function address4({ address }: Place): Buffer {
  return isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : Buffer.alloc(4)
}

function address6({ address }: Place): Buffer {
  if (isIPv4(address)) return Buffer.concat([Buffer.alloc(10), Buffer.of(0xff, 0xff), address4({ address, port: 0 })])
  if (!isIPv6(address)) return Buffer.alloc(16)
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [first, last] = [groups(head), groups(tail ?? '')]
  const zeros = new Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0)
  return Buffer.from([...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 0xff]))
}
