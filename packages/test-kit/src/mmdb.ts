// SPDX-License-Identifier: MIT
//
// A small file in MaxMind's format (version 2.0 of the MaxMind DB file format), so that tests of GeoIP need no download:
// networks of either family, each with a country. Later networks win within earlier ones.
import { isIPv6 } from 'node:net'

/** CIDR to ISO country, e.g. `['192.0.2.0/24', 'DE']`. */
export type CountryOfNetwork = readonly [network: string, country: string]

const NODE_BYTES = 6
const SEPARATOR = Buffer.alloc(16)
const MARKER = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex')
const TYPE = { text: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 } as const

interface Node {
  readonly zero: Node | number | undefined
  readonly one: Node | number | undefined
}
type Writable = { -readonly [K in keyof Node]: Node[K] }

function control(type: number, size: number): Buffer {
  if (type > 7) return Buffer.from([size, type - 7])
  return Buffer.from([(type << 5) | size])
}

const text = (value: string): Buffer =>
  Buffer.concat([control(TYPE.text, Buffer.byteLength(value)), Buffer.from(value)])

function integer(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  const first = bytes.findIndex((byte) => byte !== 0)
  const used = first < 0 ? Buffer.alloc(0) : bytes.subarray(first)
  return Buffer.concat([control(type, used.length), used])
}

const map = (entries: Readonly<Record<string, Buffer>>): Buffer => {
  const parts = Object.entries(entries).flatMap(([key, value]) => [text(key), value])
  return Buffer.concat([control(TYPE.map, Object.keys(entries).length), ...parts])
}

const array = (values: readonly Buffer[]): Buffer => Buffer.concat([control(TYPE.array, values.length), ...values])

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.concat([Buffer.alloc(12), Buffer.from(address.split('.').map(Number))])
  const [head = '', tail] = address.split('::')
  const groups = (part: string | undefined) => (part ? part.split(':') : [])
  const left = groups(head)
  const right = groups(tail)
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

function insert(root: Writable, network: string, data: number): void {
  const [address = '', length = ''] = network.split('/')
  const bits = Number(length) + (isIPv6(address) ? 0 : 96)
  const bytes = addressBytes(address)
  let node = root
  for (let bit = 0; bit < bits; bit++) {
    const side = ((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1 ? 'one' : 'zero'
    const next = node[side]
    if (bit === bits - 1) node[side] = data
    else if (typeof next === 'object') node = next
    else node = node[side] = { zero: next, one: next }
  }
}

/** Nodes in the order of their numbers. */
function numbered(root: Node): Map<Node, number> {
  const numbers = new Map<Node, number>([[root, 0]])
  for (const node of numbers.keys()) {
    for (const child of [node.zero, node.one]) if (typeof child === 'object') numbers.set(child, numbers.size)
  }
  return numbers
}

function tree(root: Node): { readonly bytes: Buffer; readonly count: number } {
  const numbers = numbered(root)
  const bytes = Buffer.alloc(numbers.size * NODE_BYTES)
  const record = (child: Node['zero']): number => {
    if (child === undefined) return numbers.size
    return typeof child === 'object' ? (numbers.get(child) as number) : numbers.size + SEPARATOR.length + child
  }
  for (const [node, number] of numbers) {
    bytes.writeUIntBE(record(node.zero), number * NODE_BYTES, 3)
    bytes.writeUIntBE(record(node.one), number * NODE_BYTES + 3, 3)
  }
  return { bytes, count: numbers.size }
}

/** The file's bytes. @param unixSeconds when it says that it was built */
export function countryDatabase(networks: readonly CountryOfNetwork[], unixSeconds = 1_700_000_000): Buffer {
  const root: Writable = { zero: undefined, one: undefined }
  const records: Buffer[] = []
  let offset = 0
  for (const [network, country] of networks) {
    insert(root, network, offset)
    const record = map({ country: map({ iso_code: text(country) }) })
    records.push(record)
    offset += record.length
  }
  const { bytes, count } = tree(root)
  const metadata = map({
    node_count: integer(TYPE.uint32, count),
    record_size: integer(TYPE.uint16, 24),
    ip_version: integer(TYPE.uint16, 6),
    database_type: text('Test-Country'),
    languages: array([text('en')]),
    binary_format_major_version: integer(TYPE.uint16, 2),
    binary_format_minor_version: integer(TYPE.uint16, 0),
    build_epoch: integer(TYPE.uint64, unixSeconds),
    description: map({ en: text('made by a test') }),
  })
  return Buffer.concat([bytes, SEPARATOR, ...records, MARKER, metadata])
}
