// SPDX-License-Identifier: MIT
// Hash tags of the key layout and their cluster slots: CRC16 (XMODEM) of the tag modulo 16,384, as Redis Cluster has it.

export type Family = 'l' | 't' | 'c' | 'n' | 'h' | 'b' | 'e'

const slots = new Map<string, number>()

/** "l17" for shard 17 of the bindings; "e" alone, membership has one shard. Keys are "{tag}:…". */
export function tagOf(family: Family, shard: number): string {
  return family === 'e' ? 'e' : family + shard
}

export function slotOfTag(tag: string): number {
  const known = slots.get(tag)
  if (known !== undefined) return known
  const slot = crc16(tag) % 16_384
  slots.set(tag, slot)
  return slot
}

function crc16(text: string): number {
  let crc = 0
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}
