// SPDX-License-Identifier: MIT
//
// Broken messages out of good ones: a few random edits of bytes, lines and numbers, by a seeded generator. The same seed over the same pool
// gives the same bytes, so that a failure can be replayed from its seed alone.
import { createRandom } from '@tandem/test-kit'

/** What parsers trip over, put in anywhere. */
const SNIPPETS = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '\r\n ',
    '\r\n\t',
    '\r\n\r\n',
    '\0',
    '\x7f',
    '\xff\xfe',
    ' ',
    '\t',
    '"',
    '\\',
    '\\"',
    '<',
    '>',
    '<>',
  ],
  ...[
    ',',
    ';',
    ';;',
    ':',
    '::',
    '=',
    '@',
    '?',
    '%',
    '%00',
    '%0d%0a',
    '%zz',
    '[',
    ']',
    '[::1]',
    '[:::]',
    '(',
    ')',
    '((',
    '*',
  ],
  ...[
    '-1',
    '0',
    '00000000000000000070',
    '256',
    '65536',
    '2147483648',
    '4294967296',
    '18446744073709551616',
    '1e9',
    'NaN',
  ],
  ...[
    ';tag=',
    ';tag=x',
    ';branch=z9hG4bK',
    ';received=',
    ';rport',
    ';rport=',
    ';lr',
    ';maddr=255.255.255.255',
    ';q=',
    ';expires=',
  ],
  ...['sip:', 'sips:', 'tel:', 'SIP/2.0', 'SIP/2.0/UDP ', 'INVITE ', 'ACK ', 'CANCEL ', 'REGISTER ', 'OPTIONS '],
  ...[
    '\r\nVia: SIP/2.0/UDP h',
    '\r\nv:',
    '\r\nTo: <sip:b@t>',
    '\r\nCall-ID: x',
    '\r\nCSeq: 1 ACK',
    '\r\nl: 5',
    '\r\nContent-Length: -1',
  ],
  ...[
    '\r\nContent-Length: 99999999999',
    '\r\nRoute: <sip:192.0.2.1;lr>',
    '\r\nContact: *',
    '\r\nMax-Forwards: 0',
    '\r\n:',
    '\r\nX',
  ],
].map((text) => Buffer.from(text, 'latin1'))

const MOST_BYTES = 65_000

type Random = () => number
type Mutation = (bytes: Buffer, random: Random, pool: readonly Buffer[]) => Buffer

/** A whole number in [0, below). */
function pick(random: Random, below: number): number {
  return Math.floor(random() * below)
}

function replaced(bytes: Buffer, at: number, length: number, by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)])
}

/** [start, end) of a random line with its CRLF. */
function line(bytes: Buffer, random: Random): [number, number] {
  const from = pick(random, bytes.length)
  const before = bytes.lastIndexOf('\r\n', from)
  const after = bytes.indexOf('\r\n', from)
  return [before < 0 ? 0 : before + 2, after < 0 ? bytes.length : after + 2]
}

const setByte: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes)
  copy[pick(random, copy.length)] = pick(random, 256)
  return copy
}

const flipBit: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes)
  const at = pick(random, copy.length)
  copy[at] = (copy[at] as number) ^ (1 << pick(random, 8))
  return copy
}

const insertSnippet: Mutation = (bytes, random) => {
  const snippet = SNIPPETS[pick(random, SNIPPETS.length)] as Buffer
  return replaced(bytes, pick(random, bytes.length), 0, snippet)
}

const overwriteWithSnippet: Mutation = (bytes, random) => {
  const snippet = SNIPPETS[pick(random, SNIPPETS.length)] as Buffer
  return replaced(bytes, pick(random, bytes.length), snippet.length, snippet)
}

const removeRange: Mutation = (bytes, random) => {
  return replaced(bytes, pick(random, bytes.length), 1 + pick(random, 40), Buffer.alloc(0))
}

const repeatRange: Mutation = (bytes, random) => {
  const at = pick(random, bytes.length)
  const range = bytes.subarray(at, at + 1 + pick(random, 12))
  return replaced(bytes, at, 0, Buffer.alloc(range.length * (1 + pick(random, 60)), range))
}

const repeatLine: Mutation = (bytes, random) => {
  const [start, end] = line(bytes, random)
  if (end === start) return bytes
  const copies = random() < 0.02 ? 300 : 1 + pick(random, 3)
  return replaced(bytes, start, 0, Buffer.alloc((end - start) * copies, bytes.subarray(start, end)))
}

const removeLine: Mutation = (bytes, random) => {
  const [start, end] = line(bytes, random)
  return replaced(bytes, start, end - start, Buffer.alloc(0))
}

const moveLine: Mutation = (bytes, random) => {
  const [start, end] = line(bytes, random)
  const moved = Buffer.from(bytes.subarray(start, end))
  const rest = replaced(bytes, start, end - start, Buffer.alloc(0))
  return rest.length === 0 ? moved : replaced(rest, line(rest, random)[0], 0, moved)
}

const lineOfAnother: Mutation = (bytes, random, pool) => {
  const other = pool[pick(random, pool.length)] as Buffer
  const [start, end] = line(other, random)
  return replaced(bytes, line(bytes, random)[0], 0, other.subarray(start, end))
}

const tailOfAnother: Mutation = (bytes, random, pool) => {
  const other = pool[pick(random, pool.length)] as Buffer
  return Buffer.concat([bytes.subarray(0, pick(random, bytes.length)), other.subarray(pick(random, other.length))])
}

const truncate: Mutation = (bytes, random) => bytes.subarray(0, 1 + pick(random, bytes.length))

const changeCase: Mutation = (bytes, random) => {
  const [start, end] = line(bytes, random)
  const text = bytes.toString('latin1', start, end)
  return replaced(
    bytes,
    start,
    end - start,
    Buffer.from(random() < 0.5 ? text.toUpperCase() : text.toLowerCase(), 'latin1'),
  )
}

const MUTATIONS: readonly Mutation[] = [
  ...[setByte, flipBit, insertSnippet, insertSnippet, overwriteWithSnippet, removeRange, repeatRange, repeatLine],
  ...[removeLine, moveLine, lineOfAnother, tailOfAnother, truncate, changeCase],
]

/** One message of the pool with one mutation, or a few: those with one get past the first check more often. */
export function mutate(pool: readonly Buffer[], seed: number): Buffer {
  const random = createRandom(seed)
  random() // the first number of neighbouring seeds is alike
  let bytes = pool[pick(random, pool.length)] as Buffer
  for (let left = random() < 0.6 ? 1 : 2 + pick(random, 3); left > 0; left -= 1) {
    const mutation = MUTATIONS[pick(random, MUTATIONS.length)] as Mutation
    if (bytes.length > 0) bytes = mutation(bytes, random, pool)
  }
  return bytes.length > MOST_BYTES ? bytes.subarray(0, MOST_BYTES) : bytes
}
