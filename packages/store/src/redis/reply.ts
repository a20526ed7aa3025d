// SPDX-License-Identifier: MIT
// From replies of scripts to values. A reply of another shape than its script's is a bug: it throws a TypeError, which the
// store turns into `unknown` with the script's name.

import type { Reply } from './batcher.ts'

export function listOf(reply: Reply | undefined): Reply[] {
  if (Array.isArray(reply)) return reply
  throw new TypeError('expected a list')
}

export function bytesOf(reply: Reply | undefined): Buffer {
  if (Buffer.isBuffer(reply)) return reply
  if (reply === null || reply === undefined) return Buffer.alloc(0)
  throw new TypeError('expected bytes')
}

export function textOf(reply: Reply | undefined): string {
  return typeof reply === 'number' ? String(reply) : bytesOf(reply).toString()
}

export function numberOf(reply: Reply | undefined): number {
  const value = typeof reply === 'number' ? reply : Number(bytesOf(reply).toString('latin1'))
  if (Number.isFinite(value)) return value
  throw new TypeError('expected a number')
}

/** Field to value of a flat list. */
export function fieldsOf(reply: Reply | undefined): Map<string, Buffer> {
  const flat = listOf(reply)
  const fields = new Map<string, Buffer>()
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(textOf(flat[i]), bytesOf(flat[i + 1]))
  return fields
}

/** A stream id as a number that orders like it. */
export function versionOf(streamId: string): bigint {
  const [ms = '0', sequence = '0'] = streamId.split('-')
  return (BigInt(ms) << 20n) | BigInt(sequence)
}
