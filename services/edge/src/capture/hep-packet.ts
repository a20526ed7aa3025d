// SPDX-License-Identifier: MIT
//
// HEP version 3 (EEP, the encapsulation that Homer takes): "HEP3", the length of all, then chunks of vendor, type, length with its header, value.
// Vendor 0 alone. Source: the HEP3 network protocol specification of the SIPCAPTURE project, chunk types 1 to 19.

import { isIPv6 } from 'node:net'
import type { TransportName } from '@tandem/transport'

const CHUNK = {
  family: 1,
  protocol: 2,
  from4: 3,
  to4: 4,
  from6: 5,
  to6: 6,
  fromPort: 7,
  toPort: 8,
  seconds: 9,
  microseconds: 10,
  type: 11,
  agent: 12,
  key: 14,
  payload: 15,
  correlation: 17,
  node: 19,
} as const
const FAMILY = { 4: 2, 6: 10 } as const
const PROTOCOL: Readonly<Record<TransportName, number>> = { udp: 17, tcp: 6, tls: 6, ws: 6, wss: 6, sctp: 132 }
const SIP = 1
const CHUNK_HEADER = 6
const HEADER = 6
const MAX_BYTES = 0xffff

export interface HepEnd {
  /** Numeric. */
  readonly address: string
  readonly port: number
}

export interface HepMessage {
  readonly from: HepEnd
  readonly to: HepEnd
  readonly transport: TransportName
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** Number of the agent at the collector. */
  readonly agent: number
  /** Name of the edge. */
  readonly node: string
  /** '' for none. */
  readonly key: string
  /** What belongs together: the Call-ID. '' for none. */
  readonly correlation: string
  readonly bytes: Buffer
}

/** One packet; undefined where the message is longer than a packet can be. */
export function encodeHep(message: HepMessage): Buffer | undefined {
  const { from, to, atMs, bytes } = message
  const is6 = isIPv6(from.address) || isIPv6(to.address)
  const chunks = [
    byteChunk(CHUNK.family, is6 ? FAMILY[6] : FAMILY[4]),
    byteChunk(CHUNK.protocol, PROTOCOL[message.transport]),
    chunk(is6 ? CHUNK.from6 : CHUNK.from4, addressBytes(from.address, is6)),
    chunk(is6 ? CHUNK.to6 : CHUNK.to4, addressBytes(to.address, is6)),
    shortChunk(CHUNK.fromPort, from.port),
    shortChunk(CHUNK.toPort, to.port),
    longChunk(CHUNK.seconds, Math.floor(atMs / 1_000)),
    longChunk(CHUNK.microseconds, Math.round((atMs % 1_000) * 1_000)),
    byteChunk(CHUNK.type, SIP),
    longChunk(CHUNK.agent, message.agent),
    ...textChunk(CHUNK.key, message.key),
    ...textChunk(CHUNK.correlation, message.correlation),
    ...textChunk(CHUNK.node, message.node),
    chunk(CHUNK.payload, bytes),
  ]
  const length = chunks.reduce((sum, part) => sum + part.length, HEADER)
  if (length > MAX_BYTES) return undefined
  const header = Buffer.alloc(HEADER)
  header.latin1Write('HEP3', 0)
  header.writeUInt16BE(length, 4)
  return Buffer.concat([header, ...chunks], length)
}

function chunk(type: number, value: Buffer): Buffer {
  const out = Buffer.alloc(CHUNK_HEADER + value.length)
  out.writeUInt16BE(type, 2)
  out.writeUInt16BE(Math.min(out.length, MAX_BYTES), 4)
  value.copy(out, CHUNK_HEADER)
  return out
}

function textChunk(type: number, text: string): Buffer[] {
  return text === '' ? [] : [chunk(type, Buffer.from(text))]
}

function byteChunk(type: number, value: number): Buffer {
  return chunk(type, Buffer.of(value))
}

function shortChunk(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return chunk(type, bytes)
}

function longChunk(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return chunk(type, bytes)
}

/** In network order; an address of the other family as zeros, or mapped into IPv6. */
function addressBytes(address: string, is6: boolean): Buffer {
  if (!is6) return Buffer.from(address.split('.').map(Number))
  const text = address.includes(':') ? address : `::ffff:${address}`
  return Buffer.from(groupsOf(text).flatMap((group) => [group >> 8, group & 0xff]))
}

function groupsOf(address: string): number[] {
  const plain = address.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, a, b, c, d) => {
    return `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`
  })
  const [head = '', tail] = plain.split('::')
  const of = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return of(head)
  const [first, last] = [of(head), of(tail)]
  return [...first, ...new Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last]
}
