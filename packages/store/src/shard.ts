// SPDX-License-Identifier: MIT
// Shards and call references. A shard is the hash tag of keys that change together; a reference carries its own.

import { randomFillSync } from 'node:crypto'

export const SHARDS = 256

/** FNV-1a over UTF-16 units: spread, not secrecy. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (SHARDS - 1)
}

const REFERENCE_BYTES = 13
/** Random bytes come by the thousand: one call for each reference costs more than all the rest of it. */
const pool = Buffer.alloc(REFERENCE_BYTES * 1_024)
let poolAt = pool.length

const REFERENCE = /^[0-9a-f]{2}[A-Za-z0-9_-]{8,22}$/

/** A new call reference: two hex digits of shard, 96 random bits; 18 characters of base64url. */
export function createReference(): string {
  if (poolAt === pool.length) {
    randomFillSync(pool)
    poolAt = 0
  }
  const from = poolAt
  poolAt += REFERENCE_BYTES
  return pool.toString('hex', from, from + 1) + pool.toString('base64url', from + 1, poolAt)
}

/** Shard of a reference, -1 for text that is none. */
export function shardOfReference(ref: string): number {
  return REFERENCE.test(ref) ? Number.parseInt(ref.slice(0, 2), 16) : -1
}
